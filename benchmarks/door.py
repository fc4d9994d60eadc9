"""How much it costs to find out who is calling."""

from __future__ import annotations

import asyncio
from statistics import median

import orjson
from aiohttp import ClientSession

from benchmarks.http_load import Load, get
from benchmarks.place import Place
from benchmarks.results import Figure, Result, ratio, spread
from benchmarks.servers import PASSWORD, USERNAME, open_server, prepared

_BAR = 1.67
"""Times the time: 60 % of the rate."""
_OPEN = "open door"


def run(place: Place) -> Result:
    """The same request to the same server by callers with credentials, and by one who needs none, in turns."""
    n_jobs, count, clients = place.pick(10_000, 100), place.pick(2_000, 50), 20
    data = place.folder / "door"
    made = prepared(data, n_jobs)
    loads: dict[str, list[Load]] = {}
    with open_server(data, made.user_id) as url:
        token, cookie = asyncio.run(_entered(url))
        doors = {
            _OPEN: {},
            "API key": {"X-API-Key": made.api_key},
            "token": {"Authorization": f"Bearer {token}"},
            "cookie": {"Cookie": cookie},
        }
        for number in range(place.pick(9, 2)):
            for name, headers in doors.items():
                load = asyncio.run(get(f"{url}/api/jobs/", count=count, clients=clients, headers=headers))
                if number:  # the first round warms up
                    loads.setdefault(name, []).append(load)
    took = {name: [load.seconds for load in found] for name, found in loads.items()}
    return Result(
        name="door",
        title="Admission",
        how=(
            f"GET /api/jobs/ of one server, {clients} clients over connections that stay open, {count} requests a "
            f"round, {len(took['token'])} rounds in turns, medians; a user with {n_jobs:,} jobs, who shows an API key, "
            "an access token or a cookie. The open door is an Auth port that lets in everybody who shows nothing, as "
            "the same user; all else is the same. Rate limits are off."
        ),
        figures=(
            *(
                ratio(f"by {name}: time of the open door", found, took[_OPEN], bar=_BAR)
                for name, found in took.items()
                if name != _OPEN
            ),
            *(
                Figure(what=name, value=median(load.per_s for load in found), unit="requests/s", digits=0)
                for name, found in loads.items()
            ),
        ),
        samples={f"{name}_per_s": [load.per_s for load in found] for name, found in loads.items()},
        notes=(
            "60 % of the rate is 1.67 times the time.",
            f"By token, {spread(took['token'], took[_OPEN])}.",
        ),
    )


async def _entered(url: str) -> tuple[str, str]:
    """A token and a cookie."""
    account = {"username": USERNAME, "password": PASSWORD}
    async with ClientSession() as session:
        async with session.post(f"{url}/auth/login", json=account) as answer:
            token = orjson.loads(await answer.read())["access_token"]
        async with session.post(f"{url}/auth/login", json={**account, "session": True}) as answer:
            return token, answer.headers["Set-Cookie"].partition(";")[0]
