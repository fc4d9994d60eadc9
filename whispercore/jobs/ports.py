"""What jobs stand on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final

from attrs import evolve, frozen
from sqlalchemy.ext.asyncio import AsyncConnection

from whispercore.audit.event import AuditEvent, EventType
from whispercore.audit.trail import Audit
from whispercore.database import outbox
from whispercore.database.session import Database
from whispercore.events import Events
from whispercore.ids import Ids
from whispercore.jobs.dispatch import Dispatch
from whispercore.jobs.holding import let_go
from whispercore.jobs.job import Job, State
from whispercore.people.caller import Caller


@frozen(kw_only=True)
class JobPorts:
    """The parts that the people's and the workers' side of the table share."""

    database: Database
    ids: Ids
    dispatch: Dispatch
    events: Events
    machine: str
    """Whose speed is measured."""
    audit: Audit | None = None
    """Where it is noted what becomes of jobs."""

    async def note(self, tx: AsyncConnection, job: Job, state: State, caller: Caller | None = None) -> None:
        """Leave word in the outbox that a job is over, and in the audit trail; the next of its batch may begin.

        Args:
            tx: The transaction that ends it.
            job: It.
            state: What it is now.
            caller: Who ended it; else it ended by itself.
        """
        payload = json.dumps({"job_id": job.id, "owner_id": job.owner_id, "kind": job.kind, "state": state})
        await outbox.put(tx, id=self.ids.new(), topic=f"job.{state}", payload=payload, now=self.database.now())
        if job.batch_id is not None:
            await let_go(tx, self.dispatch, job.batch_id)
        if self.audit is not None:
            owner = evolve(Caller.nobody(), user_id=job.owner_id)
            await self.audit.append(tx, caller if caller is not None else owner, _ended(job, state))


_ENDS: Final[Mapping[State, tuple[EventType, str]]] = {
    State.COMPLETED: ("job_completed", "complete a job"),
    State.FAILED: ("job_failed", "give a job up"),
    State.CANCELLED: ("job_cancelled", "cancel a job"),
}


def _ended(job: Job, state: State) -> AuditEvent:
    event_type, action = _ENDS[state]
    return AuditEvent(
        event_type=event_type,
        action=action,
        outcome="failure" if state is State.FAILED else "success",
        resource_type="job",
        resource_id=job.id,
        details={"kind": job.kind, "attempt": job.attempt},
    )
