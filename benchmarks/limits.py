"""How much counting a request costs."""

from __future__ import annotations

import asyncio
import time
from statistics import median

from benchmarks.http_load import Load, get
from benchmarks.place import Place
from benchmarks.results import Figure, Result
from benchmarks.servers import Prepared, our_server, prepared
from whispercore.clock import SystemClock
from whispercore.database.session import Database
from whispercore.people.caller import Caller
from whispercore.people.keys import Keys
from whispercore.people.scopes import ROLES
from whispercore_server.limiting.windows import Windows

_MANY = 1_000_000_000
"""A limit that nobody reaches."""


def run(place: Place) -> Result:
    """The same request by keys that are counted and by one that is not, in turns."""
    count, clients, n_callers = place.pick(2_000, 50), 20, place.pick(100_000, 1_000)
    data = place.folder / "limits"
    made = prepared(data, 100)
    keys = {"not counted": made.api_key, **asyncio.run(_limited(made))}
    loads: dict[str, list[Load]] = {name: [] for name in keys}
    with our_server(data, "--no-worker") as ours:
        for number in range(place.pick(8, 2)):
            for name, key in keys.items():
                headers = {"X-API-Key": key}
                load = asyncio.run(get(f"{ours.url}/api/jobs/", count=count, clients=clients, headers=headers))
                if number:  # the first round warms up
                    loads[name].append(load)

    def cost_us(name: str) -> float:
        plain = median(load.seconds for load in loads["not counted"])
        return 1e6 * (median(load.seconds for load in loads[name]) - plain) / count

    return Result(
        name="limits",
        title="Rate limits",
        how=(
            f"GET /api/jobs/, {clients} clients over connections that stay open, {count} requests a round, "
            f"{len(loads['counted'])} rounds in turns, medians; three keys of one caller: without a limit, with a rate "
            "limit, and with a daily quota too. One counter is one call, among those of so many callers, in the memory "
            "of this process."
        ),
        figures=(
            Figure(
                what="requests of a key that is not counted",
                value=_per_s(loads["not counted"]),
                unit="requests/s",
                digits=0,
            ),
            Figure(
                what="requests of a key with a rate limit", value=_per_s(loads["counted"]), unit="requests/s", digits=0
            ),
            Figure(what="… and a daily quota", value=_per_s(loads["with a quota"]), unit="requests/s", digits=0),
            Figure(what="cost of a rate limit", value=max(0.0, cost_us("counted")), unit="µs", digits=0),
            Figure(what=f"one counter among {n_callers:,}", value=_counter_us(n_callers), unit="µs", digits=2),
        ),
        samples={f"{name}_per_s": [load.per_s for load in found] for name, found in loads.items()},
    )


def _per_s(loads: list[Load]) -> float:
    return median(load.per_s for load in loads)


async def _limited(made: Prepared) -> dict[str, str]:
    """Two more keys of the same user."""
    user = Caller(user_id=made.user_id, username="benchmark", scopes=ROLES["user"])
    async with Database(made.url) as database:
        keys = Keys(database)
        counted = await keys.create(user, user.user_id, "counted", ("read",), 1, requests_per_minute=_MANY)
        with_quota = await keys.create(
            user, user.user_id, "with a quota", ("read",), 1, requests_per_minute=_MANY, daily_quota=_MANY
        )
        return {"counted": counted.key, "with a quota": with_quota.key}


def _counter_us(n_callers: int) -> float:
    windows = Windows(SystemClock(), most=n_callers + 1)
    for number in range(n_callers):
        windows.add(f"address {number}", 3600)
    calls = 10_000
    began = time.perf_counter()
    for _ in range(calls):
        windows.add("me", 3600)
    return 1e6 * (time.perf_counter() - began) / calls
