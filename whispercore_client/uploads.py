"""Forms with files, sent in pieces: the fields first, then the files, nothing held in memory."""

from __future__ import annotations

import asyncio
import os
import secrets
import stat
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import BinaryIO, Final

import aiohttp
from aiohttp.abc import AbstractStreamWriter
from attrs import define, field

from whispercore.contract.fields import Upload
from whispercore.errors import InvalidRequest
from whispercore_client.options import OnUpload

_PIECE_BYTES: Final = 1 << 18
_QUOTED: Final = str.maketrans({'"': "%22", "\r": "%0D", "\n": "%0A", "\\": "_", "\0": "_"})


@define
class _Part:
    head: bytes
    source: Path | BinaryIO | bytes
    size: int | None
    """In bytes; None when it is not known before its end."""
    start: int | None
    """Where an open file stood at first; None when it cannot go back there."""


@define(eq=False)
class Form:
    """The body of one request.

    Args:
        fields: Names and texts.
        files: Names and files.
        on_upload: Told how far it is.

    Raises:
        InvalidRequest: A file is not open in binary mode, or has nothing to be read from.
        OSError: A path leads nowhere.
    """

    fields: Sequence[tuple[str, str]]
    files: Sequence[tuple[str, Upload]]
    on_upload: OnUpload | None = None
    _boundary: str = field(factory=lambda: secrets.token_hex(16), init=False)
    _parts: list[_Part] = field(init=False)
    _taken: bool = field(default=False, init=False)

    def __attrs_post_init__(self) -> None:
        self._parts = [self._part(name, upload) for name, upload in self.files]

    @property
    def content_type(self) -> str:
        """For the header."""
        return f"multipart/form-data; boundary={self._boundary}"

    @property
    def size(self) -> int | None:
        """All of it, in bytes; None when a file does not tell."""
        whole = len(self._texts()) + len(self._end())
        for part in self._parts:
            if part.size is None:
                return None
            whole += len(part.head) + part.size + 2
        return whole

    @property
    def is_for_once(self) -> bool:
        """Whether there is no sending it again once something of it was sent."""
        return any(part.start is None for part in self._parts)

    @property
    def rewindable(self) -> bool:
        """Whether it can be sent, or sent again."""
        return not self._taken or not self.is_for_once

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        """The body."""
        if texts := self._texts():
            yield texts
        for part in self._parts:
            yield part.head
            if isinstance(part.source, bytes):
                for start in range(0, len(part.source), _PIECE_BYTES):
                    yield part.source[start : start + _PIECE_BYTES]
            elif isinstance(part.source, Path):
                with part.source.open("rb") as file:
                    async for piece in _read(file, part.size):
                        yield piece
            else:
                if self._taken and part.start is not None:
                    await asyncio.to_thread(part.source.seek, part.start)
                self._taken = True
                async for piece in _read(part.source, part.size):
                    yield piece
            yield b"\r\n"
        self._taken = True
        yield self._end()

    def _texts(self) -> bytes:
        return b"".join(f"{self._head(name)}\r\n\r\n{text}\r\n".encode() for name, text in self.fields)

    def _head(self, name: str) -> str:
        return f'--{self._boundary}\r\nContent-Disposition: form-data; name="{name.translate(_QUOTED)}"'

    def _end(self) -> bytes:
        return f"--{self._boundary}--\r\n".encode()

    def _part(self, name: str, upload: Upload) -> _Part:
        filename = (upload.name or "upload").translate(_QUOTED).encode("utf-8", "replace").decode()
        kind = upload.content_type if _is_plain(upload.content_type) else "application/octet-stream"
        head = f'{self._head(name)}; filename="{filename}"\r\nContent-Type: {kind}\r\n\r\n'.encode()
        source = upload.source
        if isinstance(source, bytes):
            return _Part(head, source, len(source), 0)
        if isinstance(source, Path):
            found = source.stat()
            if not stat.S_ISREG(found.st_mode):
                raise InvalidRequest.one(name, "it is no file; what is no regular file can be given opened")
            return _Part(head, source, found.st_size, 0)
        if source is None or not hasattr(source, "read"):
            raise InvalidRequest.one(name, "it has no content: give a Path, an open binary file or bytes")
        if isinstance(source.read(0), str):
            raise InvalidRequest.one(name, "it is open in text mode; open it with mode 'rb'")
        return _Part(head, source, *_extent(source))


class Sending(aiohttp.Payload):
    """One attempt to send a form.

    Args:
        form: The form.
        moved: Called whenever something was taken.
    """

    _default_content_type = "multipart/form-data"

    def __init__(self, form: Form, moved: Callable[[], None]) -> None:
        super().__init__(form, content_type=form.content_type)
        self._size = form.size
        self._form = form
        self._moved = moved
        self._transport: asyncio.WriteTransport | None = None
        self.is_done = False
        """Whether all of it was written."""
        self.failure: Exception | None = None
        """What went wrong on this side."""

    async def write(self, writer: AbstractStreamWriter) -> None:
        """Write it."""
        self._transport = getattr(writer, "transport", None)
        async with aclosing(self._form.pieces()) as pieces:
            sent = 0
            while (piece := await self._next(pieces)) is not None:
                await writer.write(piece)
                sent += len(piece)
                self._tell(sent)
        self.is_done = True

    async def write_with_length(self, writer: AbstractStreamWriter, content_length: int | None) -> None:
        """Write it; its length is what was declared."""
        del content_length
        await self.write(writer)

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        """It is not for reading."""
        del encoding, errors
        raise TypeError("a form with files is no text")

    def abort(self) -> None:
        """Drop the connection at once: closing it would wait until the other side takes what was written."""
        if self._transport is not None:
            self._transport.abort()

    async def _next(self, pieces: AsyncGenerator[bytes, None]) -> bytes | None:
        try:
            return await anext(pieces, None)
        except Exception as error:
            self.failure = error
            raise

    def _tell(self, sent: int) -> None:
        self._moved()
        if self._form.on_upload is not None:
            try:
                self._form.on_upload(sent, self._size)
            except Exception as error:
                self.failure = error
                raise


async def _read(file: BinaryIO, size: int | None) -> AsyncIterator[bytes]:
    """What was announced, and no byte more."""
    left = size
    while left is None or left > 0:
        piece = await asyncio.to_thread(file.read, _PIECE_BYTES if left is None else min(left, _PIECE_BYTES))
        if not piece:
            break
        if left is not None:
            left -= len(piece)
        yield piece
    if left:
        raise InvalidRequest.one("", f"the file has become shorter by {left:,} bytes while it was sent")


def _extent(file: BinaryIO) -> tuple[int | None, int | None]:
    """How much there is to read, and where it begins; None for each that an open file does not tell."""
    try:
        if not file.seekable():
            return None, None
        start = file.tell()
        end = file.seek(0, os.SEEK_END)
        file.seek(start)
    except (OSError, AttributeError):
        return None, None
    return max(0, end - start), start


def _is_plain(text: str) -> bool:
    return text.isascii() and text.isprintable() and text != ""
