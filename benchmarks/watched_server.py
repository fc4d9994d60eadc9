"""``whispercore serve`` that knows how long its event loop was held.

``python -m benchmarks.watched_server DATA`` prints its address; for each line on standard input it prints the seconds
of the longest step of the loop since the one before.
"""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from pathlib import Path
from typing import Any

from whispercore_server.serving import serve
from whispercore_server.settings import ServerSettings

_longest_s = 0.0
_run = asyncio.Handle._run  # noqa: SLF001 (each step of the loop goes through it)


def _timed(handle: Any) -> None:
    global _longest_s  # noqa: PLW0603 (one for the process)
    began = time.perf_counter()
    _run(handle)
    _longest_s = max(_longest_s, time.perf_counter() - began)


class _Tell:
    """Prints the address."""

    def admin_key(self, key: str) -> None:
        """The benchmark has an account of its own."""

    def listening(self, url: str) -> None:
        """To whoever has started this."""
        print(url, flush=True)

    def working(self) -> None:
        """There is no worker."""

    def stopping(self) -> None:
        """Nobody waits for it."""

    def giving_up(self, after_s: int) -> None:
        """Likewise."""


def _answer() -> None:
    global _longest_s  # noqa: PLW0603 (one for the process)
    for _ in sys.stdin:
        print(_longest_s, flush=True)
        _longest_s = 0.0


if __name__ == "__main__":
    setattr(asyncio.Handle, "_run", _timed)  # noqa: B010 (types say that this is not done)
    threading.Thread(target=_answer, daemon=True).start()
    asyncio.run(serve(ServerSettings(data=Path(sys.argv[1]), port=0, rate_profile="none"), _Tell(), worker=False))
