"""A process that appends to a trail. Run as ``python -m tests.noting_process FOLDER COUNT``; 0 is without an end.

Each line that it says is the number of events that it has committed.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from whispercore.audit.event import AuditEvent
from whispercore.audit.key import AuditKey
from whispercore.audit.trail import Audit
from whispercore.clock import SystemClock
from whispercore.database.session import Database
from whispercore.ids import Uuid7Ids
from whispercore.people.caller import Caller


async def main(folder: Path, count: int) -> None:
    """Append until all are there, or until killed."""
    clock = SystemClock()
    async with Database(f"sqlite+aiosqlite:///{folder}/whispercore.db", clock=clock) as database:
        await database.upgrade()
        audit = Audit(
            database,
            clock=clock,
            ids=Uuid7Ids(clock),
            key=AuditKey(folder / "audit.key"),
            head_file=folder / "audit-head.json",
        )
        await audit.open()
        done = 0
        while done < count or count == 0:
            async with database.write() as tx:
                await audit.append(
                    tx, Caller.nobody(), AuditEvent(event_type="job_created", action=f"{os.getpid()} {done}")
                )
            done += 1
            print(done, flush=True)  # noqa: T201 (that is how it is heard)
        await audit.close()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
