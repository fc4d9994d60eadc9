"""How long one waits to get in, and how little others notice of it."""

from __future__ import annotations

import asyncio
import itertools
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median, quantiles
from urllib.parse import urlsplit

import orjson
from attrs import frozen

from benchmarks.http_load import Load, get, post
from benchmarks.place import Place
from benchmarks.results import Figure, NotMeasured, Result
from benchmarks.servers import PASSWORD, USERNAME, prepared
from whispercore.people import passwords

_STORM_CLIENTS = 16
_FROM_ONE_ADDRESS = 4
"""Failures before the next address, so that nobody is told to wait."""


@frozen
class _Watched:
    url: str
    process: subprocess.Popen[str]

    def held_s(self) -> float:
        """The longest step of the event loop since it was last asked."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline())


def run(place: Place) -> Result:
    """Logins and registrations, alone and at once, and others' requests beside a storm of failed logins."""
    data, n_jobs = place.folder / "logins", place.pick(1_000, 20)
    made = prepared(data, n_jobs)
    alone, few, many = place.pick(40, 3), place.pick(200, 8), place.pick(300, 20)
    with _watched(data) as server:
        _send(server.url, "/auth/login", _logins(3), clients=1)  # warms up
        server.held_s()
        loads = {
            "login alone": _send(server.url, "/auth/login", _logins(alone), clients=1),
            "register alone": _send(server.url, "/auth/register", _registrations(alone), clients=1, status=201),
            "login, 4 at once": _send(server.url, "/auth/login", _logins(few), clients=4),
            "register, 4 at once": _send(server.url, "/auth/register", _registrations(few), clients=4, status=201),
            "login, 20 at once": _send(server.url, "/auth/login", _logins(many), clients=20),
        }
        held_s = server.held_s()
        others = {"Authorization": f"Bearer {made.api_key}"}
        calm: list[float] = []
        stormy: list[float] = []
        good: list[float] = []
        failed = 0.0
        for _ in range(place.pick(6, 1)):
            count = place.pick(1_500, 20)
            calm.append(asyncio.run(get(f"{server.url}/api/jobs/", count=count, clients=4, headers=others)).per_s)
            storm = asyncio.run(_beside_storm(f"{server.url}/api/jobs/", count, others, server.url))
            stormy.append(storm.others.per_s)
            failed += storm.failed_per_s
            good += storm.good.latencies_s
        storm_held_s = server.held_s()
    return Result(
        name="logins",
        title="Logins",
        how=(
            f"argon2id with {passwords.MEMORY_KIB // 1024} MiB, {passwords.PASSES} passes, {passwords.LANES} lane; "
            "rate limits off. Each login is a new session of one user, each registration a new one. The storm: "
            f"{_STORM_CLIENTS} clients that fail without a pause, from ever new addresses, so that none is told to "
            f"wait; beside it 4 clients of another user, who has {n_jobs:,} jobs, ask GET /api/jobs/, in turns with "
            f"the same without the storm, {len(calm)} rounds, medians. The load is made on the same machine."
        ),
        figures=(
            _ms("login alone, 95th percentile", _p95_s(loads["login alone"]), bar=300),
            _ms("register alone, 95th percentile", _p95_s(loads["register alone"]), bar=300),
            _ms("login, 4 at once, 95th percentile", _p95_s(loads["login, 4 at once"]), bar=300),
            _ms("register, 4 at once, 95th percentile", _p95_s(loads["register, 4 at once"]), bar=300),
            _ms("login, 20 at once, median", median(loads["login, 20 at once"].latencies_s)),
            _ms("login, 20 at once, 95th percentile", _p95_s(loads["login, 20 at once"])),
            _ms("longest step of the event loop, logins", held_s, bar=50),
            _ms("longest step of the event loop, storm", storm_held_s, bar=50),
            Figure(
                what="time of others' requests beside a storm of failed logins",
                value=median(calm) / median(stormy),
                unit="x",
                bar=1.25,
            ),
            _ms("right login from elsewhere, in the storm, median", median(good)),
            Figure(what="failed logins in the storm", value=failed / len(calm), unit="per s", digits=0),
        ),
        samples={
            **{f"{name}_s": load.latencies_s for name, load in loads.items()},
            "login in the storm_s": good,
            "others_per_s": calm,
            "others_beside_storm_per_s": stormy,
        },
        notes=("20 % fewer requests are 1.25 times their time.",),
    )


def _send(url: str, path: str, bodies: Iterator[bytes], *, clients: int, status: int = 200) -> Load:
    return asyncio.run(post(url + path, bodies, clients=clients, status=status))


def _logins(count: int) -> Iterator[bytes]:
    return itertools.repeat(orjson.dumps({"username": USERNAME, "password": PASSWORD}), count)


_numbers = itertools.count()


def _registrations(count: int) -> Iterator[bytes]:
    return (orjson.dumps({"username": f"user {next(_numbers)}", "password": PASSWORD}) for _ in range(count))


@frozen
class _Storm:
    others: Load
    failed_per_s: float
    good: Load
    """Right logins meanwhile."""


async def _beside_storm(url: str, count: int, headers: dict[str, str], server: str) -> _Storm:
    """Others' requests, and others' logins."""
    stop, failures = asyncio.Event(), itertools.count()
    async with asyncio.TaskGroup() as group:
        for _ in range(_STORM_CLIENTS):
            group.create_task(_fail_on(server, stop, failures))
        await asyncio.sleep(0.5)  # until all of them are at it
        before = next(failures)
        load = await get(url, count=count, clients=4, headers=headers)
        per_s = (next(failures) - before - 1) / load.seconds
        good = await post(f"{server}/auth/login", _logins(2), clients=1, status=200)
        stop.set()
    return _Storm(load, per_s, good)


_addresses = (f"127.{a}.{b}.{c}" for a in range(1, 255) for b in range(1, 255) for c in range(1, 255))


async def _fail_on(server: str, stop: asyncio.Event, failures: Iterator[int]) -> None:
    parts = urlsplit(server)
    while not stop.is_set():
        name = f"nobody {next(_numbers)}"
        bodies = itertools.repeat(orjson.dumps({"username": name, "password": "wrong password"}), _FROM_ONE_ADDRESS)
        try:
            await post(
                f"{server}/auth/login",
                (body for body in bodies if not stop.is_set() and next(failures) >= 0),
                clients=1,
                status=401,
                local_addr=(next(_addresses), 0),
            )
        except OSError as error:
            raise NotMeasured(f"{parts.netloc} cannot be reached from other addresses: {error}") from error


@contextmanager
def _watched(data: Path) -> Iterator[_Watched]:
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.watched_server", str(data)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        if not url:
            raise NotMeasured("the server did not start")
        yield _Watched(url, process)
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _p95_s(load: Load) -> float:
    return quantiles(load.latencies_s, n=20)[-1]


def _ms(what: str, value_s: float, *, bar: float | None = None) -> Figure:
    return Figure(what=what, value=1000 * value_s, unit="ms", digits=0, bar=bar)
