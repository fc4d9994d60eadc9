"""Figures for Prometheus: readable for it, and each moves with what it is of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.api.conftest import MakeServer
from tests.both_clients import both
from tests.live import Live
from tests.visitor import Visitor, administrator, stranger
from whispercore.errors import NotFound

DOCUMENTED = {
    "job_processing_duration_seconds",
    "job_queue_size",
    "job_retry_count",
    "storage_bytes",
    "db_connections",
    "upload_duration_seconds",
    "upload_bytes_total",
    "upload_errors_total",
}
"""Names that other seeds promise."""

Series = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def scrape(visitor: Visitor) -> Series:
    answer = visitor.get("/metrics")
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert answer.headers["Content-Disposition"].startswith("inline")
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def of(series: Series, name: str, **labels: str) -> float:
    return series.get((name, tuple(sorted(labels.items()))), 0.0)


@pytest.fixture
def idle(make_server: MakeServer) -> Live:
    return make_server(worker=False)


def test_every_documented_name_is_there(idle: Live) -> None:
    text = stranger(idle).get("/metrics").text
    for name in DOCUMENTED:
        assert f"\n# TYPE {name} " in f"\n{text}", name
    assert "_created" not in text


def test_everybody_may_read_it_unless_it_is_closed(idle: Live, make_server: MakeServer) -> None:
    assert stranger(idle).get("/metrics").status_code == 200
    assert stranger(idle).post("/metrics").status_code == 405
    closed = make_server(worker=False, metrics=False)
    for visitor in (stranger(closed), administrator(closed)):
        answer = visitor.get("/metrics")
        assert (answer.status_code, answer.json()["error_code"]) == (404, "NOT_FOUND")


async def test_through_the_clients(kind: str, make_server: MakeServer) -> None:
    server = make_server(worker=False)
    async with both(kind, server.url) as client:
        text = await client.download(lambda c: c.metrics.scrape(), lambda file: file.read())
        assert b"\njob_queue_size 0.0\n" in text
    closed = make_server(worker=False, metrics=False)
    async with both(kind, closed.url) as client:
        with pytest.raises(NotFound):
            await client.download(lambda c: c.metrics.scrape(), lambda file: file.read())


def test_it_tells_nothing_of_persons(idle: Live, audio: Path) -> None:
    admin = administrator(idle)
    job = admin.job(audio / "clip01-en.wav")
    text = stranger(idle).get("/metrics").text
    for secret in (idle.admin_key, job, "clip01", "admin@"):
        assert secret not in text


def test_requests_are_counted_by_endpoint_and_status(idle: Live) -> None:
    admin = administrator(idle)
    before = scrape(admin)
    for _ in range(3):
        admin.get("/live")
    for path in ("/nothing", "/nothing/else", "/<script>"):
        admin.get(path)
    stranger(idle).get("/admin/stats")
    admin.send("QUERY", "/live")
    after = scrape(admin)

    def more(**labels: str) -> float:
        return of(after, "http_requests_total", **labels) - of(before, "http_requests_total", **labels)

    assert more(operation="health.live", method="GET", status="200") == 3
    assert more(operation="", method="GET", status="404") == 3
    assert more(operation="installation.stats", method="GET", status="401") == 1
    assert more(operation="metrics.scrape", method="GET", status="200") == 1
    assert {dict(labels)["method"] for name, labels in after if name == "http_requests_total"} <= {"GET", "other"}
    count = of(after, "http_request_duration_seconds_count", operation="health.live", status="2xx")
    assert count == 3


def test_strangers_cannot_make_series_without_end(idle: Live) -> None:
    admin = administrator(idle)
    for number in range(50):
        admin.send(f"VERB{number}", f"/path/{number}")
    assert len([name for name, _ in scrape(admin) if name == "http_requests_total"]) < 10


def test_a_job_moves_its_figures(idle: Live, audio: Path) -> None:
    admin, queue = administrator(idle), idle.ports.jobs.queue
    admin.job(audio / "clip01-en.wav")
    waiting = scrape(admin)
    assert (of(waiting, "job_queue_size"), of(waiting, "jobs", state="queued")) == (1, 1)
    assert of(waiting, "storage_bytes", kind="files") == (audio / "clip01-en.wav").stat().st_size
    claim = idle.run(queue.claim("worker", ("transcribe",)))
    assert claim is not None
    running = scrape(admin)
    assert (of(running, "job_queue_size"), of(running, "jobs", state="processing")) == (0, 1)
    idle.run(claim.complete())
    done = scrape(admin)
    assert (of(done, "jobs", state="completed"), of(done, "jobs", state="processing")) == (1, 0)
    labels = {"kind": "transcribe", "model": "micro"}
    assert of(done, "job_processing_duration_seconds_count", **labels) == 1
    assert of(done, "jobs_ended_total", kind="transcribe", state="completed") == 1
    again = scrape(admin)
    assert of(again, "job_processing_duration_seconds_count", **labels) == 1, "each job counts once"


def test_failed_attempts_are_counted(idle: Live, audio: Path) -> None:
    admin, queue = administrator(idle), idle.ports.jobs.queue
    admin.job(audio / "clip01-en.wav")
    assert of(scrape(admin), "job_retry_count") == 0
    claim = idle.run(queue.claim("worker", ("transcribe",)))
    assert claim is not None
    idle.run(claim.fail("engine_crashed", "it crashed", retry=True))
    seen = scrape(admin)
    assert (of(seen, "job_retry_count"), of(seen, "jobs_ended_total", kind="transcribe", state="failed")) == (1, 0)


def test_uploads_are_counted(idle: Live, audio: Path) -> None:
    admin = administrator(idle)
    before = scrape(admin)
    admin.job(audio / "clip01-en.wav")
    after = scrape(admin)
    size = (audio / "clip01-en.wav").stat().st_size
    assert of(after, "upload_bytes_total") - of(before, "upload_bytes_total") == size
    assert of(after, "upload_duration_seconds_count") == 1
    assert of(after, "upload_errors_total") == 0
    assert admin.post("/api/jobs/", files={"file": ("a.txt", b"no sound")}).status_code == 415
    refused = scrape(admin)
    assert (of(refused, "upload_errors_total"), of(refused, "upload_duration_seconds_count")) == (1, 1)


def test_levels_are_those_of_now(make_server: MakeServer, audio: Any) -> None:
    server = make_server()
    admin = administrator(server)
    before = scrape(admin)
    assert (of(before, "workers"), of(before, "engines_loaded")) == (1, 0)
    assert of(before, "db_connections") >= 1
    assert of(before, "storage_bytes", kind="free") > 0
    assert admin.finished(admin.job(audio / "clip01-en.wav", language="en"))["status"] == "completed"
    after = scrape(admin)
    assert of(after, "engines_loaded") == 1
    assert of(after, "uptime_seconds") > of(before, "uptime_seconds")
    factors = [labels for name, labels in after if name == "engine_seconds_per_sound_second"]
    assert [dict(labels)["model"] for labels in factors] == ["micro"]
