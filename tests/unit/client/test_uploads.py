"""Files on their way to a server."""

from __future__ import annotations

import asyncio
import hashlib
import io
import os
from pathlib import Path
from typing import Any

import pytest
from aiohttp import BodyPartReader, web

from tests.both_clients import Both
from tests.unit.client.groups import Odd
from tests.unit.client.hub import CREATED, NOW, Act, Hub, Rests, cuts, refuses, says
from whispercore.contract.fields import Upload
from whispercore.encryption import age
from whispercore.errors import (
    Conflict,
    InvalidRequest,
    TimedOut,
    TooLarge,
    TooManyRequests,
    UnexpectedReply,
    Unreachable,
)
from whispercore_client import chunked

BIG = os.urandom(700_001)


class Taken:
    """What a real parser of forms makes of a request."""

    def __init__(self) -> None:
        self.parts: list[tuple[str, str | None, str | None, bytes]] = []

    def then(self, act: Act) -> Act:
        async def take(request: web.Request) -> web.StreamResponse:
            async for part in await request.multipart():
                assert isinstance(part, BodyPartReader)
                assert part.name is not None
                kind = part.headers.get("Content-Type")
                self.parts.append((part.name, part.filename, kind, bytes(await part.read())))
            return await act(request)

        take.leaves_body = True  # type: ignore[attr-defined]
        return take


@pytest.fixture
def path(tmp_path: Path) -> Path:
    found = tmp_path / "talk.mp3"
    found.write_bytes(BIG)
    return found


@pytest.mark.filterwarnings("ignore:unread_data:DeprecationWarning")  # of aiohttp's own parser
@pytest.mark.parametrize("kind", ["path", "file", "bytes", "memory", "pipe"])
async def test_fields_come_first_and_then_the_file(client: Both, hub: Hub, path: Path, kind: str) -> None:
    taken = Taken()
    hub.then(taken.then(says(201, CREATED)))
    with path.open("rb") as file:
        source: Any = {"path": path, "file": file, "bytes": BIG, "memory": io.BytesIO(BIG), "pipe": Pipe(BIG)}[kind]
        made = await client.call(
            lambda client: client.jobs.create(file=source, prompt="é\r\n--x", beam_size=3, words=True, translate=False)
        )
    assert made.job_id == "j1"
    named = kind in ("path", "file")
    assert taken.parts == [
        ("prompt", None, None, "é\r\n--x".encode()),
        ("beam_size", None, None, b"3"),
        ("words", None, None, b"true"),
        ("file", "talk.mp3" if named else "upload", "audio/mpeg" if named else "application/octet-stream", BIG),
    ]
    headers = hub.seen[0].headers
    assert ("Content-Length" in headers) == (kind != "pipe")


class Pipe(io.RawIOBase):
    """A file that cannot go back, as standard input cannot."""

    def __init__(self, data: bytes) -> None:
        super().__init__()
        self._inner = io.BytesIO(data)

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        return self._inner.read(size)


@pytest.mark.parametrize(
    ("name", "arrives"),
    [
        ("tälk €.mp3", "tälk €.mp3"),
        ('a"b.mp3', "a%22b.mp3"),
        ("a\r\nX-Evil: 1.mp3", "a%0D%0AX-Evil: 1.mp3"),
        ("a\\b.mp3", "a_b.mp3"),
        ("\udcff.mp3", "?.mp3"),
        ("", "upload"),
        ("a;b=c.mp3", "a;b=c.mp3"),
    ],
)
async def test_names_of_files(client: Both, hub: Hub, name: str, arrives: str) -> None:
    taken = Taken()
    hub.then(taken.then(says(201, CREATED)))
    given = Upload(name, content_type="audio/x\r\nX-Evil: 1", source=b"123")
    await client.call(lambda client: client.jobs.create(file=given))
    assert taken.parts == [("file", arrives, "application/octet-stream", b"123")]


async def test_empty_files_and_several(client: Both, hub: Hub, path: Path) -> None:
    taken = Taken()
    hub.then(taken.then(says(200, {})))
    await client.call(lambda client: Odd(client.transport).several(files=[b"", path, b"x"], note="n"))
    assert [(name, data) for name, _, _, data in taken.parts] == [
        ("note", b"n"),
        ("files[]", b""),
        ("files[]", BIG),
        ("files[]", b"x"),
    ]


async def test_its_progress_is_told(client: Both, hub: Hub, path: Path) -> None:
    hub.then(says(201, CREATED))
    told: list[tuple[int, int | None]] = []
    copy = client.with_options(on_upload=lambda sent, total: told.append((sent, total)))
    await copy.call(lambda client: client.jobs.create(file=path))
    total = int(hub.seen[0].headers["Content-Length"])
    assert len(hub.seen[0].body) == total
    assert told[-1] == (total, total)
    assert [sent for sent, _ in told] == sorted({sent for sent, _ in told})
    assert len(told) > 3


