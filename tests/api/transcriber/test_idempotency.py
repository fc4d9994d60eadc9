"""A request that is sent again with its ``Idempotency-Key`` does nothing twice."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.both_clients import Both
from tests.visitor import Visitor, registered
from whispercore.errors import InvalidRequest, KeyReused


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
