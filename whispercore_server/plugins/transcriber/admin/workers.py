"""Answers of ``api.transcriber.admin.workers``."""

from __future__ import annotations

from attrs import define

from whispercore.api.transcriber.admin.workers import AllWorkers, AskWorkers, Workers, WorkerState
from whispercore.jobs.present import present_workers
from whispercore.people.caller import Caller
from whispercore_server.plugin import serves
from whispercore_server.ports import Ports


@define
class WorkersHandlers:
    """Tells who does the jobs."""

    ports: Ports

    @serves(Workers.all)
    async def all(self, request: AskWorkers, caller: Caller) -> AllWorkers:
        """As they last said themselves."""
        del request, caller
        found = await present_workers(self.ports.database)
        return AllWorkers(
            workers=[
                WorkerState(
                    id=one.name,
                    host=one.host,
                    process_id=one.process_id,
                    status="alive" if one.is_alive else "silent",
                    slots=one.slots,
                    kinds=list(one.kinds),
                    jobs=list(one.job_ids),
                    models=list(one.models),
                    started_at=one.started_at,
                    last_heartbeat_at=one.seen_at,
                )
                for one in found
            ],
            total=len(found),
            alive=sum(one.is_alive for one in found),
            slots=sum(one.slots for one in found if one.is_alive),
            busy=sum(len(one.job_ids) for one in found),
        )
