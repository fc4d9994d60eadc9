"""What seed 002 shows is what the server answers: names and JSON types at every depth, and nothing empty."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from attrs import frozen

from tests.golden import Block, Json, blocks, differences
from tests.live import Live
from tests.speech import AUDIO
from tests.visitor import Visitor, registered
from whispercore.jobs.job import NewJob
from whispercore.testing.making_jobs import transcript

BLOCKS = list(blocks("002"))
NOT_YET = {
    "OpenTelemetry Integration",
}
"""Documented and not there. Whoever brings one takes it out of here and compares it below."""


@frozen
class Documented:
    """Asks for what the seed shows."""

    owner: Visitor

    @property
    def server(self) -> Live:
        return self.owner.server

    def completed(self) -> str:
        """A completed job with a speaker."""
        return self.server.run(self._job(is_completed=True))

    def waiting(self) -> str:
        return self.server.run(self._job(is_completed=False))

    async def _job(self, *, is_completed: bool) -> str:
        ports, kind = self.server.ports, "scripted" if is_completed else "waiting"
        async with ports.database.write() as tx:
            new = NewJob(owner_id=self.owner.user_id, kind=kind, filename="recording.mp3", model="micro")
            job = await ports.jobs.enqueue(tx, new)
        if is_completed:
            claim = await ports.jobs.queue.claim("tests", (kind,))
            assert claim is not None
            await claim.complete(transcript(2))
        return job.id

    def uploaded(self) -> Json:
        recording = AUDIO / "clip01-en.wav"
        with recording.open("rb") as file:
            answer = self.owner.post(
                "/api/v1/files/upload", data={"model": "micro"}, files={"file": ("recording.mp3", file)}
            )
        assert answer.status_code == 201, answer.text
        body: dict[str, Json] = answer.json()
        return body

    def upload_event(self) -> Json:
        """The first event of a file."""
        with self.owner.get(f"/api/v1/files/{self._file()}/events", stream=True) as stream:
            assert stream.headers["Content-Type"] == "text/event-stream; charset=utf-8"
            lines = stream.iter_lines(decode_unicode=True)
            assert next(line for line in lines if line.startswith("event:")) == "event: upload_progress"
            data: Json = json.loads(next(lines).removeprefix("data: "))
        return data

    def file(self) -> Json:
        """Of a job that is completed, as the sample's is."""
        file_id = self._file()
        with self.owner.get(f"/api/v1/files/{file_id}/events", stream=True) as stream:
            assert b"event: end" in list(stream.iter_lines())
        return self._ok("GET", f"/api/v1/files/{file_id}")

    def _file(self) -> str:
        file = self.uploaded()
        assert isinstance(file, dict)
        return str(file["id"])

    def job(self) -> Json:
        return self._ok("GET", f"/api/v1/jobs/{self.waiting()}")

    def jobs(self) -> Json:
        self.completed()
        return self._ok("GET", "/api/v1/jobs?status=completed")

    def cancelled(self) -> Json:
        return self._ok("POST", f"/api/v1/jobs/{self.waiting()}/cancel")

    def retried(self) -> Json:
        job_id = self.waiting()
        self._ok("POST", f"/api/v1/jobs/{job_id}/cancel")
        return self._ok("POST", f"/api/v1/jobs/{job_id}/retry")

    def transcription(self) -> Json:
        return self._ok("GET", f"/api/v1/transcriptions/{self.completed()}")

    def key(self) -> Json:
        return self._ok("GET", f"/api/v1/keys/files/{self._file()}/key")

    def share(self) -> Json:
        path = f"/api/v1/keys/files/{self._file()}/shares/{registered(self.server).user_id}"
        assert self.owner.post(path).status_code == 201
        return self._ok("POST", path)

    def error(self) -> Json:
        answer = self.owner.get("/api/v1/transcriptions/none?nonsense=1")
        assert answer.status_code == 400
        body: dict[str, Json] = answer.json()
        assert body.keys() == {"code", "message", "details"}
        return body

    def claims(self) -> Json:
        payload = self.owner.token.split(".")[1]
        claims: dict[str, Json] = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        assert claims["sub"] == self.owner.user_id
        return claims

    def _ok(self, method: str, path: str) -> Json:
        answer = self.owner.send(method, path)
        assert answer.status_code == 200, answer.text
        body: Json = answer.json()
        return body


ASK: dict[str, Callable[[Documented], Any]] = {
    "POST /api/v1/files/upload": Documented.uploaded,
    "GET /api/v1/files/{file_id}": Documented.file,
    "GET /api/v1/jobs/{job_id}": Documented.job,
    "GET /api/v1/jobs": Documented.jobs,
    "POST /api/v1/jobs/{job_id}/cancel": Documented.cancelled,
    "POST /api/v1/jobs/{job_id}/retry": Documented.retried,
    "GET /api/v1/transcriptions/{job_id}": Documented.transcription,
    "GET /api/v1/keys/files/{file_id}/key": Documented.key,
    "POST /api/v1/keys/files/{file_id}/shares/{user_id}": Documented.share,
    "Error Handling": Documented.error,
    "Authentication": Documented.claims,
}


EVENTS: dict[str, Callable[[Documented], Any]] = {"upload_progress": Documented.upload_event}


def test_every_sample_is_compared_or_known_to_be_missing() -> None:
    shown = {block.heading for block in BLOCKS}
    assert len(BLOCKS) == 13
    assert shown == ASK.keys() | NOT_YET
    assert not ASK.keys() & NOT_YET


@pytest.mark.parametrize(
    "block", [one for one in BLOCKS if one.heading not in NOT_YET], ids=lambda one: f"{one.heading} {one.event or ''}"
)
def test_an_answer_is_as_documented(block: Block, server: Live) -> None:
    ask = ASK[block.heading] if block.event is None else EVENTS[block.event]
    found = ask(Documented(registered(server)))
    assert differences(block.value, found) == []
