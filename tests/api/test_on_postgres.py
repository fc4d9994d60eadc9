"""A whole server on PostgreSQL: a life story through the main doors, and all that can be read once."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import make_url, select

from tests.api.test_two_users import ABOUT_ALL, ABOUT_ONE, ask, wanted
from tests.live import Live, live, settings_for
from tests.minimal import ids_in, options
from tests.populated import Populated
from tests.postgres import Postgres
from tests.visitor import administrator, registered
from whispercore.clock import SystemClock
from whispercore.database.tables import files, sessions
from whispercore_server.directory import entries
from whispercore_server.plugin import discovered

ADMINISTRATORS = [
    one.operation
    for one in entries(discovered())
    if one.operation.scope == "admin" and one.operation.method == "GET" and not ids_in(one.operation.path)
]


class Ahead(SystemClock):
    """Of a machine whose clock is wrong."""

    def now(self) -> datetime:
        return super().now() + timedelta(days=2)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, postgres: Postgres, postgres_template: str) -> Iterator[Live]:
    name = postgres.new(postgres_template)
    settings = settings_for(tmp_path_factory.mktemp("server"), database_url=postgres.url(name))
    with live(settings, clock=Ahead()) as server:
        yield server
    postgres.drop(name)


def test_a_recording_is_sent_transcribed_corrected_tagged_shared_and_found(server: Live, audio: Path) -> None:
    ada, eve = registered(server), registered(server)
    job = ada.finished(ada.job(audio / "clip01-en.wav", language="en", words="true"))
    assert job["status"] == "completed", job
    path = f"/api/transcripts/{job['job_id']}"
    first = {"op": "text", "segment": 0, "text": "Ein Xylophon klingt"}
    edited = ada.send("PATCH", path, json={"version": 1, "operations": [first]})
    assert edited.status_code == 200, edited.text
    assert ada.send("PUT", f"{path}/tags", json={"tags": ["Musik"]}).status_code == 200
    (row,) = ada.get("/api/jobs/?tag=musik&status=completed").json()["jobs"]
    assert (row["job_id"], row["tags"]) == (job["job_id"], ["Musik"])
    asked = {"query": "ein xylo* klingt -geige"}
    (found,) = ada.post("/api/search/", json=asked).json()["results"]
    assert found["matches"][0]["highlighted"] == "<mark>Ein</mark> <mark>Xylophon</mark> <mark>klingt</mark>"
    assert eve.post("/api/search/", json=asked).json()["total"] == 0
    assert eve.get(path).status_code == 404
    assert ada.post(f"{path}/shares", json={}).status_code == 201
    assert ada.send("DELETE", f"/api/jobs/{job['job_id']}").status_code == 200
    assert ada.get("/api/jobs/").json()["total"] == 0


def test_the_clock_of_its_machine_is_no_matter(server: Live, audio: Path) -> None:
    ada = registered(server)
    ada.finished(ada.job(audio / "clip01-en.wav"))
    of_hers = ((files, files.c.owner_id), (sessions, sessions.c.user_id))
    noted = [select(table.c.created_at).where(owner == ada.user_id) for table, owner in of_hers]
    times = [row[0] for one in noted for row in server.run(server.ports.database.rows(one))]
    assert len(times) == 2
    assert all(abs(one - SystemClock().now()) < timedelta(days=1) for one in times)


def test_while_another_takes_its_place_all_is_to_be_asked_again(server: Live, postgres: Postgres, audio: Path) -> None:
    """Connections are cut, and whoever connects again finds a standby. No job is lost meanwhile."""
    ada, database = registered(server), make_url(server.ports.settings.database_url).database
    jobs = [ada.job(audio / "clip01-en.wav")]
    with postgres.connect() as connection:
        connection.execute(f"ALTER DATABASE {database} SET default_transaction_read_only = on".encode())
        cut = "SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity WHERE datname = %s"
        connection.execute(cut, (database,)).fetchall()
        while (answer := ada.upload(audio / "clip01-en.wav")).status_code == 201:  # one was just connecting
            jobs.append(answer.json()["job_id"])
        for refused in (answer, ada.get("/api/jobs/"), ada.get(f"/api/progress/{jobs[0]}")):
            assert (refused.status_code, refused.json()["error_code"]) == (503, "SERVICE_UNAVAILABLE"), refused.text
            assert int(refused.headers["Retry-After"]) > 0
        connection.execute(f"ALTER DATABASE {database} RESET default_transaction_read_only".encode())
    while ada.get("/api/jobs/").status_code == 503:
        pass
    assert {ada.finished(job)["status"] for job in jobs} == {"completed"}
    assert ada.get("/api/jobs/").json()["total"] == len(jobs)


def test_nothing_that_is_read_fails(server: Live) -> None:
    somebody, admin = Populated.user(server), administrator(server)
    failed = []
    for operation in (one for one in (*ABOUT_ALL, *ABOUT_ONE) if one.method == "GET"):
        ids, sent = wanted(somebody, operation)
        answer = ask(somebody.visitor, operation, ids, sent)
        if answer.status_code >= 500:
            failed.append((operation.name, answer.status_code))
    for operation in ADMINISTRATORS:
        answer = ask(admin, operation, {}, options(operation))
        if answer.status_code >= 500:
            failed.append((operation.name, answer.status_code))
    assert failed == []
