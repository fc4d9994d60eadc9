"""Transcriptions as seed 002 has them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.both_clients import Both, both
from tests.visitor import Visitor, registered
from whispercore.errors import Conflict, NotFound
from whispercore.jobs.job import NewJob
from whispercore.testing.making_jobs import transcript


async def _scripted(owner: Visitor) -> str:
    """A completed job of three segments, the last two by Zoë."""
    ports = owner.server.ports
    async with ports.database.write() as tx:
        new = NewJob(owner_id=owner.user_id, kind="scripted", filename="talk.wav", model="micro")
        job = await ports.jobs.enqueue(tx, new)
    claim = await ports.jobs.queue.claim("tests", ("scripted",))
    assert claim is not None
    await claim.complete(transcript(3))
    return job.id


async def test_a_transcription_is_what_was_said(alices: Both, completed: dict[str, Any]) -> None:
    found = await alices.call(lambda c: c.files_v1.transcriptions.get(completed["job_id"]))
    said = completed["transcript"]
    assert (found.job_id, found.text, found.language) == (completed["job_id"], said["text"], "en")
    assert (found.duration, found.confidence) == (said["duration_s"], said["confidence"])
    assert found.word_count == len(said["text"].split()) == 6
    assert found.speakers == []
    assert [(one.start, one.end, one.text) for one in found.segments] == [
        (one["start"], one["end"], one["text"]) for one in said["segments"]
    ]
    assert [word.text for one in found.segments for word in one.words] == [
        word["text"] for one in said["segments"] for word in one["words"]
    ]


async def test_speakers_are_told_with_their_segments(kind: str, server: Any) -> None:
    owner = registered(server)
    job_id = server.run(_scripted(owner))
    async with both(kind, server.url, token=owner.token) as client:
        found = await client.call(lambda c: c.files_v1.transcriptions.get(job_id))
        assert [(one.id, one.segments) for one in found.speakers] == [("Zoë", [1, 2])]
        assert [one.speaker for one in found.segments] == [None, "Zoë", "Zoë"]
        await client.call(lambda c: c.transcripts.rename_speaker(job_id, version=1, speaker=None, name="Ann"))
        found = await client.call(lambda c: c.files_v1.transcriptions.get(job_id))
        assert [(one.id, one.segments) for one in found.speakers] == [("Ann", [0]), ("Zoë", [1, 2])]


async def test_what_is_not_completed_has_none(client: Both, newcomer: Visitor, completed: dict[str, Any]) -> None:
    async def waiting() -> str:
        ports = newcomer.server.ports
        async with ports.database.write() as tx:
            return (await ports.jobs.enqueue(tx, NewJob(owner_id=newcomer.user_id, kind="waiting"))).id

    job_id = newcomer.server.run(waiting())
    with pytest.raises(Conflict, match="queued"):
        await client.call(lambda c: c.files_v1.transcriptions.get(job_id))
    with pytest.raises(NotFound):
        await client.call(lambda c: c.files_v1.transcriptions.get("none"))
    with pytest.raises(NotFound):
        await client.call(lambda c: c.files_v1.transcriptions.get(completed["job_id"]))
    newcomer.post(f"/api/v1/jobs/{job_id}/cancel")
