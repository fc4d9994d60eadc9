"""Health and statistics: for each figure and state something is done, and exactly that one moves."""

from __future__ import annotations

import asyncio
import re
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
from attrs import evolve
from sqlalchemy import event

from tests.api.conftest import MakeServer
from tests.both_clients import both
from tests.golden import differences, sample
from tests.live import Live
from tests.on_disk import stored_in
from tests.visitor import Visitor, administrator, registered
from whispercore.database.sqlite_store import _READERS
from whispercore.measures.whisper_probe import WhisperProbe
from whispercore.models.catalogue import MICRO_PATH
from whispercore.settings import Settings
from whispercore_server.plugins.transcriber import wording

Body = dict[str, Any]


def health(server: Live) -> Body:
    """As soon as an engine was tried."""
    while services(seen := health_now(server))["whisper"] == "starting":
        time.sleep(0.02)
    return seen


def health_now(server: Live) -> Body:
    answer = administrator(server).get("/admin/health")
    assert answer.status_code == 200, answer.text
    seen: Body = answer.json()
    return seen


def stats(server: Live) -> Body:
    answer = administrator(server).get("/admin/stats")
    assert answer.status_code == 200, answer.text
    seen: Body = answer.json()
    return seen


def flat(body: Body, at: str = "") -> dict[str, Any]:
    """All figures by their paths."""
    found: dict[str, Any] = {}
    for name, value in body.items():
        found.update(flat(value, f"{at}{name}.") if isinstance(value, dict) else {f"{at}{name}": value})
    return found


def moved(before: Body, after: Body) -> dict[str, Any]:
    """What is different."""
    first, second = flat(before), flat(after)
    return {name: second[name] for name in second if second[name] != first[name] and name != "timestamp"}


def services(body: Body) -> dict[str, str]:
    return dict(body["services"])


HEALTHY = {"database": "healthy", "redis": "not_configured", "whisper": "healthy", "storage": "healthy"}


# ---------------------------------------------------------------- as documented


@pytest.mark.parametrize(("seed", "path"), [("001", "/admin/health"), ("001", "/admin/stats")])
def test_an_answer_has_every_documented_member(seed: str, path: str, admin: Visitor) -> None:
    assert differences(sample(seed, "GET", path).response, admin.get(path).json()) == []


async def test_through_the_clients(kind: str, server: Live) -> None:
    async with both(kind, server.url, api_key=server.admin_key) as client:
        seen = await client.call(lambda c: c.installation.health())
        assert (seen.status, seen.services.redis) == ("healthy", "not_configured")
        counted = await client.call(lambda c: c.installation.stats())
        assert counted.jobs.total == sum(
            (
                counted.jobs.completed,
                counted.jobs.failed,
                counted.jobs.processing,
                counted.jobs.queued,
                counted.jobs.cancelled,
            )
        )
        wrapped = await client.call(lambda c: c.system.health())
        assert wrapped.services == seen.services


def test_they_are_for_administrators(alice: Visitor, nobody: Visitor) -> None:
    for path in ("/admin/health", "/admin/stats"):
        assert (alice.get(path).status_code, nobody.get(path).status_code) == (403, 401)


def test_figures_for_people_are_the_figures(admin: Visitor) -> None:
    figures = admin.get("/admin/health").json()["metrics"]
    assert figures["memory_usage"] == f"{round(figures['memory_usage_percent'])}%"
    assert figures["cpu_usage"] == f"{round(figures['cpu_usage_percent'])}%"
    assert re.fullmatch(r"(\d+d )?(\d+h )?(\d+m)", figures["uptime"])
    assert wording.uptime(5 * 86_400 + 12 * 3600 + 30 * 60 + 59) == "5d 12h 30m"
    assert (wording.uptime(0), wording.uptime(59), wording.uptime(60)) == ("0m", "0m", "1m")
    assert (wording.percent(44.6), wording.percent(0)) == ("45%", "0%")


# ---------------------------------------------------------------- health


