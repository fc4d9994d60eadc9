"""Jobs under the paths that seeds 002 and 003 share: both find what their document shows."""

from __future__ import annotations

from functools import partial
from itertools import repeat
from operator import methodcaller
from typing import Any

import pytest
from attrs import evolve

from tests.api.conftest import MakeServer
from tests.both_clients import Both
from tests.live import Live
from tests.visitor import Visitor, registered
from whispercore.errors import Conflict, InvalidRequest, NotFound
from whispercore.jobs.job import NewJob
from whispercore_server.plugins.transcriber import PLUGIN as TRANSCRIBER
from whispercore_server.plugins.v1 import PLUGIN as V1


def waiting(visitor: Visitor, name: str = "talk.wav") -> str:
    """A job that no worker does."""
    return visitor.server.run(_enqueued(visitor, name))


async def _enqueued(visitor: Visitor, name: str) -> str:
    ports = visitor.server.ports
    async with ports.database.write() as tx:
        new = NewJob(owner_id=visitor.user_id, kind="waiting", filename=name, model="micro")
        return (await ports.jobs.enqueue(tx, new)).id


def claimed(server: Live, job_id: str) -> Any:
    """A worker's hold of that job."""
    claim = server.run(server.ports.jobs.queue.claim("tests", ("waiting",)))
    assert claim is not None
    assert claim.job.id == job_id
    return claim


async def test_a_completed_job_is_whole(alices: Both, completed: dict[str, Any]) -> None:
    job = await alices.call(lambda c: c.v1.jobs.get(completed["job_id"]))
    assert (job.id, job.job_id, job.type, job.file_name) == (
        completed["job_id"],
        completed["job_id"],
        "transcribe",
        "clip01-en.wav",
    )
    assert (job.status, job.progress, job.retry_count, job.model, job.language) == ("completed", 1.0, 0, "micro", "en")
    assert job.created_at <= job.started_at <= job.completed_at
    assert (job.cancelled_at, job.error, job.failure_reason) == (None, None, None)
    told = await alices.call(lambda c: c.v1.jobs.status(completed["job_id"]))
    assert (told.id, told.status, told.progress) == (completed["job_id"], "completed", 100)
    rows = await alices.all(lambda c: c.v1.jobs.list.each(status="completed", limit=1))
    assert completed["job_id"] in [row.id for row in rows]
    assert {row.progress for row in rows} == {1.0}


async def test_a_job_is_stopped_and_begun_again(client: Both, newcomer: Visitor) -> None:
    job_id = waiting(newcomer)
    assert (await client.call(lambda c: c.v1.jobs.get(job_id))).status == "pending"
    stopped = await client.call(lambda c: c.v1.jobs.cancel(job_id))
    assert (stopped.id, stopped.status) == (job_id, "cancelled")
    assert stopped.cancelled_at == (await client.call(lambda c: c.v1.jobs.get(job_id))).cancelled_at
    with pytest.raises(Conflict):
        await client.call(lambda c: c.v1.jobs.cancel(job_id))
    again = await client.call(lambda c: c.v1.jobs.retry(job_id))
    assert (again.id, again.status, again.retry_count) == (job_id, "pending", 1)
    with pytest.raises(Conflict):
        await client.call(lambda c: c.v1.jobs.retry(job_id))
    await client.call(lambda c: c.v1.jobs.cancel(job_id))


def test_what_a_worker_gives_back_without_having_failed_is_no_retry(make_server: MakeServer) -> None:
    """As when the worker is asked to end, or the job waits for the result of an equal one."""
    owner = registered(make_server(worker=False))
    job_id = waiting(owner)

    def retry_count() -> int:
        count: int = owner.get(f"/api/v1/jobs/{job_id}").json()["retry_count"]
        return count

    owner.server.run(claimed(owner.server, job_id).release())
    claim = claimed(owner.server, job_id)
    assert retry_count() == 0
    owner.server.run(claim.fail("broken", "It is broken.", retry=True))
    assert retry_count() == 1
    assert owner.post(f"/api/v1/jobs/{job_id}/cancel").status_code == 200
    assert owner.post(f"/api/v1/jobs/{job_id}/retry").json()["retry_count"] == 2


def test_retries_are_counted_and_progress_has_two_scales(make_server: MakeServer) -> None:
    owner = registered(make_server(worker=False))
    job_id = waiting(owner)
    claim = claimed(owner.server, job_id)
    owner.server.run(claim.report(stage="transcribing", progress=0.25))
    seen = owner.get(f"/api/v1/jobs/{job_id}").json()
    assert (seen["status"], seen["progress"], seen["current_step"]) == ("processing", 0.25, "transcribing")
    assert owner.get(f"/api/v1/jobs/{job_id}/status").json()["progress"] == 25
    assert owner.get("/api/v1/jobs").json()["jobs"][0]["progress"] == 0.25
    assert owner.post(f"/api/v1/jobs/{job_id}/cancel").status_code == 200
    assert owner.post(f"/api/v1/jobs/{job_id}/retry").json()["retry_count"] == 1


