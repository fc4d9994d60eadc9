"""Zip archives that are written while they are sent: one member at a time is in memory."""

from __future__ import annotations

import re
import unicodedata
import zipfile
from datetime import datetime
from typing import Final

from attrs import define, field

from whispercore.files.names import clean_name

_LONGEST_BYTES: Final = 180
"""Of a name without its ending: with it, all file systems take it."""
_FORBIDDEN: Final = re.compile(r'[<>:"/\\|?*\x00-\x1f\x7f]')
"""What some file system does not take in a name."""
_DEVICES: Final = frozenset({"con", "prn", "aux", "nul", *(f"{one}{n}" for one in ("com", "lpt") for n in range(10))})
_FIRST_YEAR: Final = 1980
"""Of the times that zip archives know."""


class Zipped:
    """An archive to which members are added, and what it consists of so far.

    It is no longer seekable than a socket, so sizes stand behind members (data descriptors), which all readers take
    that read the directory at the end.
    """

    def __init__(self) -> None:
        self._sink = _Sink()
        self._archive = zipfile.ZipFile(self._sink, mode="w")

    def add(self, name: str, data: bytes, at: datetime, *, compress: bool) -> bytes:
        """Add a member; gives what of the archive is new. It may compute for a while.

        Args:
            name: Its name, which no other one has.
            data: All of it.
            at: When it was made.
            compress: False for what is compressed in itself.
        """
        time = at.replace(year=max(at.year, _FIRST_YEAR))
        member = zipfile.ZipInfo(name, time.timetuple()[:6])
        member.external_attr = 0o644 << 16
        self._archive.writestr(member, data, zipfile.ZIP_DEFLATED if compress else zipfile.ZIP_STORED)
        return self._sink.taken()

    def end(self) -> bytes:
        """The end of the archive, with its directory."""
        self._archive.close()
        return self._sink.taken()


class _Sink:
    """Takes what is written, and can neither tell nor seek."""

    def __init__(self) -> None:
        self._held = bytearray()

    def write(self, data: bytes) -> int:
        self._held += data
        return len(data)

    def flush(self) -> None:
        """Nothing: it is all in memory."""

    def close(self) -> None:
        """Nothing, as above."""

    def taken(self) -> bytes:
        taken, self._held = bytes(self._held), bytearray()
        return taken


@define
class MemberNames:
    """Names of the members of one archive: no two alike, not even where case does not count, and none a trap."""

    _used: set[str] = field(factory=set)

    def reserve(self, name: str) -> None:
        """Have no member called so."""
        self._used.add(_folded(name))

    def name(self, wanted: str, extension: str) -> str:
        """A name like the one that is wanted, with a number where that is taken.

        Args:
            wanted: What strangers call it, without an ending.
            extension: What it shall end with.
        """
        stem = _stem(wanted)
        name, number = f"{stem}{extension}", 1
        while _folded(name) in self._used:
            number += 1
            name = f"{stem}.{number}{extension}"
        self._used.add(_folded(name))
        return name


def _folded(name: str) -> str:
    return unicodedata.normalize("NFKC", name).casefold()


def _stem(wanted: str) -> str:
    stem = _FORBIDDEN.sub("_", clean_name(wanted)).strip(" .")
    stem = stem.encode(errors="replace")[:_LONGEST_BYTES].decode(errors="ignore").strip(" .")
    if stem.partition(".")[0].lower() in _DEVICES:
        stem = f"_{stem}"
    return stem or "transcript"
