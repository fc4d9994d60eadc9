"""How much it costs to find out who is calling."""

from __future__ import annotations

import asyncio
from statistics import median

import orjson
import psutil
from aiohttp import ClientSession

from benchmarks.http_load import Load, get
from benchmarks.place import Place
from benchmarks.results import Figure, Result, ratio
from benchmarks.servers import PASSWORD, USERNAME, open_server, prepared

_BAR = 1.67
"""Times the time: 60 % of the rate."""
_OPEN = "open door"


def run(place: Place) -> Result:
    """The same request to the same server by callers with credentials, and by one who needs none, in turns."""
    n_jobs, count, clients = place.pick(1_000, 100), place.pick(200, 50), 20
    data = place.folder / "door"
    made = prepared(data, n_jobs)
    loads: dict[str, list[Load]] = {}
    spent_s: dict[str, list[float]] = {}
    with open_server(data, made.user_id) as server:
        process = psutil.Process(server.pid)
        token, cookie = asyncio.run(_entered(server.url))
        doors = {
            _OPEN: {},
            "API key": {"X-API-Key": made.api_key},
            "token": {"Authorization": f"Bearer {token}"},
            "cookie": {"Cookie": cookie},
        }
        for number in range(place.pick(9, 2)):
            for name, headers in doors.items():
                before = process.cpu_times()
                load = asyncio.run(get(f"{server.url}/api/jobs/", count=count, clients=clients, headers=headers))
                after = process.cpu_times()
                if number:  # the first round warms up
                    loads.setdefault(name, []).append(load)
                    spent_s.setdefault(name, []).append(after.user + after.system - before.user - before.system)
    took_s = {name: [load.seconds for load in found] for name, found in loads.items()}
    callers = [name for name in doors if name != _OPEN]
    return Result(
        name="door",
        title="Admission",
        how=(
            f"GET /api/jobs/ of one server, {clients} clients over connections that stay open, {count} requests a "
            f"round, {len(took_s[_OPEN])} rounds in turns, medians; a user with {n_jobs:,} jobs, who shows an API "
            "key, an access token or a cookie. The open door is an Auth port that lets in everybody who shows nothing, "
            "as the same user; all else is the same. Rate limits are off. The server is bound by its processor, so "
            "its processor time for a request tells the rate that it would have alone on the machine."
        ),
        figures=(
            *(
                ratio(f"by {name}: processor time of the open door", spent_s[name], spent_s[_OPEN], bar=_BAR)
                for name in callers
            ),
            *(ratio(f"by {name}: time of the open door", took_s[name], took_s[_OPEN], bar=_BAR) for name in callers),
            *(
                Figure(what=name, value=median(load.per_s for load in found), unit="requests/s", digits=0)
                for name, found in loads.items()
            ),
        ),
        samples={
            **{f"{name}_s": found for name, found in took_s.items()},
            **{f"{name}_processor_s": found for name, found in spent_s.items()},
        },
        notes=("60 % of the rate is 1.67 times the time.",),
    )


async def _entered(url: str) -> tuple[str, str]:
    """A token and a cookie."""
    account = {"username": USERNAME, "password": PASSWORD}
    async with ClientSession() as session:
        async with session.post(f"{url}/auth/login", json=account) as answer:
            token = orjson.loads(await answer.read())["access_token"]
        async with session.post(f"{url}/auth/login", json={**account, "session": True}) as answer:
            return token, answer.headers["Set-Cookie"].partition(";")[0]
