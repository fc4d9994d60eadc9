"""A worker as a process that can be killed. Writes down each window whose decoding begins or ends."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.installation import installation
from whispercore.engines.engine import Control, Decoded, Options, Window
from whispercore.engines.pool import EnginePool
from whispercore.engines.whispercpp.engine import WhisperCpp
from whispercore.jobs.identity import worker_name


class Counted(WhisperCpp):
    """whisper.cpp, counted in a file that outlives it."""

    log: Path

    def decode(self, windows: Sequence[Window], options: Options, control: Control) -> list[Decoded]:
        self._note("begun", windows)
        decoded = super().decode(windows, options, control)
        self._note("done", windows)
        return decoded

    def _note(self, what: str, windows: Sequence[Window]) -> None:
        file = os.open(self.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        os.write(file, "".join(f"{what} {window.index}\n" for window in windows).encode())
        os.close(file)


async def main(folder: Path, log: Path) -> None:
    Counted.log = log
    with EnginePool(find=lambda _name: Counted) as pool, worker_name(folder / "workers") as name:
        async with installation(folder) as here, here.working(pool, name=name):
            await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), Path(sys.argv[2])))
