"""The clients' own way to send a recording in chunks."""

from __future__ import annotations

import asyncio
import hashlib
import io
from pathlib import Path
from typing import Any

import pytest

from tests.both_clients import Both, both
from tests.visitor import Visitor
from whispercore.errors import Conflict, InvalidOption
from whispercore_client import Client, chunked

CHUNK_BYTES = 64 << 10


@pytest.fixture
def path(audio: Path) -> Path:
    return audio / "clip01-en.wav"


@pytest.fixture
def content(path: Path) -> bytes:
    return path.read_bytes()


@pytest.mark.parametrize("given", ["path", "text", "bytes", "file"])
async def test_a_recording_is_sent(client: Both, path: Path, content: bytes, given: str) -> None:
    with path.open("rb") as opened:
        file = {"path": path, "text": str(path), "bytes": content, "file": opened}[given]
        told: list[tuple[int, int]] = []
        begun: list[str] = []
        uploaded = await client.call(
            lambda c: c.upload_file(
                file,
                chunk_bytes=CHUNK_BYTES,
                parallel=3,
                on_progress=lambda *bytes_: told.append(bytes_),
                on_begin=begun.append,
            )
        )
    size = len(content)
    assert begun == [uploaded.session_id]
    assert told[0] == (0, size)
    assert told[-1] == (size, size)
    assert told == sorted(told)
    job = await client.call(
        lambda c: c.chunked_uploads.finalize(
            uploaded.session_id, model="micro", chunk_checksums=list(uploaded.chunk_checksums)
        )
    )
    assert job.file_hash == hashlib.sha256(content).hexdigest()
    assert (await client.call(lambda c: c.wait(job.job_id))).status == "completed"


async def test_what_is_empty_is_not_sent(client: Both) -> None:
    with pytest.raises(InvalidOption, match="file: it is empty"):
        await client.call(lambda c: c.upload_file(b""))


async def test_another_client_goes_on(kind: str, client: Both, path: Path, newcomer: Visitor) -> None:
    """It knows nothing but the id, and sends what is missing."""

    def stop(done: int, whole: int) -> None:
        if 0 < done < whole:
            raise KeyboardInterrupt

    begun: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        await client.call(
            lambda c: c.upload_file(path, chunk_bytes=CHUNK_BYTES, parallel=1, on_progress=stop, on_begin=begun.append)
        )
    async with both(kind, newcomer.server.url, token=newcomer.token) as other:
        told: list[int] = []
        uploaded = await other.call(
            lambda c: c.upload_file(path, session_id=begun[0], on_progress=lambda done, _: told.append(done))
        )
        assert told[0] > 0
        assert all(uploaded.chunk_checksums), "of what was sent before too"
        with pytest.raises(InvalidOption, match="session_id"):
            await other.call(lambda c: c.upload_file(b"another", session_id=begun[0]))
        await other.call(lambda c: c.chunked_uploads.cancel(begun[0]))
        with pytest.raises(Conflict):
            await other.call(lambda c: c.upload_file(path, session_id=begun[0]))


async def test_large_recordings_go_in_chunks_by_themselves(
    client: Both, path: Path, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chunked, "CHUNKED_ABOVE_BYTES", 1000)
    sent: list[Any] = []
    telling = client.with_options(on_upload=lambda *bytes_: sent.append(bytes_))
    job = await telling.call(lambda c: c.transcribe(path, model="micro", language="en"))
    size = len(content)
    assert (job.status, job.filename) == ("completed", path.name)
    assert sent[-1] == (size, size)
    listed = await client.call(lambda c: c.chunked_uploads.list())
    assert [one.job_id for one in listed.sessions] == [job.job_id]


async def test_the_client_without_asyncio_works_where_a_loop_runs(newcomer: Visitor, path: Path) -> None:
    assert asyncio.get_running_loop().is_running()
    with Client(newcomer.server.url, token=newcomer.token) as client:
        assert client.transcribe(path, model="micro").transcript is not None


async def test_what_can_only_be_read_once_goes_at_once(
    client: Both, path: Path, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Pipe(io.BytesIO):
        def seekable(self) -> bool:
            return False

    monkeypatch.setattr(chunked, "CHUNKED_ABOVE_BYTES", 1000)
    with pytest.raises(InvalidOption, match="file"):
        await client.call(lambda c: c.upload_file(Pipe(content)))
    with pytest.raises(InvalidOption, match="parallel"):
        await client.call(lambda c: c.upload_file(path, parallel=0))
    job = await client.call(lambda c: c.transcribe(Pipe(content), model="micro"))
    assert job.status == "completed"
    assert (await client.call(lambda c: c.chunked_uploads.list())).total == 0
