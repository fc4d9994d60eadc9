"""Ends a PostgreSQL of the tests when whoever started it ends, however that is: then the input of this process ends.

Run as a file, with the server's folder; it imports nothing that takes long.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

_STOPPED_S = 60.0


def end(folder: Path) -> None:
    """Stop the server at once, if it runs, and remove the folder."""
    running = folder / "data" / "postmaster.pid"
    with suppress(OSError, ValueError, IndexError):  # there is none
        os.kill(int(running.read_text().splitlines()[0]), signal.SIGQUIT)
        deadline = time.monotonic() + _STOPPED_S
        while running.exists() and time.monotonic() < deadline:
            time.sleep(0.01)
    shutil.rmtree(folder, ignore_errors=True)  # a server that is still starting sees that it is gone, and ends


if __name__ == "__main__":
    sys.stdin.buffer.read()
    end(Path(sys.argv[1]))
