"""Seals transcripts, and is killed: in the midst of the second job, or when all that is left is to clear up."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import Any, Never

from tests.live import settings_for
from whispercore.database.session import Database
from whispercore.transcripts import sealing
from whispercore_server.sealing import seal_transcripts


async def die(*_: object) -> Never:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


def main(folder: Path, when: str) -> None:
    if when == "clearing up":
        Database.compact = die  # type: ignore[assignment, method-assign]
    else:
        real, begun = sealing._seal_segments, list[str]()

        async def until_the_second(tx: Any, job_id: str, seal: Any) -> None:
            await real(tx, job_id, seal)
            begun.append(job_id)
            if len(begun) == 2:  # what was written of it is not committed
                await die()

        sealing._seal_segments = until_the_second
    asyncio.run(seal_transcripts(settings_for(folder, encrypt_transcripts=True), tell=str))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
