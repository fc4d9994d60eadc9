"""Jobs whose recordings are fetched from an address."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.api.conftest import MakeServer
from tests.both_clients import both
from tests.file_server import file_server
from tests.live import Live
from tests.speech import truth
from tests.visitor import Visitor, registered
from whispercore.errors import InvalidRequest, JobFailed


@pytest.fixture
def elsewhere(audio: Path, tmp_path: Path) -> Iterator[str]:
    """A server of recordings, and of something else."""
    (tmp_path / "web").mkdir()
    (tmp_path / "web" / "clip01-en.wav").write_bytes((audio / "clip01-en.wav").read_bytes())
    (tmp_path / "web" / "notes.txt").write_text("nothing to hear")
    (tmp_path / "web" / "page.html").write_text("<p>nothing to hear</p>")
    with file_server(tmp_path / "web") as url:
        yield url


@pytest.fixture
def open_server(make_server: MakeServer) -> Live:
    return make_server(allow_internal_addresses=True)


async def test_a_recording_is_fetched_and_transcribed(open_server: Live, elsewhere: str, kind: str) -> None:
    ann = registered(open_server)
    async with both(kind, open_server.url, token=ann.token) as client:
        made = await client.call(
            lambda c: c.jobs.create(url=f"{elsewhere}/clip01-en.wav?key=s3cret", model="micro", language="en")
        )
        assert (made.status, made.filename) == ("queued", "clip01-en.wav")
        job = await client.call(lambda c: c.wait(made.job_id))
        assert job.transcript is not None
        assert job.transcript.text == truth()["clip01-en.wav"]["text"]
        by_url = await client.call(lambda c: c.transcribe(url=f"{elsewhere}/clip01-en.wav", model="micro"))
        assert by_url.transcript is not None
        with pytest.raises(JobFailed, match="a page, and not"):
            await client.call(lambda c: c.transcribe(url=f"{elsewhere}/page.html", model="micro"))
        with pytest.raises(JobFailed, match="not audio or video"):
            await client.call(lambda c: c.transcribe(url=f"{elsewhere}/notes.txt", model="micro"))
        with pytest.raises(JobFailed, match="status 404"):
            await client.call(lambda c: c.transcribe(url=f"{elsewhere}/none.wav", model="micro"))
    assert "s3cret" not in ann.get(f"/api/jobs/{made.job_id}").text


def test_internal_addresses_are_not_fetched_from(server: Live, elsewhere: str, newcomer: Visitor) -> None:
    del server
    made = newcomer.post("/api/jobs/", files={"url": (None, f"{elsewhere}/clip01-en.wav"), "model": (None, "micro")})
    assert made.status_code == 201
    job = newcomer.finished(made.json()["job_id"])
    assert (job["status"], job["failure_reason"]) == ("failed", "fetch_failed")
    assert job["error"] == "127.0.0.1 did not give the recording: its host is internal, or does not exist"


async def test_either_a_file_or_an_address(newcomer: Visitor, audio: Path, kind: str) -> None:
    async with both(kind, newcomer.server.url, token=newcomer.token) as client:
        with pytest.raises(InvalidRequest, match="either a file or a url"):
            await client.call(
                lambda c: c.jobs.create(file=audio / "clip01-en.wav", url="https://example.com/a.wav", model="micro")
            )
        with pytest.raises(InvalidRequest, match="http://"):
            await client.call(lambda c: c.jobs.create(url="ftp://example.com/a.wav", model="micro"))
    assert newcomer.post("/api/jobs/", files={"model": (None, "micro")}).status_code == 400
    assert newcomer.get("/api/jobs/").json()["total"] == 0
