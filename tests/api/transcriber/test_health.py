"""What watches a server is told whether it lives and can work."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.api.conftest import MakeServer
from tests.both_clients import Both, both
from tests.live import Live
from tests.visitor import Visitor, stranger


@pytest.fixture
async def watcher(kind: str, server: Live) -> AsyncIterator[Both]:
    """Without any credentials."""
    async with both(kind, server.url) as client:
        yield client


async def test_a_server_that_works_says_so(watcher: Both) -> None:
    assert (await watcher.call(lambda c: c.health.live())).alive
    ready = await watcher.call(lambda c: c.health.ready())
    assert ready.ready
    assert (ready.checks.database, ready.checks.storage, ready.checks.worker) == ("healthy", "healthy", "healthy")


def test_a_server_without_a_worker_is_not_ready(make_server: MakeServer) -> None:
    visitor = stranger(make_server(worker=False))
    answer = visitor.get("/ready")
    assert answer.status_code == 503
    assert answer.json()["ready"] is False
    assert answer.json()["checks"] == {"database": "healthy", "storage": "healthy", "worker": "no worker is there"}
    assert visitor.get("/live").status_code == 200


async def test_a_client_is_told_what_is_wrong(kind: str, make_server: MakeServer) -> None:
    server = make_server(worker=False)
    async with both(kind, server.url, retries=0) as client:
        ready = await client.call(lambda c: c.health.ready())
    assert not ready.ready
    assert ready.checks.worker == "no worker is there"


def test_a_database_that_does_not_answer_is_told(make_server: MakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    server = make_server()

    def broken() -> None:
        raise OSError("the disk is gone")

    monkeypatch.setattr(server.ports.database, "read", broken)
    answer = stranger(server).get("/ready")
    assert answer.status_code == 503
    assert answer.json()["checks"]["database"] == "the disk is gone"


def test_probes_are_open_and_their_answers_are_not_kept(nobody: Visitor, tmp_path: Path) -> None:
    for path in ("/live", "/ready"):
        assert nobody.get(path).status_code == 200
        assert nobody.post(path).status_code == 405
