"""Recordings that are encrypted before they are sent: part by part, while they are sent, and nothing of it kept."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import io
import os
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, Final
from uuid import uuid4

from attrs import asdict, evolve

from whispercore.api.files_v1.files import Files, StoredFileInfo
from whispercore.api.files_v1.keys import Keys
from whispercore.api.transcriber.job_options import JobOptions
from whispercore.errors import InvalidOption
from whispercore_client.recording import Recording, Source
from whispercore_client.transport import AsyncHttp

if TYPE_CHECKING:
    from typing_extensions import Buffer

_PIECE_BYTES: Final = 1 << 20


async def encrypting(
    http: AsyncHttp, file: Recording, own_key: str | None, options: JobOptions | None
) -> AsyncGenerator[StoredFileInfo, None]:
    """What the server has of a recording that was encrypted for it.

    Args:
        http: Sends the requests.
        file: The recording.
        own_key: The public key of the caller, if it is to be encrypted for him too.
        options: Of its job.

    Raises:
        InvalidOption: The recording cannot be read anywhere, the key is none, or the extra ``encryption`` is missing.
    """
    try:
        from whispercore.encryption import age, sealed_file  # noqa: PLC0415 - an extra
    except ModuleNotFoundError as error:
        reason = f"it needs {error.name}, which is not installed: pip install 'whispercore[encryption]'"
        raise InvalidOption("file", reason) from None
    source = Source.of(file)
    try:
        own = [age.checked_recipient(own_key)] if own_key is not None else []
    except ValueError as error:
        raise InvalidOption("own_key", str(error)) from error
    asked = options if options is not None else JobOptions()
    if asked.idempotency_key is None:
        asked = evolve(asked, idempotency_key=uuid4().hex)  # a break makes no second job
    server = await Keys(http).server()
    identity = age.new_identity()
    wrap = age.seal(sealed_file.key_text(identity, server.sender_id).encode(), server.public_key, *own)
    sealed = SealedSource(source, age.recipient_of(identity), server.part_bytes)
    yield await Files(http).upload(
        file=evolve(source.upload, source=io.BufferedReader(sealed, _PIECE_BYTES), size_bytes=sealed.size_bytes),
        encrypted_key=base64.b64encode(wrap).decode(),
        encrypted_for=own[0] if own else None,
        plain_sha256=await asyncio.to_thread(_sha256, source),
        **asdict(asked, recurse=False),
    )


class SealedSource(io.RawIOBase):
    """A recording as it is sent: its parts, each an age file, one after the other. Only one of them is in memory.

    Args:
        source: The recording.
        recipient: What its parts are sealed to.
        part_bytes: Of the recording in each part but the last.
    """

    def __init__(self, source: Source, recipient: str, part_bytes: int) -> None:
        from whispercore.encryption import age_file, sealed_file  # noqa: PLC0415 - an extra

        super().__init__()
        self.size_bytes = sealed_file.size_of(source.size_bytes, part_bytes)
        self._source = source
        self._recipient = recipient
        self._part_bytes = part_bytes
        self._sealed_bytes = age_file.size_of(part_bytes)
        self._memory = bytearray(self._sealed_bytes)
        self._part = memoryview(b"")
        self._number = -1
        self._at = 0

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is: a part that is read again is sealed again."""
        return True

    def tell(self) -> int:
        """Where it stands."""
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go elsewhere."""
        begin = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self.size_bytes}[whence]
        self._at = max(0, begin + offset)
        return self._at

    def readinto(self, buffer: Buffer) -> int:
        """Some of it. Blocks.

        Raises:
            InvalidRequest: The recording has become shorter.
        """
        room = memoryview(buffer).cast("B")
        if self._at >= self.size_bytes or not room:
            return 0
        number, begin = divmod(self._at, self._sealed_bytes)
        if number != self._number:
            self._seal(number)
        piece = self._part[begin : begin + len(room)]
        room[: len(piece)] = piece
        self._at += len(piece)
        return len(piece)

    def _seal(self, number: int) -> None:
        from whispercore.encryption import age_file  # noqa: PLC0415 - an extra

        start = number * self._part_bytes
        data = self._source.read(start, min(self._part_bytes, self._source.size_bytes - start))
        self._part, self._number = age_file.seal(data, self._recipient, self._memory), number


def _sha256(source: Source) -> str:
    whole = hashlib.sha256()
    for start in range(0, source.size_bytes, _PIECE_BYTES):
        whole.update(source.read(start, min(_PIECE_BYTES, source.size_bytes - start)))
    return whole.hexdigest()