def test_a_server_that_works_is_healthy(make_server: MakeServer) -> None:
    server = make_server()
    seen = health(server)
    assert (seen["status"], services(seen)) == ("healthy", {**HEALTHY, "worker": "healthy"})
    assert {one["name"] for one in seen["details"]} == {*HEALTHY, "worker"}


def test_until_an_engine_was_tried_it_is_starting_and_nothing_is_wrong(
    make_server: MakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = make_server()
    probe, engine = whisper_probe(server), SlowEngine()
    monkeypatch.setattr(probe, "make", lambda _: engine)
    seen = health_now(server)
    assert (seen["status"], services(seen)["whisper"]) == ("healthy", "starting")
    assert administrator(server).get("/admin/system/alerts").json()["data"]["alerts"] == []
    engine.loaded.set()
    seen = health(server)
    assert (seen["status"], services(seen)["whisper"]) == ("healthy", "healthy")
    tried_at = next(one["checked_at"] for one in seen["details"] if one["name"] == "whisper")
    again = health(server)
    assert next(one["checked_at"] for one in again["details"] if one["name"] == "whisper") == tried_at
    assert seen["timestamp"] < again["timestamp"]


class SlowEngine:
    """Loads when it is let."""

    def __init__(self) -> None:
        self.loaded = threading.Event()

    def load(self) -> None:
        assert self.loaded.wait(60)

    def unload(self) -> None:
        self.loaded.set()


def whisper_probe(server: Live) -> WhisperProbe:
    probe = server.ports.measures.services.probes["whisper"]
    assert isinstance(probe, WhisperProbe)
    return probe


def test_without_a_worker_it_is_degraded(make_server: MakeServer) -> None:
    seen = health(make_server(worker=False))
    assert (seen["status"], services(seen)) == ("degraded", {**HEALTHY, "worker": "unhealthy"})
    assert _detail(seen, "worker") == "no worker is there"


def _detail(seen: Body, name: str) -> str:
    return str(next(one["detail"] for one in seen["details"] if one["name"] == name))


@contextmanager
def away(path: Path) -> Iterator[None]:
    """A file that is not where it was."""
    elsewhere = path.with_name(f"{path.name}.away")
    path.rename(elsewhere)
    try:
        yield
    finally:
        elsewhere.rename(path)


def test_a_database_that_is_gone_is_unhealthy_until_it_is_back(make_server: MakeServer) -> None:
    """Its connections go on working, on a file that nobody will find again."""
    server = make_server()
    assert health(server)["status"] == "healthy"
    with away(server.ports.settings.data / "whispercore.db"):
        seen = health(server)
        assert (seen["status"], services(seen)["database"]) == ("unhealthy", "unhealthy")
        assert "gone" in _detail(seen, "database")
        assert {name for name, state in services(seen).items() if state == "unhealthy"} == {"database"}
    assert health(server)["status"] == "healthy"


@contextmanager
def held(server: Live) -> Iterator[None]:
    """A database whose connections others have, and do not give back."""
    is_held, done = threading.Event(), asyncio.Event()
    may_read = threading.Event()
    readers = [engine for engine in server.ports.database.engines if engine.driver == "pysqlite"]

    def wait(*_: object) -> None:
        may_read.wait(60)

    async def hold() -> None:
        async with AsyncExitStack() as stack:
            for _ in range(_READERS):
                _ = await stack.enter_async_context(server.ports.database.read())
            is_held.set()
            await done.wait()

    holding = asyncio.run_coroutine_threadsafe(hold(), server.loop)
    assert is_held.wait(60)
    assert readers
    for engine in readers:
        event.listen(engine, "before_cursor_execute", wait)
    try:
        yield
    finally:
        for engine in readers:
            event.remove(engine, "before_cursor_execute", wait)
        may_read.set()
        server.loop.call_soon_threadsafe(done.set)
        holding.result(60)


def test_a_database_that_hangs_is_unhealthy_and_nothing_waits_for_it(make_server: MakeServer) -> None:
    server = make_server(worker=False)
    server.ports.measures.services.limit_s = 0.2
    assert health(server)["services"]["database"] == "healthy"
    with held(server):
        seen = health(server)
    assert (seen["status"], services(seen)) == (
        "unhealthy",
        {**HEALTHY, "database": "unhealthy", "worker": "unhealthy"},
    )
    assert _detail(seen, "database") == "no answer within 0.2 s"
    assert _detail(seen, "worker") == "no answer within 0.2 s", "it is the database that knows of workers"
    assert health(server)["services"]["database"] == "healthy"


def test_a_database_that_fails_is_unhealthy(make_server: MakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    server = make_server(worker=False)
    assert health(server)["services"]["database"] == "healthy"  # the key is known from now on

    def broken() -> None:
        raise OSError("the disk is gone")

    with monkeypatch.context() as patch:
        patch.setattr(server.ports.database, "read", broken)
        seen = health(server)
    assert (seen["status"], services(seen)["database"]) == ("unhealthy", "unhealthy")
    assert _detail(seen, "database") == "the disk is gone"
    assert seen["metrics"]["queue_size"] == 0
    assert health(server)["services"]["database"] == "healthy"


def test_a_service_that_hangs_is_unhealthy(make_server: MakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    server = make_server(worker=False)
    server.ports.measures.services.limit_s = 0.2

    async def hang(*_: object, **__: object) -> None:
        await asyncio.Event().wait()

    with monkeypatch.context() as patch:
        patch.setattr(type(server.ports.files), "has_room", hang)
        seen = health(server)
    assert services(seen)["storage"] == "unhealthy"
    assert _detail(seen, "storage") == "no answer within 0.2 s"
    assert health(server)["services"]["storage"] == "healthy"


def test_a_full_disk_is_unhealthy(make_server: MakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    server = make_server()
    with monkeypatch.context() as patch:
        patch.setattr(server.ports.files._parts, "_reserve_bytes", 1 << 62)
        seen = health(server)
        assert (seen["status"], services(seen)["storage"]) == ("unhealthy", "unhealthy")
        assert "full" in _detail(seen, "storage")
    assert health(server)["status"] == "healthy"


def test_a_store_that_cannot_be_written_is_unhealthy(make_server: MakeServer) -> None:
    server = make_server()
    blobs = server.ports.settings.data / "files"
    with away(blobs):
        blobs.write_text("a file where the folder was")
        seen = health(server)
        assert services(seen)["storage"] == "unhealthy"
        blobs.unlink()
    assert health(server)["status"] == "healthy"
    assert stored_in(blobs) == []


@pytest.fixture
def own_model(make_server: MakeServer, tmp_path: Path) -> Callable[[], Live]:
    """A server whose default model is a file of its own store."""

    def make() -> Live:
        library = evolve(Settings.from_environment(), models_dir=tmp_path / "models", default_model="ours")
        server = make_server(library=library)
        server.ports.models.add("ours", MICRO_PATH)
        return server

    return make


def test_a_model_that_is_removed_degrades_it(own_model: Callable[[], Live]) -> None:
    server = own_model()
    assert health(server)["services"]["whisper"] == "healthy"
    server.ports.models.remove("ours")
    # The catalogue does not have it either, so nobody could even download it.
    seen = health(server)
    assert (seen["status"], services(seen)["whisper"]) == ("degraded", "unhealthy")
    assert "ours" in _detail(seen, "whisper")
    server.ports.models.add("ours", MICRO_PATH)
    assert health(server)["status"] == "healthy"


def test_a_model_that_can_be_had_but_is_not_here_degrades_it(make_server: MakeServer) -> None:
    seen = health(make_server(library=evolve(Settings.from_environment(), default_model="small")))
    assert (seen["status"], services(seen)["whisper"]) == ("degraded", "degraded")
    assert _detail(seen, "whisper") == "the model small is not on this machine"


def test_a_model_that_is_damaged_is_told(own_model: Callable[[], Live], tmp_path: Path) -> None:
    server = own_model()
    (file,) = (tmp_path / "models").glob("*.bin")
    file.write_bytes(file.read_bytes()[:1000])
    seen = health(server)
    assert (seen["status"], services(seen)["whisper"]) == ("degraded", "unhealthy")


def test_an_engine_that_cannot_start_is_told(make_server: MakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    server = make_server()
    monkeypatch.setenv("WHISPERCORE_PYTHON", "/bin/false")
    seen = health(server)
    assert (seen["status"], services(seen)["whisper"]) == ("degraded", "unhealthy")
    monkeypatch.delenv("WHISPERCORE_PYTHON")
    whisper_probe(server)._outcome = None  # as if the time had passed that a trial holds
    assert health(server)["status"] == "healthy"


class Redis:
    """As much of a Redis as a probe sees."""

    def __init__(self, answer: bytes) -> None:
        self.answer = answer
        self.heard: list[bytes] = []

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1000):
            self.heard.append(data)
            writer.write(self.answer)
        writer.close()


@pytest.fixture
async def redis() -> AsyncIterator[tuple[Redis, int]]:
    made = Redis(b"+PONG\r\n")
    server = await asyncio.start_server(made.talk, "127.0.0.1", 0)
    async with server:
        yield made, server.sockets[0].getsockname()[1]


async def test_a_redis_that_is_configured_counts(make_server: MakeServer, redis: tuple[Redis, int]) -> None:
    there, port = redis
    url = f"redis://:a-secret-word@127.0.0.1:{port}/0"
    server = await asyncio.to_thread(lambda: make_server(redis_url=url, rate_profile="none"))

    async def look() -> Body:
        return await asyncio.to_thread(health, server)

    there.answer = b"+OK\r\n"
    assert (await look())["services"]["redis"] == "unhealthy"
    there.answer = b"+PONG\r\n"
    seen = await look()
    assert (seen["status"], seen["services"]["redis"]) == ("healthy", "healthy")
    assert any(b"a-secret-word" in data for data in there.heard)
    there.answer = b"-WRONGPASS a-secret-word\r\n"
    seen = await look()
    assert (seen["status"], seen["services"]["redis"]) == ("degraded", "unhealthy")
    assert "a-secret-word" not in str(seen)
    there.answer = b"HTTP/1.1 400 Bad Request\r\n"
    assert (await look())["services"]["redis"] == "unhealthy"


def test_a_redis_that_is_not_there_degrades_it(make_server: MakeServer) -> None:
    seen = health(make_server(redis_url="redis://127.0.0.1:1/0", rate_profile="none"))
    assert (seen["status"], seen["services"]["redis"]) == ("degraded", "unhealthy")


def test_health_counts_what_waits_and_runs(make_server: MakeServer, audio: Path) -> None:
    server = make_server(worker=False)
    admin = administrator(server)
    before = health(server)
    admin.job(audio / "clip01-en.wav")
    admin.job(audio / "clip02-en.wav")
    waiting = health(server)
    wanted = ("metrics.active_jobs", "metrics.queue_size")
    assert {k: v for k, v in moved(before, waiting).items() if k in wanted} == {"metrics.queue_size": 2}
    claim = server.run(server.ports.jobs.queue.claim("worker", ("transcribe",)))
    assert claim is not None
    running = health(server)["metrics"]
    assert (running["active_jobs"], running["queue_size"]) == (1, 1)


def test_memory_processors_and_uptime_are_measured(make_server: MakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    server = make_server(worker=False)
    first = health(server)["metrics"]
    assert 0 < first["memory_usage_percent"] <= 100
    machine = psutil.virtual_memory()
    monkeypatch.setattr(psutil, "virtual_memory", lambda: machine._replace(total=1 << 20, available=1 << 19))
    times = psutil.cpu_times()
    busy = times._replace(user=times.user + 1000.0)
    monkeypatch.setattr(psutil, "cpu_times", lambda: busy)
    server.ports.measures.machine._at_s -= 10.0
    second = health(server)["metrics"]
    assert second["memory_usage"] == "50%"
    assert second["cpu_usage_percent"] > 90
    assert second["uptime_s"] > first["uptime_s"]


# ---------------------------------------------------------------- statistics


def test_statistics_of_nothing_are_noughts(make_server: MakeServer) -> None:
    seen = stats(make_server(worker=False))
    assert set(flat({"jobs": seen["jobs"], "storage": seen["storage"]}).values()) == {0}
    assert seen["users"]["total"] == 1  # the administrator
    assert seen["performance"] == {
        "avg_processing_time": "0s",
        "avg_processing_time_s": 0.0,
        "success_rate": 0.0,
        "throughput_per_hour": 0,
    }


def test_each_step_of_a_job_moves_its_figures(make_server: MakeServer, audio: Path) -> None:
    server = make_server(worker=False)
    jobs, admin = server.ports.jobs, administrator(server)
    now = _once_seen(server, 1)

    def then() -> Body:
        nonlocal now
        before, now = now, stats(server)
        return moved(before, now)

    one = admin.job(audio / "clip01-en.wav")
    size_bytes = (audio / "clip01-en.wav").stat().st_size
    assert then() == {
        "jobs.total": 1,
        "jobs.queued": 1,
        "storage.total_files": 1,
        "storage.total_size_bytes": size_bytes,
        "storage.total_size_gb": round(size_bytes / 2**30, 6),
        "storage.avg_file_size_mb": round(size_bytes / 2**20, 3),
    }
    claim = server.run(jobs.queue.claim("worker", ("transcribe",)))
    assert claim is not None
    assert then() == {"jobs.queued": 0, "jobs.processing": 1}
    server.run(claim.complete())
    seen = then()
    assert seen.pop("performance.avg_processing_time_s") >= 0
    seen.pop("performance.avg_processing_time", None)
    assert seen == {
        "jobs.processing": 0,
        "jobs.completed": 1,
        "performance.success_rate": 100.0,
        "performance.throughput_per_hour": 1,
    }
    two = admin.job(audio / "clip02-en.wav")
    then()
    claim = server.run(jobs.queue.claim("worker", ("transcribe",)))
    assert claim is not None
    server.run(claim.fail("engine_crashed", "it crashed", retry=False))
    seen = then()
    assert seen == {"jobs.queued": 0, "jobs.failed": 1, "performance.success_rate": 50.0}
    three = admin.job(audio / "clip03-en.wav")
    then()
    admin.post(f"/api/jobs/{three}/cancel")
    assert then() == {"jobs.queued": 0, "jobs.cancelled": 1}
    for job in (one, two, three):
        assert admin.send("DELETE", f"/api/jobs/{job}").status_code == 200
    then()
    assert set(flat({"jobs": now["jobs"], "storage": now["storage"]}).values()) == {0}


def test_accounts_move_their_figures(make_server: MakeServer) -> None:
    server = make_server(worker=False)
    before = _once_seen(server, 1)
    visitor = registered(server)
    assert moved(before, _once_seen(server, 2)) == {
        "users.total": before["users"]["total"] + 1,
        "users.active_last_24h": before["users"]["active_last_24h"] + 1,
        "users.new_last_7d": before["users"]["new_last_7d"] + 1,
    }
    assert visitor.get("/admin/stats").status_code == 403


def _once_seen(server: Live, active: int) -> Body:
    """Statistics, as soon as that many were seen: that is written a moment after the request."""
    while (seen := stats(server))["users"]["active_last_24h"] != active:
        time.sleep(0.02)
    return seen


def test_statistics_are_those_of_a_moment(make_server: MakeServer, audio: Path) -> None:
    """While jobs come and go, the states still add up."""
    server = make_server(worker=False)
    admin, stop = administrator(server), threading.Event()

    def come_and_go() -> None:
        while not stop.is_set():
            admin.send("DELETE", f"/api/jobs/{admin.job(audio / 'clip01-en.wav')}")

    thread = threading.Thread(target=come_and_go)
    thread.start()
    try:
        for _ in range(20):
            jobs = stats(server)["jobs"]
            assert jobs.pop("total") == sum(jobs.values())
    finally:
        stop.set()
        thread.join()
