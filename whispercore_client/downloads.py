"""Files that are received: in pieces, into memory, or onto the disk, whole or not at all."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Final

import aiohttp

from whispercore.contract.transport import AsyncDownload
from whispercore.errors import WhispercoreError
from whispercore.files.names import name_in

_PIECE_BYTES: Final = 1 << 18
_LONGEST_NAME: Final = 150
_RESERVED: Final = frozenset({"con", "prn", "aux", "nul", *(f"{one}{n}" for one in ("com", "lpt") for n in range(10))})


class ReceivedFile(AsyncDownload):
    """A file behind a response.

    Args:
        response: Whose headers are there.
        timeout_s: How long nothing may come.
        broken: Makes our error of what went wrong.
    """

    def __init__(
        self, response: aiohttp.ClientResponse, timeout_s: float, broken: Callable[[Exception], WhispercoreError]
    ) -> None:
        self._response = response
        self._timeout_s = timeout_s
        self._broken = broken

    @property
    def media_type(self) -> str:
        """As the server says."""
        return self._response.content_type

    @property
    def filename(self) -> str | None:
        """As the server says, made safe to be used in any folder."""
        return safe_name(name_in(self._response.headers.get("Content-Disposition", "")))

    @property
    def size_bytes(self) -> int | None:
        """As the server says; None as well when it compresses."""
        return None if "Content-Encoding" in self._response.headers else self._response.content_length

    async def chunks(self) -> AsyncIterator[bytes]:
        """The file in pieces, as they come.

        Raises:
            Unreachable: The connection broke before its end.
            TimedOut: Nothing came for too long.
        """
        while True:
            try:
                async with asyncio.timeout(self._timeout_s):
                    piece = await self._response.content.readany()
            except (aiohttp.ClientError, OSError) as error:
                raise self._broken(error) from error
            if not piece:
                return
            yield piece

    async def read(self) -> bytes:
        """The whole file."""
        return b"".join([piece async for piece in self.chunks()])

    async def save(self, path: Path) -> Path:
        """Write it whole or not at all; a folder gets the server's file name. Gives the path.

        Raises:
            OSError: It cannot be written.
        """
        target = path / (self.filename or "download") if await asyncio.to_thread(path.is_dir) else path
        part = target.with_name(f".{target.name[:_LONGEST_NAME]}.{secrets.token_hex(4)}.part")
        try:
            with await asyncio.to_thread(part.open, "xb") as file:
                held = bytearray()
                async for piece in self.chunks():
                    held += piece
                    if len(held) >= _PIECE_BYTES:
                        await asyncio.to_thread(file.write, held)
                        held = bytearray()
                await asyncio.to_thread(file.write, held)
            await asyncio.to_thread(part.replace, target)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
        return target


def safe_name(said: str | None) -> str | None:
    """A name without any folder, hidden file or device in it; None when nothing is left."""
    if said is None:
        return None
    last = said.replace("\\", "/").rsplit("/", 1)[-1]
    kept = "".join("_" if one in '<>:"|?*' else one for one in last if one.isprintable()).strip(" .")
    stem, dot, ending = kept.rpartition(".")
    if (stem or ending).partition(".")[0].lower() in _RESERVED:
        stem, ending = (f"_{stem}", ending) if dot else (stem, f"_{ending}")
    return f"{stem[:_LONGEST_NAME]}{dot}{ending[:_LONGEST_NAME]}" or None
