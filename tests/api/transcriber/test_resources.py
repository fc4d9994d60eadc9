"""What of the machine is used: each figure is that of its resource."""

from __future__ import annotations

import os
import socket
import sqlite3
import threading
import time
from contextlib import closing
from typing import Any

import psutil
import pytest

from tests.api.conftest import MakeServer
from tests.both_clients import both
from tests.visitor import Visitor, administrator
from whispercore.contract.wire import plain

RESOURCES = ("overview", "cpu", "memory", "storage", "network", "processes", "application")


def look(visitor: Visitor, resource: str) -> dict[str, Any]:
    answer = visitor.get(f"/admin/system/resources/{resource}")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()["data"]
    return found


async def test_through_the_clients(kind: str, admin: Visitor) -> None:
    async with both(kind, admin.server.url, api_key=admin.server.admin_key) as client:
        all_of_it = await client.call(lambda c: c.resources.overview())
        assert (await client.call(lambda c: c.resources.cpu())).cores == all_of_it.cpu.cores
        assert (await client.call(lambda c: c.resources.memory())).total_bytes == all_of_it.memory.total_bytes
        assert (await client.call(lambda c: c.resources.storage())).total_bytes == all_of_it.storage.total_bytes
        assert (await client.call(lambda c: c.resources.network())).rx_bytes >= all_of_it.network.rx_bytes
        assert (await client.call(lambda c: c.resources.processes())).count >= 1
        assert (await client.call(lambda c: c.resources.application())).requests > all_of_it.application.requests


def test_they_are_for_administrators(alice: Visitor, nobody: Visitor) -> None:
    for resource in RESOURCES:
        path = f"/admin/system/resources/{resource}"
        assert (alice.get(path).status_code, nobody.get(path).status_code) == (403, 401)


def test_figures_of_the_machine(make_server: MakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    admin = administrator(make_server(worker=False))
    swap = psutil.swap_memory()._replace(total=50, used=20)
    memory = psutil.virtual_memory()._replace(total=1000, available=400)
    disk = psutil.disk_usage("/")._replace(total=100, used=30, free=70)
    network = psutil.net_io_counters()._replace(bytes_recv=7, bytes_sent=8)
    monkeypatch.setattr(psutil, "net_io_counters", lambda: network)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: memory)
    monkeypatch.setattr(psutil, "swap_memory", lambda: swap)
    monkeypatch.setattr(psutil, "disk_usage", lambda _: disk)
    monkeypatch.setattr(os, "getloadavg", lambda: (1.234, 2.0, 3.0))
    assert look(admin, "memory") == {
        "total_bytes": 1000,
        "used_bytes": 600,
        "available_bytes": 400,
        "usage_percent": 60.0,
        "swap_total_bytes": 50,
        "swap_used_bytes": 20,
        "limited": False,
    }
    storage = look(admin, "storage")
    assert (storage["total_bytes"], storage["free_bytes"], storage["usage_percent"]) == (100, 70, 30.0)
    cpu = look(admin, "cpu")
    assert (cpu["load_1m"], cpu["load_5m"], cpu["load_15m"]) == (1.23, 2.0, 3.0)
    seen = look(admin, "network")
    assert (seen["rx_bytes"], seen["tx_bytes"]) == (7, 8)


def test_processors_that_have_been_busy(make_server: MakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    server = make_server(worker=False)
    times = psutil.cpu_times()
    monkeypatch.setattr(psutil, "cpu_times", lambda: times)
    monkeypatch.setattr(psutil, "cpu_count", lambda: 64)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {5}, raising=False)
    for user_s, idle_s, percent in ((60, 20, 75.0), (10, 90, 10.0)):
        server.ports.measures.machine._at_s -= 10
        look(administrator(server), "cpu")
        times = times._replace(user=times.user + user_s, idle=times.idle + idle_s)
        server.ports.measures.machine._at_s -= 10
        seen = look(administrator(server), "cpu")
        assert (seen["usage_percent"], seen["cores"], seen["machine_cores"]) == (percent, 1, 64)


