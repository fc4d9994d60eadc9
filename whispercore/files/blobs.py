"""Where bytes are kept: under keys, on a disk or in an object store."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal, Protocol

from attrs import frozen

from whispercore.errors import InvalidOption

Mode = Literal["create", "overwrite"]
"""Whether what lies under a key may be replaced."""

_KEY = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*(?:/[A-Za-z0-9_-][A-Za-z0-9._-]*)*", re.ASCII)
_LONGEST = 500
"""Characters of a key; object stores allow 1,024 bytes with whatever stands before it."""
_LONGEST_NAME = 200
"""Characters of each part of it; disks allow 255."""


@frozen(kw_only=True)
class Blob:
    """What lies under a key."""

    key: str
    size_bytes: int
    modified_at: datetime


class Blobs(Protocol):
    """A store of bytes.

    Keys are names joined by ``/``, of ASCII letters, digits, ``.``, ``_`` and ``-``, none beginning with a dot. A blob
    is there whole or not at all. All calls may raise ``InvalidOption`` for a key of another form, and ``Unavailable``
    when the store does not answer.
    """

    async def put(
        self, key: str, data: bytes | bytearray | memoryview, *, mode: Mode = "create", durable: bool = True
    ) -> None:
        """Keep bytes. They must not change until it is done; what is kept then survives a power cut.

        Args:
            key: Where.
            data: What.
            mode: Whether something may lie there.
            durable: False where it has to survive a power cut only once its folder was made ``durable``.

        Raises:
            BlobExists: Something lies there, and the mode is ``create``.
            StorageFull: There is no room for it.
        """
        ...

    async def durable(self, prefix: str) -> None:
        """Have all below a prefix survive a power cut.

        Raises:
            StorageFull: There turns out to be no room for it.
        """
        ...

    async def get(self, key: str) -> bytes:
        """All bytes.

        Raises:
            BlobMissing: Nothing lies there.
        """
        ...

    async def get_range(self, key: str, start: int, end: int) -> bytes:
        """The bytes from ``start`` to before ``end``; fewer where the blob ends earlier.

        Raises:
            BlobMissing: Nothing lies there.
        """
        ...

    def list(self, prefix: str = "") -> AsyncIterator[Blob]:
        """What lies below a prefix, which is a key without its last names; in no order."""
        ...

    async def folders(self, prefix: str) -> tuple[str, ...]:
        """The names that follow a prefix, those of unfinished and of deleted blobs among them; in their order."""
        ...

    async def changed_at(self, prefix: str) -> datetime | None:
        """When something below a prefix last changed; None where nothing is."""
        ...

    async def delete(self, keys: Iterable[str]) -> None:
        """Remove blobs. Those that are not there are left out."""
        ...

    async def delete_folder(self, prefix: str) -> None:
        """Remove all below a prefix, what was never finished too."""
        ...

    async def rename(self, source: str, target: str) -> None:
        """Move a blob, over what lies there.

        Raises:
            BlobMissing: Nothing lies under ``source``.
        """
        ...

    async def copy(self, source: str, target: str) -> None:
        """Copy a blob, over what lies there.

        Raises:
            BlobMissing: Nothing lies under ``source``.
            StorageFull: There is no room for it.
        """
        ...

    async def free_bytes(self) -> int | None:
        """How much room is left; None where that is not known."""
        ...

    def local_path(self, key: str) -> Path | None:
        """The file that is this blob; None where blobs are no files of this machine."""
        ...

    async def presigned(self, key: str, lasts: timedelta) -> str | None:
        """An address at which anybody can GET the blob for so long; None where the store has none to give.

        Raises:
            BlobMissing: Nothing lies there, and the store has addresses.
        """
        ...


def checked_key(key: str) -> str:
    """The key, if it is one.

    Raises:
        InvalidOption: It has another form, so it might lead out of the store.
    """
    names = key[: _LONGEST + 1].split("/")
    if len(key) > _LONGEST or _KEY.fullmatch(key) is None or max(map(len, names)) > _LONGEST_NAME:
        raise InvalidOption("key", f"{key[:100]!r} is not a key of a blob")
    return key