async def test_what_the_callback_raises_ends_the_upload(client: Both, hub: Hub, path: Path) -> None:
    hub.then(says(201, CREATED))

    def enough(_: int, __: int | None) -> None:
        raise ZeroDivisionError("enough")

    with pytest.raises(ZeroDivisionError, match="enough"):
        await client.with_options(on_upload=enough).call(lambda client: client.jobs.create(file=path))


async def test_a_callback_that_calls_is_told_not_to(client: Both, hub: Hub, path: Path) -> None:
    if not client.is_sync:
        pytest.skip("an async client has no thread to wait in")
    hub.then(says(201, CREATED))
    copy = client.with_options(on_upload=lambda _, __: client.client.jobs.get("j1"))
    with pytest.raises(RuntimeError, match="callback"):
        await copy.call(lambda client: client.jobs.create(file=path))


# ------------------------------------------------------------ again


@pytest.mark.parametrize("kind", ["path", "file", "bytes"])
async def test_a_refused_upload_is_sent_again_from_its_beginning(client: Both, hub: Hub, path: Path, kind: str) -> None:
    busy = refuses(429, "RATE_LIMIT_EXCEEDED", {"Retry-After": "1"}, retry_after=1, limit_type="upload")
    first, second = Taken(), Taken()
    hub.then(first.then(busy), second.then(says(201, CREATED)))
    with path.open("rb") as file:
        file.seek(5)
        source: Any = {"path": path, "file": file, "bytes": BIG}[kind]
        await client.call(lambda client: client.jobs.create(file=source))
    assert first.parts == second.parts
    assert first.parts[0][3] == (BIG[5:] if kind == "file" else BIG)


async def test_a_chunk_waits_as_long_as_it_is_asked_to_and_no_hour(client: Both, hub: Hub, clock: Rests) -> None:
    begun = {
        "session_id": "s1",
        "upload_url": "/api/chunked-uploads/s1",
        "expires_at": NOW,
        "total_chunks": 1,
        "chunk_size": 65536,
        "file_size": 5,
        "parallel_chunks": 1,
    }
    once = client.with_options(retries=0)
    for_a_moment, for_an_hour = (
        refuses(
            429, "RATE_LIMIT_EXCEEDED", {"Retry-After": str(wait_s)}, retry_after=wait_s, limit_type="parallel_parts"
        )
        for wait_s in (7, 3600)
    )
    hub.then(says(201, begun), for_a_moment, for_an_hour)
    with pytest.raises(TooManyRequests) as caught:
        await once.call(lambda client: client.upload_file(b"sound"))
    assert caught.value.retry_after == 3600
    assert [round(one) for one in clock.slept] == [7]


async def test_what_cannot_go_back_is_sent_once(client: Both, hub: Hub) -> None:
    hub.then(refuses(503, "SERVICE_UNAVAILABLE", {"Retry-After": "1"}, reason="busy"), says(201, CREATED))
    with pytest.raises(Exception, match="busy"):
        await client.call(lambda client: client.jobs.create(file=Pipe(BIG)))
    assert len(hub.seen) == 1


async def test_an_upload_that_breaks_off_is_not_repeated(client: Both, hub: Hub, path: Path) -> None:
    hub.then(cuts, says(201, CREATED))
    with pytest.raises(Unreachable):
        await client.call(lambda client: client.jobs.create(file=path))
    assert len(hub.seen) == 1


async def test_a_refusal_before_the_end_is_heard(client: Both, hub: Hub, tmp_path: Path) -> None:
    large = tmp_path / "large.wav"
    with large.open("wb") as file:
        file.truncate(40 << 20)
    refusal = refuses(413, "PAYLOAD_TOO_LARGE", {"Connection": "close"}, limit_bytes=5)

    async def early(request: web.Request) -> web.StreamResponse:
        return await refusal(request)

    early.leaves_body = True  # type: ignore[attr-defined]
    hub.then(early)
    with pytest.raises(TooLarge) as caught:
        await client.call(lambda client: client.jobs.create(file=large))
    assert caught.value.limit_bytes == 5


async def test_a_server_that_does_not_take_it_is_a_time_out(client: Both, hub: Hub, tmp_path: Path) -> None:
    large = tmp_path / "large.wav"
    with large.open("wb") as file:
        file.truncate(60 << 20)

    async def deaf(_: web.Request) -> web.StreamResponse:
        await asyncio.sleep(30)
        return web.Response()

    deaf.leaves_body = True  # type: ignore[attr-defined]
    hub.then(deaf)
    with pytest.raises(TimedOut):
        await client.with_options(timeout_s=0.2).call(lambda client: client.jobs.create(file=large))


