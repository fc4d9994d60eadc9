"""Many recordings at once."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.api.conftest import MakeServer
from tests.batches import over, stored, zipped
from tests.both_clients import Both, both
from tests.file_server import file_server
from tests.live import Live
from tests.speech import truth
from tests.visitor import Visitor, registered
from whispercore.api.transcriber.batches import BatchDetail
from whispercore.errors import Conflict, InvalidRequest, KeyReused, NotFound, QuotaExceeded
from whispercore.jobs.claim import Claim
from whispercore.people.auth import Credentials
from whispercore.people.caller import Caller
from whispercore_client import Client


def caller_of(visitor: Visitor) -> Caller:
    """As the server knows him."""
    server = visitor.server
    return server.run(server.ports.auth.authenticate(Credentials(bearer=visitor.token, api_key=None)))


async def test_a_failure_of_one_does_not_stop_the_others(client: Both, audio: Path) -> None:
    made: BatchDetail = await client.call(
        lambda c: c.batches.create(
            files=[audio / "clip01-en.wav", b"these are no recording", audio / "clip02-en.wav"],
            model="micro",
            language="en",
            batch_name="interviews",
            description="of May",
        )
    )
    assert (made.batch_name, made.description, made.total_files, made.model) == ("interviews", "of May", 3, "micro")
    assert [one.filename for one in made.files] == ["clip01-en.wav", "upload", "clip02-en.wav"]
    done = await over(client, made.batch_id)
    assert (done.status, done.successful_files, done.failed_files, done.progress_percentage) == ("completed", 2, 1, 100)
    assert [one.status for one in done.files] == ["completed", "failed", "completed"]
    assert done.files[1].failure_reason == "not_media"
    for one in (done.files[0], done.files[2]):
        job = await client.call(lambda c: c.jobs.get(one.job_id))  # noqa: B023 (called at once)
        assert job.transcript is not None
        assert job.transcript.text == truth()[one.filename]["text"]
    summary = await client.call(lambda c: c.batches.summary())
    assert (summary.total_batches, summary.total_files, summary.successful_files) == (1, 3, 2)
    page = await client.call(lambda c: c.batches.list())
    assert [row.batch_id for row in page.batches] == [made.batch_id]


async def test_no_more_are_in_work_than_wanted(make_server: MakeServer, audio: Path, kind: str) -> None:
    server = make_server(worker=False, reuse_results=False)
    ann = registered(server)
    async with both(kind, server.url, token=ann.token) as client:
        made = await client.call(
            lambda c: c.batches.create(
                files=[audio / "clip01-en.wav"] * 4, model="micro", max_parallel_jobs=2, auto_start=False
            )
        )
        assert made.status == "pending"

        async def claimed() -> str | None:
            claim = await server.ports.jobs.queue.claim("w", ["transcribe"])
            return claim.job.id if claim is not None else None

        ids = [one.job_id for one in made.files]
        assert server.run(claimed()) is None
        assert (await client.call(lambda c: c.batches.start(made.batch_id))).message == "Batch started"
        with pytest.raises(Conflict):
            await client.call(lambda c: c.batches.start(made.batch_id))
        assert [server.run(claimed()) for _ in range(3)] == [ids[0], ids[1], None]
        await client.call(lambda c: c.jobs.cancel(ids[0]))
        assert [server.run(claimed()) for _ in range(2)] == [ids[2], None]
        await client.call(lambda c: c.jobs.delete(ids[1]))
        assert [server.run(claimed()) for _ in range(2)] == [ids[3], None]
        assert (await client.call(lambda c: c.batches.cancel(made.batch_id))).status == "cancelled"
        seen = await client.call(lambda c: c.batches.get(made.batch_id))
        assert [one.status for one in seen.files] == ["cancelled", "deleted", "cancelled", "cancelled"]
        with pytest.raises(Conflict):
            await client.call(lambda c: c.batches.cancel(made.batch_id))


def in_turn(server: Live, number: int) -> list[str | None]:
    """The next jobs that a worker takes."""

    async def taken() -> list[str | None]:
        claims = [await server.ports.jobs.queue.claim("w", ["transcribe"]) for _ in range(number)]
        return [claim.job.id if claim is not None else None for claim in claims]

    return server.run(taken())


def test_who_is_tried_again_waits_for_the_batch_too(make_server: MakeServer, audio: Path) -> None:
    server = make_server(worker=False, reuse_results=False)
    ann = registered(server)
    form = {"model": "micro", "auto_start": "false", "max_parallel_jobs": "1"}
    files = [("files[]", (audio / "clip01-en.wav").read_bytes())] * 2
    batch = ann.post("/api/v1/batch/upload", data=form, files=files).json()
    path, (first, second) = f"/api/v1/batch/{batch['batch_id']}", [one["job_id"] for one in batch["files"]]

    def again(job_id: str) -> None:
        for act in ("cancel", "retry"):
            assert ann.post(f"/api/jobs/{job_id}/{act}").status_code == 200

    again(first)
    assert in_turn(server, 1) == [None]
    assert ann.post(f"{path}/start").status_code == 200
    assert in_turn(server, 2) == [first, None]
    again(second)
    assert in_turn(server, 1) == [None]
    assert ann.post(f"{path}/cancel").status_code == 200
    assert ann.post(f"/api/jobs/{second}/retry").status_code == 200
    assert in_turn(server, 1) == [second], "there is no batch to wait for any more"


def test_a_full_queue_begins_no_batch_and_tries_nothing_again(make_server: MakeServer, audio: Path) -> None:
    server = make_server(worker=False, max_queue=3, reuse_results=False)
    ann, bob = registered(server), registered(server)
    clip = audio / "clip01-en.wav"
    form = {"model": "micro", "auto_start": "false", "max_parallel_jobs": "3"}
    files = [("files[]", clip.read_bytes())] * 3
    one, other = [ann.post("/api/v1/batch/upload", data=form, files=files).json() for _ in range(2)]
    again, failed = ann.job(clip), bob.job(clip)
    for who, job_id in ((ann, again), (bob, failed)):
        assert who.post(f"/api/jobs/{job_id}/cancel").status_code == 200
    bobs = [bob.job(clip) for _ in range(2)]
    assert ann.post(f"/api/v1/batch/{one['batch_id']}/start").status_code == 200, "there is room for one of it"
    for path in (f"v1/batch/{other['batch_id']}/start", f"jobs/{again}/retry", f"v1/jobs/{again}/retry"):
        refused = ann.post(f"/api/{path}")
        assert refused.status_code == 503
        assert int(refused.headers["Retry-After"]) > 0
    assert ann.get(f"/api/v1/batch/{other['batch_id']}").json()["status"] == "pending"
    assert ann.get(f"/api/jobs/{again}").json()["status"] == "cancelled"
    first = one["files"][0]["job_id"]
    assert set(in_turn(server, 4)) == {*bobs, first, None}
    assert bob.post(f"/api/jobs/{failed}/retry").status_code == 200
    assert ann.post(f"/api/jobs/{again}/retry").status_code == 200
    bobs = [bob.job(clip)]
    assert ann.post(f"/api/jobs/{first}/cancel").status_code == 200
    follow = {one["files"][number]["job_id"] for number in (1, 2)}
    assert set(in_turn(server, 6)) == {failed, again, *bobs, *follow, None}, "what has begun goes on in a full queue"


def test_what_is_held_is_in_nobodys_way(make_server: MakeServer, audio: Path) -> None:
    server = make_server(worker=False, max_queue=5)
    ann, bob = registered(server), registered(server)
    clip = audio / "clip01-en.wav"
    form = {"model": "micro", "auto_start": "false", "max_parallel_jobs": "2"}
    files = [("files[]", clip.read_bytes())] * 6
    batch = ann.post("/api/v1/batch/upload", data=form, files=files).json()
    bobs = [bob.job(clip) for _ in range(2)]
    anns = ann.job(clip)
    assert in_turn(server, 4) == [bobs[0], anns, bobs[1], None], "hers is not behind all that she holds"
    bobs = [bob.job(clip) for _ in range(2)]
    assert ann.post(f"/api/v1/batch/{batch['batch_id']}/start").status_code == 200
    first, second = [one["job_id"] for one in batch["files"][:2]]
    # Nobody has looked at the first one of the batch, so it is taken for longer than both of his.
    assert in_turn(server, 5) == [first, *bobs, second, None]


def test_priority_decides_between_batches_and_place_within_one(make_server: MakeServer, audio: Path) -> None:
    server = make_server(worker=False, reuse_results=False)
    ann, bob = registered(server), registered(server)
    clip = audio / "clip01-en.wav"

    def batch(who: Visitor, priority: str, most: int) -> list[str]:
        form = {"model": "micro", "priority": priority, "max_parallel_jobs": f"{most}"}
        files = [("files[]", clip.read_bytes())] * 3
        made = who.post("/api/v1/batch/upload", data=form, files=files).json()
        assert made["priority"] == priority
        return [one["job_id"] for one in made["files"]]

    low, alone = batch(ann, "low", 2), ann.job(clip)
    urgent, high = batch(bob, "urgent", 3), batch(ann, "high", 1)
    assert in_turn(server, 8) == [*urgent, high[0], alone, low[0], low[1], None], "what came last goes first"
    for its_id in (low[0], high[0]):
        assert ann.post(f"/api/jobs/{its_id}/cancel").status_code == 200
    assert in_turn(server, 3) == [high[1], low[2], None], "also what was held until now"


async def test_deleting_a_batch_deletes_all_of_it(client: Both, newcomer: Visitor, audio: Path) -> None:
    before = stored(newcomer)
    made = await client.call(lambda c: c.batches.create(files=[audio / "clip01-en.wav"] * 2, model="micro"))
    await over(client, made.batch_id)
    assert stored(newcomer) > before
    await client.call(lambda c: c.batches.delete(made.batch_id))
    with pytest.raises(NotFound):
        await client.call(lambda c: c.batches.get(made.batch_id))
    assert newcomer.get("/api/jobs/").json()["total"] == 0
    assert stored(newcomer) == before


async def test_a_server_that_dies_while_it_deletes_a_batch(client: Both, newcomer: Visitor, audio: Path) -> None:
    before, ports = stored(newcomer), newcomer.server.ports
    made = await client.call(
        lambda c: c.batches.create(files=[audio / "clip01-en.wav"] * 2, model="micro", auto_start=False)
    )
    newcomer.server.run(ports.batches.wind_up(made.batch_id, caller_of(newcomer)))
    await client.call(lambda c: c.jobs.delete(made.files[0].job_id))
    left = await client.call(lambda c: c.batches.get(made.batch_id))
    assert ([one.status for one in left.files], left.status) == (["deleted", "queued"], "cancelled")
    await client.call(lambda c: c.batches.delete(made.batch_id))
    assert newcomer.get("/api/jobs/").json()["total"] == 0
    assert stored(newcomer) == before


async def test_a_server_that_dies_while_it_cancels_a_batch(client: Both, newcomer: Visitor, audio: Path) -> None:
    made = await client.call(
        lambda c: c.batches.create(files=[audio / "clip01-en.wav"] * 2, model="micro", auto_start=False)
    )
    newcomer.server.run(newcomer.server.ports.batches.stop(made.batch_id, caller_of(newcomer)))
    await client.call(lambda c: c.batches.cancel(made.batch_id))
    seen = await client.call(lambda c: c.batches.get(made.batch_id))
    assert [one.status for one in seen.files] == ["cancelled", "cancelled"]


async def test_a_batch_that_is_sent_again(client: Both, newcomer: Visitor, audio: Path) -> None:
    async def send(name: str) -> str:
        made = await client.call(
            lambda c: c.batches.create(files=[audio / name], model="micro", idempotency_key="monday")
        )
        return str(made.batch_id)

    first = await send("clip01-en.wav")
    assert await send("clip01-en.wav") == first
    with pytest.raises(KeyReused):
        await send("clip02-en.wav")
    sent = await client.call(lambda c: c.upload_file(audio / "clip02-en.wav"))
    with pytest.raises(KeyReused):
        await client.call(
            lambda c: c.batches.create(uploads=[sent.session_id], model="micro", idempotency_key="monday")
        )
    assert (await client.call(lambda c: c.chunked_uploads.status(sent.session_id))).status == "active"
    await over(client, first)
    assert newcomer.get("/api/jobs/").json()["total"] == 1


async def test_what_is_asked_for_another_way_is_another_batch(client: Both) -> None:
    await client.call(lambda c: c.batches.create(urls=["here"], model="micro", idempotency_key="k"))
    with pytest.raises(KeyReused):
        await client.call(lambda c: c.batches.create(uploads=["here"], model="micro", idempotency_key="k"))


async def test_many_at_once_make_one_batch(newcomer: Visitor, audio: Path) -> None:
    before = stored(newcomer)
    clip = (audio / "clip01-en.wav").read_bytes()

    def send() -> tuple[int, str, bool]:
        answer = newcomer.post(
            "/api/v1/batch/upload",
            data={"model": "micro", "auto_start": "false"},
            files={"archive": zipped({"a.wav": clip})},
            headers={"Idempotency-Key": "at once"},
        )
        return answer.status_code, answer.json()["batch_id"], answer.headers.get("Idempotent-Replayed") == "true"

    answers = await asyncio.gather(*(asyncio.to_thread(send) for _ in range(4)))
    assert {status for status, _, _ in answers} == {201}
    assert len({batch for _, batch, _ in answers}) == 1
    assert sorted(repeated for _, _, repeated in answers) == [False, True, True, True]
    assert newcomer.get("/api/jobs/").json()["total"] == 1
    assert newcomer.send("DELETE", f"/api/v1/batch/{answers[0][1]}").status_code == 200
    assert stored(newcomer) == before  # nothing of the others is left either


async def test_started_twice_at_once_it_begins_once(make_server: MakeServer, audio: Path) -> None:
    server = make_server(worker=False)
    ann = registered(server)
    form = {"model": "micro", "auto_start": "false", "max_parallel_jobs": "1"}
    files = [("files[]", (audio / name).read_bytes()) for name in ("clip01-en.wav", "clip02-en.wav")]
    batch = ann.post("/api/v1/batch/upload", data=form, files=files).json()["batch_id"]
    paths = [f"/api/v1/batch/{batch}/start"] * 4
    answers = await asyncio.gather(*(asyncio.to_thread(ann.post, path) for path in paths))
    assert sorted(one.status_code for one in answers) == [200, 409, 409, 409]
    claims = [server.run(server.ports.jobs.queue.claim("w", ["transcribe"])) for _ in range(2)]
    assert claims[0] is not None
    assert claims[1] is None


@pytest.fixture
def elsewhere(audio: Path) -> Iterator[str]:
    with file_server(audio) as url:
        yield url


async def test_from_addresses(make_server: MakeServer, elsewhere: str, kind: str) -> None:
    server = make_server(allow_internal_addresses=True)
    async with both(kind, server.url, token=registered(server).token) as client:
        urls = [f"{elsewhere}/clip01-en.wav", f"{elsewhere}/none.wav", "ftp://example.com/a.wav"]
        made: BatchDetail = await client.call(lambda c: c.batches.create(urls=urls, model="micro", language="en"))
        done = await over(client, made.batch_id)
        assert [(one.status, one.failure_reason) for one in done.files] == [
            ("completed", None),
            ("failed", "fetch_failed"),
            ("failed", "invalid_option"),
        ]


async def test_nobody_stores_more_than_his_share(
    make_server: MakeServer, elsewhere: str, audio: Path, kind: str
) -> None:
    server = make_server(user_quota_mb=1, allow_internal_addresses=True)
    ann = registered(server)
    async with both(kind, server.url, token=ann.token) as client:
        archive = zipped({"long.wav": bytes(2 << 20)})
        with pytest.raises(QuotaExceeded):
            await client.call(lambda c: c.batches.create(archive=archive, model="micro"))
        assert stored(ann) == 0
        made = await client.call(lambda c: c.batches.create(urls=[f"{elsewhere}/jfk.wav"] * 3, model="micro"))
        done = await over(client, made.batch_id)
    assert 2 * (audio / "jfk.wav").stat().st_size < 1 << 20 < 3 * (audio / "jfk.wav").stat().st_size
    assert sorted((one.status, one.failure_reason) for one in done.files) == [
        *[("completed", None)] * 2,
        ("failed", "quota_exceeded"),
    ]


async def test_who_waits_for_another_job_is_held_all_the_same(make_server: MakeServer, audio: Path) -> None:
    server = make_server(worker=False)
    ann, queue = registered(server), server.ports.jobs.queue
    with Client(server.url, token=ann.token) as client:
        sent = [client.upload_file(audio / "clip01-en.wav").session_id for _ in range(2)]
        jobs = [client.chunked_uploads.finalize(one, model="micro").job_id for one in sent]

        async def puts_the_second_off() -> Claim:
            first, second = [await queue.claim("w", ["transcribe"]) for _ in range(2)]
            assert first is not None
            assert second is not None
            assert [first.job.id, second.job.id] == jobs
            assert await first.reuse("the same") is None
            assert await second.reuse("the same") is not None
            await second.postpone(10)
            return first

        first = server.run(puts_the_second_off())
        client.batches.create(uploads=sent[1:], model="micro", auto_start=False)
        server.run(first.fail("fails", "it fails", retry=False))
        assert server.run(queue.claim("w", ["transcribe"])) is None


async def test_from_uploads(client: Both, audio: Path) -> None:
    sent = await client.call(lambda c: c.upload_file(audio / "clip01-en.wav"))
    begun = await client.call(lambda c: c.chunked_uploads.initialize(filename="half.wav", file_size=1 << 20))
    made: BatchDetail = await client.call(
        lambda c: c.batches.create(uploads=[sent.session_id, begun.session_id, "none"], model="micro", language="en")
    )
    done = await over(client, made.batch_id)
    assert [(one.filename, one.status, one.failure_reason) for one in done.files] == [
        ("clip01-en.wav", "completed", None),
        (begun.session_id, "failed", "upload_incomplete"),
        ("none", "failed", "not_found"),
    ]


async def test_what_others_have_uploaded_is_not_there(client: Both, newcomer: Visitor, audio: Path) -> None:
    sent = await client.call(lambda c: c.upload_file(audio / "clip01-en.wav"))
    form = {"model": (None, "micro"), "uploads[]": (None, sent.session_id)}
    made = registered(newcomer.server).post("/api/v1/batch/upload", files=form).json()
    assert [(one["job_id"], one["failure_reason"]) for one in made["files"]] == [(None, "not_found")]
    assert (await client.call(lambda c: c.chunked_uploads.status(sent.session_id))).status == "active"


async def test_what_is_no_batch(client: Both, newcomer: Visitor, audio: Path) -> None:
    with pytest.raises(InvalidRequest, match="0 recordings"):
        await client.call(lambda c: c.batches.create(model="micro"))
    with pytest.raises(InvalidRequest, match="max_parallel_jobs"):
        await client.call(lambda c: c.batches.create(files=[audio / "clip01-en.wav"], max_parallel_jobs=0))
    answer: Any = newcomer.post("/api/v1/batch/upload", files=[("file", b"x")], data={"model": "micro"})
    assert answer.status_code == 400
    for path in ("", "/progress"):
        assert newcomer.get(f"/api/v1/batch/none{path}").status_code == 404


async def test_a_batch_is_its_owners(client: Both, newcomer: Visitor, audio: Path) -> None:
    made = await client.call(
        lambda c: c.batches.create(files=[audio / "clip01-en.wav"], model="micro", auto_start=False)
    )
    other = registered(newcomer.server)
    path = f"/api/v1/batch/{made.batch_id}"
    asked = [("GET", path), ("GET", f"{path}/progress"), ("POST", f"{path}/start"), ("POST", f"{path}/cancel")]
    assert {other.send(*one).status_code for one in [*asked, ("DELETE", path)]} == {404}
    assert other.get("/api/v1/batch/").json()["total"] == 0
    assert other.get("/api/v1/batch/stats/summary").json()["total_batches"] == 0
    await client.call(lambda c: c.batches.delete(made.batch_id))
