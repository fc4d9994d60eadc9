"""Reading an archive from its beginning to its end, and believing nothing that it says of itself.

Every member is hashed, and compared with the list at the end. Names are those of our own writer or refused, so none
leads anywhere else; a part may come once and in order only.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

from attrs import define, field, frozen

from whispercore.backup.manifest import (
    DATABASE,
    MANIFEST,
    MEMBERS,
    MOST_LINE_BYTES,
    MOST_MANIFEST_BYTES,
    PART,
    Manifest,
    Member,
)
from whispercore.backup.tar import Entry, TarReader
from whispercore.errors import BackupDamaged, Cancelled

OnProgress = Callable[[float], None]


@frozen(kw_only=True)
class Contents:
    """What an archive has in it."""

    manifest: Manifest
    size_bytes: int
    """Of the archive."""
    sha256: str
    """Of the archive, in hexadecimal."""
    damaged: tuple[Member, ...]
    """Parts that were damaged or missing already when it was made."""


@define(kw_only=True)
class Reading:
    """One reading of an archive. Blocks.

    Args:
        path: The archive.
        into: Folder where its members are put, by their names; None to look at them only.
        stopped: Set when it is not wanted any more.
        on_progress: Called with 0 to 1.
    """

    path: Path
    into: Path | None = None
    stopped: threading.Event = field(factory=threading.Event)
    on_progress: OnProgress = lambda _: None
    _last: tuple[str, int] = field(default=("", -1), init=False)

    def read(self) -> Contents:
        """Read all of it.

        Raises:
            BackupDamaged: It is no backup, or not as it was written.
            Cancelled: It was stopped.
            OSError: It cannot be read, or its members cannot be written.
        """
        with ExitStack() as stack:
            file = stack.enter_context(self.path.open("rb"))
            seen = stack.enter_context(TemporaryFile(dir=self.into))
            listed = stack.enter_context(TemporaryFile(dir=self.into))
            reader = TarReader(file)
            all_bytes = max(1, self.path.stat().st_size)
            entries = reader.entries()
            manifest = self._manifest(next(entries, None), seen)
            whole = False
            for number, entry in enumerate(entries):
                if whole:
                    raise BackupDamaged(f"{entry.name[:100]!r} comes behind its end")
                if entry.name == MEMBERS and number > 0:
                    self._copied(entry, listed)
                    whole = True
                else:
                    self._check_name(entry.name, first=number == 0)
                    seen.write(self._kept(entry).dump())
                self.on_progress(min(1.0, reader.size_bytes / all_bytes))
            if not whole:
                raise BackupDamaged("its list of members is missing")
            damaged = _compared(listed, seen)
            return Contents(manifest=manifest, size_bytes=reader.size_bytes, sha256=reader.sha256, damaged=damaged)

    def _manifest(self, entry: Entry | None, seen: IO[bytes]) -> Manifest:
        if entry is None or entry.name != MANIFEST:
            raise BackupDamaged("it does not begin with a manifest, so it is no backup of whispercore")
        if entry.size_bytes > MOST_MANIFEST_BYTES:
            raise BackupDamaged(f"its manifest has {entry.size_bytes:,} bytes")
        data = b"".join(entry.pieces())
        manifest = Manifest.load(data)
        member = Member(name=MANIFEST, size_bytes=len(data), sha256=hashlib.sha256(data).hexdigest())
        seen.write(member.dump())
        return manifest

    def _check_name(self, name: str, *, first: bool) -> None:
        if first != (name == DATABASE):
            raise BackupDamaged(f"{name[:100]!r} is not where it belongs in a backup")
        if first:
            return
        found = PART.fullmatch(name)
        if found is None:
            raise BackupDamaged(f"{name[:100]!r} is no name of anything in a backup")
        this = (found[1], int(found[2]))
        if this <= self._last:
            raise BackupDamaged(f"{name!r} comes twice, or out of order")
        self._last = this

    def _kept(self, entry: Entry) -> Member:
        """Put a member where it belongs; what it is."""
        if self.into is None:
            return self._copied(entry, None)
        place = self.into / entry.name
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with place.open("xb") as file:
            return self._copied(entry, file)

    def _copied(self, entry: Entry, file: IO[bytes] | None) -> Member:
        sha256 = hashlib.sha256()
        for piece in entry.pieces():
            if self.stopped.is_set():
                raise Cancelled
            sha256.update(piece)
            if file is not None:
                file.write(piece)
        return Member(name=entry.name, size_bytes=entry.size_bytes, sha256=sha256.hexdigest())


def _compared(listed: IO[bytes], seen: IO[bytes]) -> tuple[Member, ...]:
    """The list, compared with what there is, line by line: neither has to fit into memory."""
    damaged: list[Member] = []
    found = _members(seen)
    for member in _members(listed):
        if member.damaged:
            damaged.append(member)
        if not member.sha256:
            continue  # it was missing when the copy was made
        there = next(found, None)
        if there is None or there.name != member.name:
            raise BackupDamaged(f"{member.name[:100]!r} is missing")
        if (there.size_bytes, there.sha256) != (member.size_bytes, member.sha256):
            raise BackupDamaged(f"{member.name[:100]!r} is not what it was")
    if (left := next(found, None)) is not None:
        raise BackupDamaged(f"{left.name!r} is in it, but not in its list")
    return tuple(damaged)


def _members(file: IO[bytes]) -> Iterator[Member]:
    file.seek(0)
    while line := file.readline(MOST_LINE_BYTES):
        yield Member.load(line)
