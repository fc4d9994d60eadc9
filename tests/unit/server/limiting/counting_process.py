"""A process that counts so many requests at once, and prints how many passed."""

from __future__ import annotations

import asyncio
import sys

from whispercore.clock import SystemClock
from whispercore_server.limiting.counters import Counters
from whispercore_server.limiting.profiles import Figure


async def main(url: str, requests: int, limit: int) -> None:
    counters = Counters(SystemClock(), url)
    counts = await asyncio.gather(*(counters.count("user 1", "api", Figure(limit, 86_400)) for _ in range(requests)))
    await counters.close()
    print(sum(not count.is_over for count in counts))  # noqa: T201 (it is what it is for)


asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