async def test_jobs_are_listed_by_page_and_state(client: Both, newcomer: Visitor) -> None:
    made = [waiting(newcomer, f"{number}.wav") for number in range(3)]
    await client.call(lambda c: c.v1.jobs.cancel(made[1]))
    page = await client.call(lambda c: c.v1.jobs.list(limit=2))
    assert [row.file_name for row in page.jobs] == ["2.wav", "1.wav"]
    assert (page.total, page.limit, page.offset, page.has_more) == (3, 2, 0, True)
    page = await client.call(lambda c: c.v1.jobs.list(limit=2, offset=2))
    assert ([row.id for row in page.jobs], page.has_more) == ([made[0]], False)
    assert [row.id for row in await client.all(lambda c: c.v1.jobs.list.each(limit=1))] == made[::-1]
    assert [row.id for row in await client.all(lambda c: c.v1.jobs.list.each(status="cancelled"))] == [made[1]]
    with pytest.raises(InvalidRequest):
        await client.call(lambda c: c.v1.jobs.list(limit=101))
    for job_id in (made[0], made[2]):
        assert newcomer.post(f"/api/v1/jobs/{job_id}/cancel").status_code == 200


async def test_somebody_elses_job_is_none(client: Both, completed: dict[str, Any]) -> None:
    for call in map(methodcaller, ("get", "status", "cancel", "retry"), repeat(completed["job_id"])):
        with pytest.raises(NotFound):
            await client.call(partial(_of_jobs, call))


def _of_jobs(call: Any, client: Any) -> Any:
    return call(client.v1.jobs)


# ---------------------------------------------------------------- two documents in one answer


def test_an_answer_is_bare_and_enveloped(alice: Visitor, completed: dict[str, Any]) -> None:
    job_id = completed["job_id"]
    for path in ("/api/v1/jobs", f"/api/v1/jobs/{job_id}", f"/api/v1/jobs/{job_id}/status"):
        answer = alice.get(path)
        body = answer.json()
        assert body["success"] is True
        assert body["request_id"] == answer.headers["X-Request-ID"]
        assert body["data"]
        assert {name: body[name] for name in body["data"]} == body["data"]


ERRORS = {
    "GET /api/v1/jobs?status=queued": (400, "VALIDATION_ERROR"),
    "GET /api/v1/jobs/none": (404, "NOT_FOUND"),
    "GET /api/v1/nothing": (404, "NOT_FOUND"),
    "PATCH /api/v1/jobs": (405, "METHOD_NOT_ALLOWED"),
    "POST /api/v1/jobs/{job_id}/cancel": (409, "CONFLICT"),
}


@pytest.mark.parametrize("asked", ERRORS)
def test_an_error_has_the_fields_of_both(asked: str, alice: Visitor, completed: dict[str, Any]) -> None:
    answer = alice.send(*asked.format(job_id=completed["job_id"]).split())
    body = answer.json()
    assert (answer.status_code, body["code"]) == ERRORS[asked]
    assert body["message"] == body["error"] != ""
    assert isinstance(body["details"], dict)
    assert body["request_id"] == answer.headers["X-Request-ID"]
    assert body["timestamp"].endswith("Z")


def test_what_is_below_another_api_is_answered_in_its_dialect(alice: Visitor) -> None:
    def told(path: str) -> set[str]:
        answer = alice.send("PATCH", path)
        assert answer.status_code in (404, 405)
        return set(answer.json())

    assert "error_code" in told("/api/v1/batch/none/nothing/at/all")
    assert told("/api/v1/transcriptions/none/nothing") == {"code", "message", "details"}
    assert {"code", "error", "timestamp"} <= told("/api/v1/nothing")


def test_the_body_does_not_depend_on_other_plugins(make_server: MakeServer, alice: Visitor) -> None:
    alone = registered(make_server(worker=False, plugins=(TRANSCRIBER, V1)))
    job_id = waiting(alone)
    here, there = alice.get("/api/v1/jobs"), alone.get("/api/v1/jobs")
    assert here.json().keys() == there.json().keys()
    assert alone.get(f"/api/v1/jobs/{job_id}").json()["success"] is True


def test_who_waits_as_in_seed_003_finds_the_state(alice: Visitor, completed: dict[str, Any]) -> None:
    status = alice.get(f"/api/v1/jobs/{completed['job_id']}/status").json()
    assert (status["status"], status["progress"], status.get("error")) == ("completed", 100, None)


def test_an_api_key_is_as_good_as_a_token(newcomer: Visitor) -> None:
    made = newcomer.post("/api/api-keys/", json={"name": "k", "permissions": ["jobs:read"]}).json()["api_key"]
    job_id = waiting(newcomer)
    for headers in ({"X-API-Key": made}, {"Authorization": f"Bearer {made}"}):
        program = evolve(newcomer, headers=headers)
        assert program.get(f"/api/v1/jobs/{job_id}").status_code == 200
        refused = program.post(f"/api/v1/jobs/{job_id}/cancel")
        assert (refused.status_code, refused.json()["code"]) == (403, "NOT_PERMITTED")
    newcomer.post(f"/api/v1/jobs/{job_id}/cancel")