def test_what_the_process_does_is_seen(make_server: MakeServer) -> None:
    """The server is a thread of this process."""
    admin = administrator(make_server(worker=False))

    def own() -> dict[str, Any]:
        seen = look(admin, "processes")
        assert seen["cpu_s"] == pytest.approx(sum(one["cpu_s"] for one in seen["processes"]), abs=0.1)
        assert seen["memory_bytes"] == sum(one["memory_bytes"] for one in seen["processes"])
        return next(one for one in seen["processes"] if one["pid"] == os.getpid())

    before, spent_s = own(), time.process_time()
    while time.process_time() < spent_s + 0.5:
        pass
    assert own()["cpu_s"] >= before["cpu_s"] + 0.4
    taken = bytes([1]) * (256 << 20)
    assert own()["memory_bytes"] >= before["memory_bytes"] + len(taken) // 2
    stopped, threads = threading.Event(), own()["threads"]
    for _ in range(200):  # others end at the same time
        threading.Thread(target=stopped.wait, daemon=True).start()
    try:
        assert own()["threads"] >= threads + 100
    finally:
        stopped.set()


def test_what_is_written_makes_the_log_and_then_the_database_grow(make_server: MakeServer) -> None:
    server = make_server(worker=False)
    admin, file = administrator(server), server.ports.settings.data / "whispercore.db"
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        before = look(admin, "storage")
        with connection:
            connection.execute("CREATE TABLE more AS SELECT randomblob(200000) AS some")
        written = look(admin, "storage")
        assert written["database_log_bytes"] >= before["database_log_bytes"] + 200_000
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        assert look(admin, "storage")["database_bytes"] >= before["database_bytes"] + 200_000


def test_a_recording_and_a_backup_take_room(make_server: MakeServer, audio: Any) -> None:
    server = make_server(worker=False)
    admin = administrator(server)
    before = look(admin, "storage")
    assert (before["files"], before["backups"], before["backup_bytes"]) == (0, 0, 0)
    admin.job(audio / "clip01-en.wav")
    backup = server.run(_backup(server))
    after = look(admin, "storage")
    assert (after["files"], after["backups"], after["backup_bytes"]) == (1, 1, backup)
    assert after["file_bytes"] == (audio / "clip01-en.wav").stat().st_size
    assert after["database_bytes"] + after["database_log_bytes"] > 0


async def _backup(server: Any) -> int:
    from tests.unit.backup.a_house import ADMIN

    record = await server.ports.backups.create(ADMIN)
    return int(record.size_bytes)


def test_children_are_processes_of_ours(make_server: MakeServer, audio: Any) -> None:
    server = make_server()
    admin = administrator(server)
    before = look(admin, "processes")
    assert os.getpid() in {one["pid"] for one in before["processes"]}
    assert look(admin, "application")["engines_loaded"] == 0
    assert admin.finished(admin.job(audio / "clip01-en.wav", language="en"))["status"] == "completed"
    after = look(admin, "processes")
    assert after["count"] == len(after["processes"]) > before["count"]
    assert look(admin, "application")["engines_loaded"] == 1


def test_requests_and_workers_are_counted(make_server: MakeServer) -> None:
    server = make_server()
    admin = administrator(server)
    first = look(admin, "application")
    admin.get("/nothing")
    second = look(admin, "application")
    assert second["requests"] == first["requests"] + 2
    assert (second["workers"], second["failures"]) == (1, 0)
    assert second["uptime_s"] > first["uptime_s"]
    assert second["started_at"] == first["started_at"]
    assert 1 <= second["database_connections"] <= 5, "a writer, two for transactions, two for queries"


def test_a_request_that_takes_long_is_seen(make_server: MakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    admin = administrator(make_server(worker=False))

    def slow(*arguments: Any) -> Any:
        time.sleep(0.5)
        return plain(*arguments)

    def took_ms() -> float:
        seen = look(admin, "application")
        return float(seen["requests"] * seen["avg_response_time"])

    before = took_ms()
    with monkeypatch.context() as patch:
        patch.setattr("whispercore_server.frame.plain", slow)
        assert admin.get("/live").status_code == 200
    assert took_ms() >= before + 500


def test_a_connection_is_seen(make_server: MakeServer) -> None:
    server = make_server(worker=False)
    admin = administrator(server)
    before = look(admin, "network")
    host, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))):
        assert look(admin, "network")["connections"] > before["connections"]
    with socket.create_server(("127.0.0.1", 0)):
        assert look(admin, "network")["listening"] == before["listening"] + 1
