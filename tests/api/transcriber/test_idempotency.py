"""A request that is sent again with its ``Idempotency-Key`` does nothing twice."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import select

from tests.api.conftest import MakeServer
from tests.both_clients import Both, both
from tests.cutting_proxy import cutting_proxy
from tests.visitor import Visitor, registered
from whispercore.contract.fields import Upload
from whispercore.database.tables import results
from whispercore.errors import InvalidRequest, KeyReused, Unreachable


def staged(visitor: Visitor) -> set[Path]:
    """What came in and is nobody's yet."""
    folder = visitor.server.ports.settings.data / "files" / "staging"
    return {one for one in folder.rglob("*") if one.is_file()}


async def test_the_same_request_gets_the_same_job(client: Both, audio: Path, newcomer: Visitor) -> None:
    before = staged(newcomer)

    async def made(name: str = "clip01-en.wav", **options: object) -> str:
        job = await client.call(
            lambda c: c.jobs.create(file=audio / name, model="micro", idempotency_key="k-1", **options)
        )
        return str(job.job_id)

    first = await made()
    assert await made() == first
    with pytest.raises(KeyReused, match="k-1"):
        await made("clip04-en.wav")
    with pytest.raises(KeyReused):
        await made(language="en")
    _ = await client.call(lambda c: c.wait(first))
    assert await made() == first
    assert newcomer.get("/api/jobs/").json()["total"] == 1
    assert staged(newcomer) == before


@pytest.mark.parametrize(("path", "name"), [("/api/jobs/", "file"), ("/api/v1/batch/upload", "files[]")])
def test_a_full_queue_answers_what_was_made_before(make_server: MakeServer, audio: Path, path: str, name: str) -> None:
    someone = registered(make_server(worker=False, max_queue=1))
    recording = (audio / "clip01-en.wav").read_bytes()

    def made(key: str) -> tuple[int, bool]:
        answer = someone.post(
            path, data={"model": "micro"}, files=[(name, recording)], headers={"Idempotency-Key": key}
        )
        return answer.status_code, answer.headers.get("Idempotent-Replayed") == "true"

    assert [made("one"), made("another"), made("one")] == [(201, False), (503, False), (201, True)]


async def test_many_at_once_make_one_job(audio: Path, newcomer: Visitor) -> None:
    def send() -> tuple[int, str, bool]:
        with (audio / "clip01-en.wav").open("rb") as file:
            answer = newcomer.post(
                "/api/jobs/", data={"model": "micro"}, files={"file": file}, headers={"Idempotency-Key": "at once"}
            )
        return answer.status_code, answer.json()["job_id"], answer.headers.get("Idempotent-Replayed") == "true"

    answers = await asyncio.gather(*(asyncio.to_thread(send) for _ in range(5)))
    assert {status for status, _, _ in answers} == {201}
    assert len({job for _, job, _ in answers}) == 1
    assert sorted(repeated for _, _, repeated in answers) == [False, True, True, True, True]
    newcomer.finished(answers[0][1])


async def test_an_answer_that_is_lost_makes_no_second_job(kind: str, audio: Path, newcomer: Visitor) -> None:
    """The connection breaks off when the server answers, so it has made the job."""

    def made(brought: bytes) -> int | None:
        return 0 if b" 201 " in brought else None

    async with (
        cutting_proxy(newcomer.server.url, made, times=2) as proxy,
        both(kind, proxy.url, token=newcomer.token, retries=2) as client,
    ):
        job = await client.call(lambda c: c.transcribe(audio / "clip01-en.wav", model="micro"))
    assert proxy.cuts == 2
    listed = newcomer.get("/api/jobs/").json()
    assert ([one["job_id"] for one in listed["jobs"]], listed["total"]) == ([job.job_id], 1)


async def test_without_a_key_it_is_not_sent_again(kind: str, audio: Path, newcomer: Visitor) -> None:
    def made(brought: bytes) -> int | None:
        return 0 if b" 201 " in brought else None

    async with (
        cutting_proxy(newcomer.server.url, made, times=2) as proxy,
        both(kind, proxy.url, token=newcomer.token, retries=2) as client,
    ):
        with pytest.raises(Unreachable):
            await client.call(lambda c: c.jobs.create(file=audio / "clip01-en.wav", model="micro"))
    assert (proxy.cuts, newcomer.get("/api/jobs/").json()["total"]) == (1, 1)


async def test_a_key_is_for_all_that_was_asked(client: Both, audio: Path, newcomer: Visitor) -> None:
    url = "http://127.0.0.1:9999/a.wav"

    async def made(**asked: object) -> str:
        job = await client.call(lambda c: c.jobs.create(model="micro", idempotency_key="k", **asked))
        return str(job.job_id)

    first = await made(url=url)
    assert await made(url=url) == first
    same_bytes = Upload(source=(audio / "clip01-en.wav").read_bytes(), name="a.wav")
    for other in ({"url": f"{url}?x"}, {"url": url, "priority": "high"}, {"file": same_bytes}):
        with pytest.raises(KeyReused):
            await made(**other)
    await client.call(lambda c: c.jobs.delete(first))
    assert await made(url=url) != first, "keys are good for as long as the job is there"
    assert newcomer.get("/api/jobs/").json()["total"] == 1


async def test_a_key_is_its_owners(client: Both, audio: Path, newcomer: Visitor) -> None:
    other = registered(newcomer.server)
    made = await client.call(
        lambda c: c.jobs.create(file=audio / "clip01-en.wav", model="micro", idempotency_key="shared")
    )
    with (audio / "clip01-en.wav").open("rb") as file:
        answer = await asyncio.to_thread(
            other.post,
            "/api/jobs/",
            data={"model": "micro"},
            files={"file": file},
            headers={"Idempotency-Key": "shared"},
        )
    assert answer.status_code == 201
    assert answer.json()["job_id"] != made.job_id
    newcomer.finished(made.job_id)
    other.finished(answer.json()["job_id"])


@pytest.mark.parametrize("key", ["", "k" * 256])
async def test_a_key_has_a_length(client: Both, audio: Path, key: str) -> None:
    with pytest.raises(InvalidRequest, match="Idempotency-Key"):
        await client.call(lambda c: c.jobs.create(file=audio / "clip01-en.wav", model="micro", idempotency_key=key))


@pytest.mark.parametrize("reuse", [True, False])
def test_a_setting_says_whether_results_are_given_again(make_server: MakeServer, audio: Path, reuse: bool) -> None:
    server = make_server(reuse_results=reuse)
    ann, database = registered(server), server.ports.database
    first, second = [ann.finished(ann.job(audio / "clip01-en.wav")) for _ in range(2)]
    assert first["transcript"]["text"] == second["transcript"]["text"] != ""
    kept = server.run(database.rows(select(results.c.job_id)))
    assert [row.job_id for row in kept] == ([first["job_id"]] if reuse else [])