async def test_time_is_counted_from_the_last_piece(client: Both, hub: Hub) -> None:
    """A long upload is no slow answer."""

    class Slow(Pipe):
        def read(self, size: int = -1) -> bytes:
            import time

            time.sleep(0.05)  # slower in all than the limit, but never in one piece
            return super().read(min(size, 20))

    hub.then(says(201, CREATED))
    copy = client.with_options(timeout_s=0.4)
    assert (await copy.call(lambda client: client.jobs.create(file=Slow(bytes(200))))).job_id == "j1"


# ------------------------------------------------------------ what cannot be sent


async def test_what_cannot_be_read_is_told_before_anything_is_sent(client: Both, hub: Hub, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        await client.call(lambda client: client.jobs.create(file=tmp_path / "missing.mp3"))
    with pytest.raises(InvalidRequest, match="file: it is no file"):
        await client.call(lambda client: client.jobs.create(file=tmp_path))
    with pytest.raises(InvalidRequest, match="text mode"):
        await client.call(lambda client: client.jobs.create(file=io.StringIO("text")))
    with pytest.raises(InvalidRequest, match="no content"):
        await client.call(lambda client: client.jobs.create(file=Upload("a.mp3")))
    assert hub.seen == []


async def test_a_file_that_shrinks_meanwhile(client: Both, hub: Hub, path: Path) -> None:
    hub.then(says(201, CREATED))

    def cut(sent: int, _: int | None) -> None:
        if sent > 1:
            os.truncate(path, 300_000)

    with pytest.raises(InvalidRequest, match="shorter"):
        await client.with_options(on_upload=cut, timeout_s=2.0).call(lambda client: client.jobs.create(file=path))


async def test_a_file_that_grows_meanwhile_is_sent_as_it_was(client: Both, hub: Hub, path: Path) -> None:
    taken = Taken()
    hub.then(taken.then(says(201, CREATED)))

    def more(_: int, __: int | None) -> None:
        with path.open("ab") as file:
            file.write(b"more")

    await client.with_options(on_upload=more).call(lambda client: client.jobs.create(file=path))
    assert hashlib.sha256(taken.parts[0][3]).digest() == hashlib.sha256(BIG).digest()


@pytest.mark.parametrize("part_bytes", [-1, 0, 1, 1 << 40])
async def test_a_recording_is_not_encrypted_in_parts_that_no_server_has(
    client: Both, hub: Hub, part_bytes: int
) -> None:
    key = age.recipient_of(age.new_identity())
    hub.then(says(200, {"public_key": key, "part_bytes": part_bytes, "sender_id": "u1"}))
    with pytest.raises(UnexpectedReply, match="part_bytes"):
        await client.call(lambda c: c.upload_encrypted(b"sound"))
    assert [one.path for one in hub.seen] == ["/api/v1/keys/server"]


RESUMED = {
    "session_id": "s1",
    "resumable": True,
    "missing_chunks": [],
    "chunk_size": 1 << 20,
    "file_size": len(BIG),
    "total_chunks": 1,
    "expires_at": NOW,
}


def is_upload(status: str) -> Act:
    told = {
        "session_id": "s1",
        "status": status,
        "filename": "talk.mp3",
        "content_type": "audio/mpeg",
        "file_size": len(BIG),
        "received_size": len(BIG),
        "progress": 100,
        "chunk_size": 1 << 20,
        "total_chunks": 1,
        "uploaded_chunks": 1,
        "created_at": NOW,
        "expires_at": NOW,
        "file_hash": None,
        "job_id": None,
        "failure": None,
        "missing_chunks": [],
    }
    return says(200, told)


async def test_an_upload_that_is_being_finalized_is_waited_for(
    client: Both, hub: Hub, clock: Rests, path: Path
) -> None:
    """Who finalizes it may be killed, and it goes on then."""
    busy = refuses(409, "conflict")
    hub.then(busy, is_upload("assembling"), busy, is_upload("active"), says(200, RESUMED))
    uploaded = await client.call(lambda client: client.upload_file(path, session_id="s1"))
    assert uploaded.chunk_checksums == (hashlib.sha256(BIG).hexdigest(),)
    assert len(clock.slept) == 2
    hub.then(busy, is_upload("assembling"), busy, is_upload("completed"))
    with pytest.raises(Conflict):
        await client.call(lambda client: client.upload_file(path, session_id="s1"))


async def test_an_upload_is_not_waited_for_for_ever(
    client: Both, hub: Hub, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chunked, "_LOOKS", 2)
    hub.then(*[refuses(409, "conflict"), is_upload("assembling")] * 2)
    with pytest.raises(TimedOut, match="s1"):
        await client.call(lambda client: client.upload_file(path, session_id="s1"))
