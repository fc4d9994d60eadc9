"""The workers, and how they are."""

from __future__ import annotations

import os
import platform
from datetime import timedelta

from sqlalchemy import insert

from tests.api.conftest import MakeServer
from tests.both_clients import both
from whispercore.database.tables import workers
from whispercore.jobs.table import Jobs


async def test_workers_and_their_health_are_listed(kind: str, make_server: MakeServer) -> None:
    server = make_server(slots=3)

    async def leave_one_behind(jobs: Jobs) -> None:
        long_ago = jobs.database.now() - timedelta(hours=1)
        async with jobs.database.write() as tx:
            await tx.execute(insert(workers).values(name="~gone", slots=4, started_at=long_ago, seen_at=long_ago))

    server.run(leave_one_behind(server.ports.jobs))
    async with both(kind, server.url, api_key=server.admin_key) as client:
        found = await client.call(lambda c: c.workers.all())
    here, gone = found.workers
    assert (here.host, here.process_id, here.slots) == (platform.node(), os.getpid(), 3)
    assert (here.status, here.jobs, "transcribe" in here.kinds) == ("alive", [], True)
    assert here.last_heartbeat_at >= here.started_at
    assert (gone.id, gone.status, gone.models) == ("~gone", "silent", [])
    assert (found.total, found.alive, found.slots, found.busy) == (2, 1, 3, 0)
