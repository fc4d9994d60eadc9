"""Recordings that come in one ZIP, taken out one by one; what is no recording of its own stays in, with a reason.

Nothing that an archive says of itself is believed: the bytes that come out are counted, and names are names only.
"""

from __future__ import annotations

import asyncio
import io
import lzma
import zipfile
import zlib
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import IO, Final, TypeVar

from attrs import frozen

from whispercore.audio.joined import PartFiles, opened
from whispercore.batches.batch import MOST_FILES
from whispercore.errors import InvalidRequest, TooLarge
from whispercore.files.files import Files
from whispercore.files.manifest import Staged
from whispercore.files.names import clean_name
from whispercore.screening.rule import BLOCKING_SCORE, reasons, risk_score
from whispercore.screening.uploads import Specimen, screened

_Given = TypeVar("_Given")
_Got = TypeVar("_Got")
_PIECE_BYTES: Final = 1 << 18
_MOST_RATIO: Final = 100
"""Bytes that may come out for each that went in; sound does not compress by more."""
_SMALL_BYTES: Final = 100 << 20
"""What may come out whatever went in."""
_MOST_ENTRIES: Final = 10_000
_LONGEST_DIRECTORY_BYTES: Final = 4 << 20
"""What may be said of the entries; ``zipfile`` makes objects of all of it before it can be asked how many they are."""
_ENCRYPTED: Final = 0x1
_ARCHIVES: Final = (b"PK\3\4", b"PK\5\6", b"Rar!\x1a\7", b"7z\xbc\xaf\x27\x1c", b"\x1f\x8b\x08", b"BZh", b"\xfd7zXZ\0")
_HEAD_BYTES: Final = 8
_BROKEN = (
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError, ValueError),
    NotImplementedError,  # a compression that is not known
    MemoryError,  # a dictionary as large as the archive says that it needs
)
"""What ``zipfile`` raises for what it cannot read."""


@frozen(kw_only=True)
class Unpacked:
    """A file of an archive: taken out, or not."""

    filename: str
    staged: Staged | None = None
    error: str | None = None
    """Why it was left in."""


class Unpacking:
    """Takes recordings out of archives.

    Args:
        files: Where archives came in, and what is in them goes.
        limit_bytes: The largest recording.
        screens: Whether what looks like an attack is left in.
    """

    def __init__(self, files: Files, *, limit_bytes: int, screens: bool = True) -> None:
        self._files = files
        self._limit_bytes = limit_bytes
        self._screens = screens

    async def unpack(self, archive: Staged) -> AsyncGenerator[Unpacked, None]:
        """All files of an archive. Those that are staged have to be kept, or discarded.

        Args:
            archive: A ZIP that came in.

        Raises:
            InvalidRequest: It is no ZIP, has too many files or none, or grows beyond measure.
            StorageFull: There is no room.
        """
        most_bytes = max(_SMALL_BYTES, _MOST_RATIO * archive.size_bytes)
        async with self._files.local_copy(archive, checked=False) as parts:
            file = await asyncio.to_thread(_Archive, parts)
            try:
                taken_bytes = 0
                for entry in await asyncio.to_thread(file.entries, most_bytes):
                    unpacked = await self._taken(file, entry, most_bytes - taken_bytes)
                    if unpacked.staged is not None:
                        taken_bytes += unpacked.staged.size_bytes
                    yield unpacked
            finally:
                await asyncio.to_thread(file.close)

    async def _taken(self, file: _Archive, entry: zipfile.ZipInfo, room_bytes: int) -> Unpacked:
        name = clean_name(entry.filename)
        if entry.flag_bits & _ENCRYPTED:
            return Unpacked(filename=name, error="it is encrypted")
        specimen = Specimen(name)
        try:
            async with aclosing(file.pieces(entry)) as pieces:
                staged = await self._files.stage(
                    specimen.watched(pieces), name=name, limit_bytes=min(self._limit_bytes, room_bytes)
                )
        except TooLarge as error:
            if error.limit_bytes < self._limit_bytes:
                raise _bomb() from error
            return Unpacked(filename=name, error=str(error))
        except _Nested:
            return Unpacked(filename=name, error="it is an archive itself, which is not unpacked")
        except _Unreadable as error:
            return Unpacked(filename=name, error=f"it cannot be unpacked: {error}")
        found = screened("archive", specimen) if self._screens else []
        if risk_score(found) >= BLOCKING_SCORE:
            await self._files.discard(staged)
            return Unpacked(filename=name, error=f"it looks like an attack ({'; '.join(reasons(found))})")
        return Unpacked(filename=name, staged=staged)


class _Nested(Exception):
    """An archive in an archive."""


class _Unreadable(Exception):
    """A file of an archive that is damaged. Errors of our own store are none of these."""


class _Sparing(io.BufferedReader):
    """Reads no more at once than a directory may have: that is read in one go, however long it says it is."""

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > _LONGEST_DIRECTORY_BYTES:
            raise zipfile.BadZipFile("its directory is too long")
        return super().read(size)


class _Archive:
    """A ZIP that is open. Its methods block, but for ``pieces``."""

    def __init__(self, parts: PartFiles) -> None:
        self._file = _Sparing(opened(parts.paths, parts.seal))
        try:
            self._zip = zipfile.ZipFile(self._file)
        except _BROKEN as error:
            self._file.close()
            raise InvalidRequest.one("archive", f"it is no ZIP that can be read: {error}") from error

    def entries(self, most_bytes: int) -> list[zipfile.ZipInfo]:
        """Its files, without what systems put beside them."""
        every = self._zip.infolist()
        if len(every) > _MOST_ENTRIES:
            raise InvalidRequest.one("archive", f"it has {len(every)} entries; at most {_MOST_ENTRIES} are looked at")
        found = [one for one in every if not one.filename.endswith("/") and not _is_by_product(one.filename)]
        if not found:
            raise InvalidRequest.one("archive", "there is no file in it")
        if len(found) > MOST_FILES:
            raise InvalidRequest.one("archive", f"it has {len(found)} files; a batch has at most {MOST_FILES}")
        if sum(one.file_size for one in found) > most_bytes:
            raise _bomb()
        return found

    async def pieces(self, entry: zipfile.ZipInfo) -> AsyncGenerator[bytes, None]:
        """The bytes of a file, unpacked while they are read."""
        reader: IO[bytes] = await asyncio.to_thread(_read, self._zip.open, entry)
        try:
            first = True
            while piece := await asyncio.to_thread(_read, reader.read, _PIECE_BYTES):
                if first and piece[:_HEAD_BYTES].startswith(_ARCHIVES):
                    raise _Nested
                first = False
                yield piece
        finally:
            await asyncio.to_thread(reader.close)

    def close(self) -> None:
        self._zip.close()
        self._file.close()


def _read(step: Callable[[_Given], _Got], given: _Given) -> _Got:
    try:
        return step(given)
    except _BROKEN as error:
        raise _Unreadable(str(error) or type(error).__name__) from error


def _bomb() -> InvalidRequest:
    return InvalidRequest.one("archive", "it grows beyond measure when it is unpacked")


def _is_by_product(name: str) -> bool:
    parts = name.replace("\\", "/").split("/")
    return "__MACOSX" in parts or parts[-1] in {".DS_Store", "Thumbs.db", "desktop.ini"}
