"""Recordings sent in chunks: several at once, over breaks, and on from where another process was."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from typing import Any, Final
from uuid import uuid4

from attrs import asdict, define, field, frozen

from whispercore.api.transcriber.chunked_uploads import ChunkedUploads, UploadResume
from whispercore.api.transcriber.job_options import JobOptions
from whispercore.api.transcriber.jobs import Jobs
from whispercore.errors import (
    Conflict,
    InvalidOption,
    TimedOut,
    TooManyRequests,
    Unavailable,
    UnexpectedReply,
    Unreachable,
    UploadIncomplete,
    WrongChecksum,
)
from whispercore.uploads.bounds import suitable_chunk_bytes
from whispercore_client.recording import Recording, Source, given
from whispercore_client.retry import LONGEST_WAIT_S, backoff_s
from whispercore_client.transport import AsyncHttp

CHUNKED_ABOVE_BYTES: Final = 25_000_000
"""Larger recordings are sent in chunks (seed 001, *File Upload Issues*)."""
PARALLEL: Final = 4
_TRIES: Final = 10
"""Of each chunk: a server that is started again has about a minute for it."""
_LOOK_AGAIN_S: Final = 1.0
_LOOKS: Final = 600
"""At an upload that somebody else finalizes."""
_PASSING: Final = (Unreachable, TimedOut, TooManyRequests, Unavailable, UnexpectedReply, WrongChecksum)


OnSent = Callable[[int, int], None]
"""Told the bytes that the server has of a recording, and how many there are in all."""
OnBegin = Callable[[str], None]
"""Told the id of an upload before anything is sent."""


@frozen(kw_only=True)
class Sent:
    """How far an upload is."""

    session_id: str
    done_bytes: int
    """That the server has."""
    size_bytes: int
    is_first: bool
    """Whether nothing was sent yet."""

    def tell(self, on_begin: OnBegin | None, on_progress: OnSent | None) -> None:
        """Tell it."""
        if on_begin is not None and self.is_first:
            on_begin(self.session_id)
        if on_progress is not None:
            on_progress(self.done_bytes, self.size_bytes)


@frozen(kw_only=True)
class Uploaded:
    """An upload whose chunks are all there."""

    session_id: str
    filename: str
    size_bytes: int
    chunk_checksums: tuple[str, ...]
    """SHA-256 of each, for ``chunked_uploads.finalize``."""


async def uploading(
    http: AsyncHttp,
    source: Source,
    *,
    session_id: str | None = None,
    chunk_bytes: int | None = None,
    parallel: int = PARALLEL,
) -> AsyncGenerator[Sent | Uploaded, None]:
    """Send a recording: how far that is whenever it got further, and at last what was uploaded.

    Args:
        http: Sends the requests.
        source: The recording.
        session_id: An upload of the same recording that was begun before.
        chunk_bytes: Of each chunk of a new one; by the size of the recording if not given.
        parallel: How many are sent at once.

    Raises:
        InvalidOption: ``parallel`` is not positive, the recording is empty, or the upload is of one of another size.
        UploadExpired: It was given up.
        Conflict: It is over, or a chunk was sent before with other bytes.
        TimedOut: Somebody else has been finalizing it for ten minutes.
    """
    if parallel < 1:
        raise InvalidOption("parallel", f"{parallel} is not positive")
    if not source.size_bytes:
        raise InvalidOption("file", "it is empty")
    sending = await _begun(http, source, session_id, chunk_bytes)
    yield sending.sent(is_first=True)
    waiting, active = iter(range(sending.total)), set[asyncio.Task[None]]()
    try:
        while True:
            while len(active) < min(parallel, sending.parallel) and (number := next(waiting, None)) is not None:
                active.add(asyncio.create_task(sending.send(number)))
            if not active:
                break
            finished, active = await asyncio.wait(active, return_when=asyncio.FIRST_COMPLETED)
            for task in finished:
                task.result()
            yield sending.sent()
    finally:
        for task in active:
            task.cancel()
        await asyncio.gather(*active, return_exceptions=True)
    yield Uploaded(
        session_id=sending.session_id,
        filename=source.upload.name,
        size_bytes=source.size_bytes,
        chunk_checksums=tuple(sending.checksums),
    )


async def submitting(
    http: AsyncHttp, file: Recording | None, url: str | None, options: JobOptions
) -> AsyncGenerator[str, None]:
    """The id of the job of a recording: sent at once, or in chunks where it is large.

    Args:
        http: Sends the requests.
        file: The recording.
        url: In place of it, where the server has it from.
        options: Of its job.
    """
    source = _large(file) if file is not None else None
    asked = {**asdict(options, recurse=False), "idempotency_key": uuid4().hex}  # a break makes no second job
    if source is None:
        upload = given(file) if file is not None else None
        yield (await Jobs(http).create(file=upload, url=url, **asked)).job_id
        return
    uploaded = await _whole(http, source, None)
    try:
        made = await _finished(http, uploaded, asked)
    except UploadIncomplete:  # some were changed on their way, or lost in a power cut
        uploaded = await _whole(http, source, uploaded.session_id)
        made = await _finished(http, uploaded, asked)
    yield made


async def _finished(http: AsyncHttp, uploaded: Uploaded, asked: dict[str, Any]) -> str:
    sums = [*uploaded.chunk_checksums]
    finalize = ChunkedUploads(http).finalize
    return (await finalize(uploaded.session_id, chunk_checksums=sums, **asked)).job_id


async def _whole(http: AsyncHttp, source: Source, session_id: str | None) -> Uploaded:
    async with aclosing(uploading(http, source, session_id=session_id)) as steps:
        async for step in steps:
            if isinstance(step, Uploaded):
                return step
            if http.options.on_upload is not None:
                http.options.on_upload(step.done_bytes, step.size_bytes)
    raise AssertionError("an upload ends with what was uploaded")


@define
class _Sending:
    """An upload under way."""

    http: AsyncHttp
    source: Source
    session_id: str
    chunk_bytes: int
    total: int
    missing: set[int]
    parallel: int
    checksums: list[str] = field(init=False)
    done_bytes: int = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.checksums = [""] * self.total
        self.done_bytes = sum(self._size(number) for number in range(self.total) if number not in self.missing)

    def sent(self, *, is_first: bool = False) -> Sent:
        """How far it is."""
        return Sent(
            session_id=self.session_id,
            done_bytes=self.done_bytes,
            size_bytes=self.source.size_bytes,
            is_first=is_first,
        )

    async def send(self, number: int) -> None:
        """Have a chunk there, and its checksum here."""
        size_bytes = self._size(number)
        data, digest = await asyncio.to_thread(self._read, number, size_bytes)
        self.checksums[number] = digest.hex()
        if number in self.missing:
            await self._send(number, data, digest)
            self.done_bytes += size_bytes

    async def _send(self, number: int, data: bytes, digest: bytes) -> None:
        told = f"sha-256=:{base64.b64encode(digest).decode()}:"
        for attempt in range(1, _TRIES + 1):
            try:
                await ChunkedUploads(self.http).send(self.session_id, number, chunk_data=data, content_digest=told)
            except _PASSING as error:
                asked_s = error.retry_after if isinstance(error, TooManyRequests | Unavailable) else None
                if attempt == _TRIES or (asked_s or 0.0) > LONGEST_WAIT_S:
                    raise
                await self.http.clock.sleep(backoff_s(attempt, asked_s))
            else:
                return

    def _read(self, number: int, size_bytes: int) -> tuple[bytes, bytes]:
        data = self.source.read(number * self.chunk_bytes, size_bytes)
        return data, hashlib.sha256(data).digest()

    def _size(self, number: int) -> int:
        return min(self.chunk_bytes, self.source.size_bytes - number * self.chunk_bytes)


async def _begun(http: AsyncHttp, source: Source, session_id: str | None, chunk_bytes: int | None) -> _Sending:
    uploads = ChunkedUploads(http)
    if session_id is None:
        begun = await uploads.initialize(
            filename=source.upload.name[-255:] or "upload",
            file_size=source.size_bytes,
            chunk_size=chunk_bytes if chunk_bytes is not None else suitable_chunk_bytes(source.size_bytes),
            content_type=source.upload.content_type,
        )
        missing: Sequence[int] = range(begun.total_chunks)
        return _Sending(
            http,
            source,
            begun.session_id,
            begun.chunk_size,
            begun.total_chunks,
            set(missing),
            begun.parallel_chunks,
        )
    found = await _resumed(http, session_id)
    if found.file_size != source.size_bytes:
        raise InvalidOption(
            "session_id", f"it is the upload of {found.file_size:,} bytes, and the recording has {source.size_bytes:,}"
        )
    return _Sending(http, source, session_id, found.chunk_size, found.total_chunks, set(found.missing_chunks), PARALLEL)


async def _resumed(http: AsyncHttp, session_id: str) -> UploadResume:
    """What is missing of an upload. While somebody finalizes it nobody can tell: he may be killed, or refused."""
    uploads = ChunkedUploads(http)
    for _ in range(_LOOKS):
        try:
            return await uploads.resume(session_id)
        except Conflict:
            seen = await uploads.status(session_id)
            if seen.status not in ("active", "assembling") or seen.total_chunks is None:
                raise
        await http.clock.sleep(_LOOK_AGAIN_S)
    raise TimedOut(f"the upload {session_id}", _LOOKS * _LOOK_AGAIN_S)


def _large(file: Recording) -> Source | None:
    """A recording that is worth sending in chunks, and can be."""
    try:
        source = Source.of(file)
    except InvalidOption:
        return None
    return source if source.size_bytes > CHUNKED_ABOVE_BYTES else None
