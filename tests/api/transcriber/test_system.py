"""The performance of the system: measured, kept over restarts, and watched; each figure moves with what it is of."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import psutil
import pytest
from attrs import evolve

from tests.api.conftest import MakeServer
from tests.both_clients import both
from tests.live import Live
from tests.visitor import Visitor, administrator
from whispercore.errors import NotFound
from whispercore.measures.samples import Samples
from whispercore.settings import Settings
from whispercore.testing.making_jobs import transcript

Body = dict[str, Any]
METRICS = {
    "cpu_usage",
    "cpu_cores",
    "memory_used",
    "memory_total",
    "memory_percentage",
    "disk_used",
    "disk_total",
    "disk_percentage",
    "network_rx",
    "network_tx",
    "network_connections",
    "active_jobs",
    "queue_size",
    "error_rate",
    "avg_response_time",
    "throughput",
    "uptime",
}


def data(visitor: Visitor, path: str, **query: str) -> Body:
    answer = visitor.get(f"/admin/system/{path}", params=query)
    assert answer.status_code == 200, answer.text
    body: Body = answer.json()
    assert (body["success"], set(body)) == (True, {"success", "data", "timestamp"})
    found: Body = body["data"]
    return found


@pytest.fixture
def idle(make_server: MakeServer) -> Live:
    return make_server(worker=False)


# ---------------------------------------------------------------- figures


def test_every_documented_figure_is_there(admin: Visitor) -> None:
    assert set(data(admin, "metrics")) >= METRICS


@contextmanager
def machine(monkeypatch: pytest.MonkeyPatch, **figures: Any) -> Iterator[None]:
    """Another machine, as psutil tells of it."""
    with monkeypatch.context() as patch:
        for name, value in figures.items():
            patch.setattr(psutil, name, lambda *_, value=value, **__: value)
        yield


def test_figures_of_the_machine_are_those_of_the_machine(idle: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    admin = administrator(idle)
    memory = psutil.virtual_memory()._replace(total=1000, available=250)
    disk = psutil.disk_usage("/")._replace(total=200, used=90, free=10)
    network = psutil.net_io_counters()._replace(bytes_recv=7, bytes_sent=8)
    with machine(monkeypatch, virtual_memory=memory, disk_usage=disk, net_io_counters=network):
        seen = data(admin, "metrics")
    assert (seen["memory_used"], seen["memory_total"], seen["memory_percentage"]) == (750, 1000, 75.0)
    assert (seen["disk_used"], seen["disk_total"], seen["disk_percentage"]) == (90, 200, 90.0)
    assert (seen["network_rx"], seen["network_tx"]) == (7, 8)
    assert seen["network_connections"] >= 1


def test_jobs_are_counted(idle: Live, audio: Any) -> None:
    admin = administrator(idle)
    admin.job(audio / "clip01-en.wav")
    assert (data(admin, "metrics")["queue_size"], data(admin, "metrics")["active_jobs"]) == (1, 0)
    assert idle.run(idle.ports.jobs.queue.claim("worker", ("transcribe",))) is not None
    assert (data(admin, "metrics")["queue_size"], data(admin, "metrics")["active_jobs"]) == (0, 1)


def fail(server: Live, monkeypatch: pytest.MonkeyPatch, times: int) -> None:
    """Requests that end in a failure of the server."""

    def broken(*_: object) -> None:
        raise RuntimeError("broken")

    with monkeypatch.context() as patch:
        patch.setattr("whispercore_server.frame.plain", broken)
        for _ in range(times):
            assert administrator(server).get("/live").status_code == 500


def test_requests_are_counted_and_failures_are_ours_only(idle: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    admin = administrator(idle)
    before = data(admin, "metrics")
    assert before["error_rate"] == 0
    for _ in range(20):
        assert admin.get("/nothing").status_code == 404
    after = data(admin, "metrics")
    assert after["error_rate"] == 0
    assert after["throughput"] > before["throughput"]
    assert after["avg_response_time"] > 0
    fail(idle, monkeypatch, 22)
    seen = data(admin, "resources/application")
    assert seen["failures"] == 22
    assert seen["error_rate"] == round(100 * 22 / seen["requests"], 2)


# ---------------------------------------------------------------- over time


def test_history_is_what_was_sampled_and_outlives_a_restart(make_server: MakeServer, audio: Any) -> None:
    first = make_server(worker=False)
    admin = administrator(first)
    assert data(admin, "metrics/historical")["points"] == []
    first.run(first.ports.measures.sample())
    admin.job(audio / "clip01-en.wav")
    first.run(first.ports.measures.sample())
    points = data(admin, "metrics/historical", timeRange="6h")["points"]
    assert set(points[-1]) >= METRICS
    assert points[-1]["queue_size"] in (0, 1)
    kept = first.run(_kept(first))
    assert [sample.figures.queue_size for sample in kept] == [0, 1]
    assert kept[1].figures.requests > 0
    second = make_server(worker=False)
    again = data(administrator(second), "metrics/historical", timeRange="6h")["points"]
    assert again == points


async def _kept(server: Live) -> Any:
    return await server.ports.measures.samples.since(server.ports.clock.now() - timedelta(hours=1))


def test_ranges_go_as_far_back_as_they_say(idle: Live) -> None:
    """A week of samples, one in five minutes."""
    admin, ports = administrator(idle), idle.ports
    idle.run(ports.measures.sample())
    (now,) = idle.run(_kept(idle))
    idle.run(_past(idle, now))
    lengths = {}
    for time_range, hours in (("1h", 1), ("6h", 6), ("24h", 24), ("7d", 168)):
        found = data(admin, "metrics/historical", timeRange=time_range)
        lengths[time_range] = len(found["points"])
        assert found["time_range"] == time_range
        assert len(found["points"]) <= hours * 3600 / found["step_s"] + 2
        times = [point["timestamp"] for point in found["points"]]
        assert times == sorted(times)
    assert lengths["1h"] < lengths["6h"] < lengths["24h"]
    assert lengths["7d"] > 300
    for wrong in ("2h", "", "1H", "7d "):
        assert admin.get("/admin/system/metrics/historical", params={"timeRange": wrong}).status_code == 400


async def _past(server: Live, sample: Any) -> None:
    from sqlalchemy import insert

    from whispercore.contract.wire import dumps
    from whispercore.database.tables import samples

    rows = [
        {
            "at": sample.at - timedelta(minutes=5 * number),
            "source": "server",
            "figures": dumps(evolve(sample.figures, requests=number)).decode(),
        }
        for number in range(1, 7 * 24 * 12)
    ]
    async with server.ports.database.write() as tx:
        await tx.execute(insert(samples), rows)


def test_old_samples_go(idle: Live) -> None:
    idle.run(idle.ports.measures.sample())
    (now,) = idle.run(_kept(idle))
    idle.run(_past(idle, evolve(now, at=now.at - timedelta(days=2))))
    assert len(idle.run(_all(idle))) > 2000
    idle.run(idle.ports.measures.sample())
    assert max(len(idle.run(_all(idle))), 0) < 6 * 24 * 12 + 5


async def _all(server: Live) -> Any:
    return await server.ports.measures.samples.since(server.ports.clock.now() - timedelta(days=365))


# ---------------------------------------------------------------- alerts

FULL = psutil.disk_usage("/")._replace(total=100, used=97, free=3)
FULLER = psutil.disk_usage("/")._replace(total=100, used=92, free=8)
EMPTY = psutil.disk_usage("/")._replace(total=100, used=10, free=90)
ROOMY = psutil.virtual_memory()._replace(total=1 << 34, available=1 << 33)


def alerts(visitor: Visitor) -> dict[str, Body]:
    found = data(visitor, "alerts")
    assert (found["critical"], found["warning"]) == tuple(
        sum(one["level"] == level for one in found["alerts"]) for level in ("critical", "warning")
    )
    return {one["id"]: one for one in found["alerts"]}


def test_an_alert_comes_is_seen_and_goes(make_server: MakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    server = make_server()
    admin = administrator(server)
    quiet = {"virtual_memory": ROOMY}
    with machine(monkeypatch, disk_usage=EMPTY, **quiet):
        assert "disk_usage.critical" not in alerts(admin)
        assert admin.post("/admin/system/alerts/disk_usage.critical/acknowledge").status_code == 404
    with machine(monkeypatch, disk_usage=FULL, **quiet):
        found = alerts(admin)["disk_usage.critical"]
        assert (found["level"], found["value"], found["threshold"]) == ("critical", 97.0, 95.0)
        assert found["acknowledged"] is False
        seen = admin.post("/admin/system/alerts/disk_usage.critical/acknowledge").json()["data"]
        assert (seen["acknowledged"], bool(seen["acknowledged_by"])) == (True, True)
        assert alerts(admin)["disk_usage.critical"]["acknowledged_at"] == seen["acknowledged_at"]
        assert admin.post("/admin/system/alerts/disk_usage.critical/acknowledge").status_code == 200
        events = admin.get("/admin/security/audit-logs", params={"event_type": "admin_action"}).json()["events"]
        assert [one["resource_id"] for one in events if one["resource_type"] == "alert"] == ["disk_usage.critical"]
    with machine(monkeypatch, disk_usage=FULLER, **quiet):
        found = alerts(admin)
        assert "disk_usage.critical" not in found
        assert found["disk_usage.warning"]["acknowledged"] is False, "another alert is another matter"
    with machine(monkeypatch, disk_usage=FULL, **quiet):
        assert alerts(admin)["disk_usage.critical"]["acknowledged"] is False, "it came again"


def test_that_it_was_over_is_noticed_between_two_looks(
    make_server: MakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = make_server(worker=False)
    admin = administrator(server)
    with machine(monkeypatch, disk_usage=FULL):
        assert admin.post("/admin/system/alerts/disk_usage.critical/acknowledge").status_code == 200
        assert admin.post("/admin/system/alerts/service_worker.critical/acknowledge").status_code == 200
    with machine(monkeypatch, disk_usage=EMPTY):
        server.run(server.ports.measures.sample())
    with machine(monkeypatch, disk_usage=FULL):
        found = alerts(admin)
        assert found["disk_usage.critical"]["acknowledged"] is False
        assert found["service_worker.critical"]["acknowledged"] is True


def test_since_when_is_told_from_samples(idle: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    admin, measures = administrator(idle), idle.ports.measures
    with machine(monkeypatch, disk_usage=EMPTY):
        idle.run(measures.sample())
    with machine(monkeypatch, disk_usage=FULL):
        for _ in range(3):
            idle.run(measures.sample())
        kept = idle.run(_kept(idle))
        since = alerts(admin)["disk_usage.critical"]["since"]
    assert since == kept[1].at.isoformat().replace("+00:00", "Z")


@pytest.mark.parametrize(
    ("used", "level"), [(84, None), (85, "warning"), (94, "warning"), (95, "critical"), (100, "critical")]
)
def test_limits_of_memory(idle: Live, monkeypatch: pytest.MonkeyPatch, used: int, level: str | None) -> None:
    memory = ROOMY._replace(total=100, available=100 - used)
    with machine(monkeypatch, virtual_memory=memory):
        found = [one["level"] for one in alerts(administrator(idle)).values() if one["name"] == "memory_usage"]
    assert found == ([level] if level else [])


def test_failing_requests_are_an_alert(idle: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    admin = administrator(idle)
    for _ in range(20):
        admin.get("/live")
    assert not {"error_rate.warning", "error_rate.critical"} & set(alerts(admin))
    fail(idle, monkeypatch, 2)
    assert "error_rate.warning" in alerts(admin)
    fail(idle, monkeypatch, 3)
    assert "error_rate.critical" in alerts(admin)


def test_many_waiting_jobs_are_an_alert(idle: Live) -> None:
    admin = administrator(idle)
    idle.run(_queue(idle, 100))
    assert "queue_size.warning" not in alerts(admin)
    idle.run(_queue(idle, 1))
    assert alerts(admin)["queue_size.warning"]["value"] == 101


async def _queue(server: Live, count: int) -> None:
    from whispercore.jobs.job import NewJob

    async with server.ports.database.write() as tx:
        for _ in range(count):
            await server.ports.jobs.enqueue(tx, NewJob(owner_id="ada", kind="transcribe", model="micro"))


def test_busy_processors_are_an_alert_when_they_stay_busy(idle: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    admin, measures = administrator(idle), idle.ports.measures
    spent = psutil.cpu_times()

    def pass_time(**seconds: float) -> None:
        """Processor time goes by, and a sample is taken."""
        nonlocal spent
        spent = spent._replace(**{name: getattr(spent, name) + more for name, more in seconds.items()})
        measures.machine._at_s -= 10
        idle.run(measures.sample())

    monkeypatch.setattr(psutil, "cpu_times", lambda: spent)
    for _ in range(8):
        pass_time(idle=60.0)
    pass_time(user=60.0)
    assert not [one for one in alerts(admin) if one.startswith("cpu_usage")], "a moment is no reason"
    for _ in range(100):
        pass_time(user=60.0)
    assert [one for one in alerts(admin) if one.startswith("cpu_usage")] == ["cpu_usage.critical"]
    for _ in range(100):
        pass_time(idle=60.0)
    assert not [one for one in alerts(admin) if one.startswith("cpu_usage")]


def test_a_service_that_fails_is_an_alert(idle: Live) -> None:
    found = alerts(administrator(idle))["service_worker.critical"]
    assert "no worker is there" in found["message"]


# ---------------------------------------------------------------- services, components, analytics


def test_services_are_asked(make_server: MakeServer) -> None:
    server = make_server(worker=False)
    while True:
        found = {one["name"]: one for one in data(administrator(server), "services")["services"]}
        if found["whisper"]["status"] != "starting":
            break
        time.sleep(0.02)
    assert {name: one["status"] for name, one in found.items()} == {
        "database": "healthy",
        "redis": "not_configured",
        "whisper": "healthy",
        "storage": "healthy",
        "worker": "unhealthy",
    }
    assert all(one["latency_ms"] >= 0 for one in found.values())


def test_components_are_what_there_is(make_server: MakeServer, audio: Any) -> None:
    server = make_server(slots=3)
    admin = administrator(server)
    before = data(admin, "components")
    assert re.fullmatch(r"whispercore \d{4}", before["schema_version"])
    assert [worker["slots"] for worker in before["workers"]] == [3]
    assert (before["models"], before["files"], before["backups"], before["engines_loaded"]) == (["micro"], 0, 0, 0)
    assert before["last_backup_at"] is before["last_sample_at"] is None
    assert admin.finished(admin.job(audio / "clip01-en.wav", language="en"))["status"] == "completed"
    server.run(server.ports.measures.sample())
    server.run(_backup(server))
    after = data(admin, "components")
    assert (after["files"], after["backups"], after["engines_loaded"]) == (1, 1, 1)
    assert after["file_bytes"] == (audio / "clip01-en.wav").stat().st_size
    assert after["last_backup_at"] is not None
    assert after["last_sample_at"] is not None


async def _backup(server: Live) -> None:
    from tests.unit.backup.a_house import ADMIN

    assert (await server.ports.backups.create(ADMIN)).status == "completed"


def test_analytics_are_counted(idle: Live, audio: Any) -> None:
    admin, queue = administrator(idle), idle.ports.jobs.queue
    before = data(admin, "analytics")
    assert (before["jobs"], before["by_model"], before["failures"]) == ([], [], {})
    for number in range(3):
        admin.job(audio / "clip01-en.wav", language="de" if number else "en")
    claim = idle.run(queue.claim("worker", ("transcribe",)))
    assert claim is not None
    idle.run(claim.complete(transcript(3)))
    claim = idle.run(queue.claim("worker", ("transcribe",)))
    assert claim is not None
    idle.run(claim.fail("engine_crashed", "it crashed", retry=False))
    idle.run(idle.ports.measures.sample())
    seen = data(admin, "analytics", timeRange="1h")
    assert {name: sum(step[name] for step in seen["jobs"]) for name in ("created", "completed", "failed")} == {
        "created": 3,
        "completed": 1,
        "failed": 1,
    }
    (model,) = seen["by_model"]
    assert (model["name"], model["jobs"], model["completed"], model["failed"]) == ("micro", 3, 1, 1)
    assert model["audio_duration_s"] == transcript(3).duration_s
    assert sum(one["jobs"] for one in seen["by_language"]) == 3
    assert seen["failures"] == {"engine_crashed": 1}
    assert seen["requests"]["requests"] >= 4


def test_what_could_be_better_is_found(make_server: MakeServer) -> None:
    server = make_server(worker=False, library=evolve(Settings.from_environment(), default_model="small"))
    admin = administrator(server)
    ids = {one["id"] for one in data(admin, "optimization")["findings"]}
    assert ids >= {"no_backup", "no_default_model"}
    server.run(_backup(server))
    server.run(_queue(server, 2))
    findings = data(admin, "optimization")["findings"]
    ids = {one["id"] for one in findings}
    assert ids >= {"no_worker", "backups_beside_data"}
    assert "no_backup" not in ids
    assert [one["severity"] for one in findings] == sorted(
        (one["severity"] for one in findings), key=["high", "medium", "low"].index
    )


# ---------------------------------------------------------------- through the clients, and for whom


async def test_through_the_clients(kind: str, idle: Live) -> None:
    async with both(kind, idle.url, api_key=idle.admin_key) as client:
        figures = await client.call(lambda c: c.system.metrics())
        assert figures.uptime > 0
        assert (await client.call(lambda c: c.system.history(time_range="7d"))).step_s == 1800
        assert (await client.call(lambda c: c.system.alerts())).critical >= 1
        seen = await client.call(lambda c: c.system.acknowledge("service_worker.critical"))
        assert seen.acknowledged
        with pytest.raises(NotFound):
            await client.call(lambda c: c.system.acknowledge("none"))
        assert len((await client.call(lambda c: c.system.services())).services) == 5
        assert (await client.call(lambda c: c.system.analytics(time_range="1h"))).step_s == 60
        assert (await client.call(lambda c: c.system.components())).default_model == "micro"
        assert (await client.call(lambda c: c.system.optimization())).findings
        assert (await client.call(lambda c: c.system.health())).status == "degraded"


def test_an_error_has_no_envelope(admin: Visitor) -> None:
    answer = admin.post("/admin/system/alerts/none/acknowledge")
    assert (answer.status_code, answer.json()["error_code"]) == (404, "NOT_FOUND")
    assert "success" not in answer.json()


def test_it_is_for_administrators(alice: Visitor, nobody: Visitor) -> None:
    for path in ("metrics", "metrics/historical", "alerts", "services", "analytics", "components", "optimization"):
        assert alice.get(f"/admin/system/{path}").status_code == 403
        assert nobody.get(f"/admin/system/{path}").status_code == 401


def test_samples_of_another_process_are_another_history(idle: Live) -> None:
    idle.run(idle.ports.measures.sample())
    other = Samples(idle.ports.database, "another")
    assert idle.run(other.since(idle.ports.clock.now() - timedelta(hours=1))) == []
