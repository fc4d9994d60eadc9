"""Blobs through obstore: the local disk, memory, and whatever object store it knows."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import re
import shutil
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from obstore import sign_async
from obstore.exceptions import AlreadyExistsError, BaseError
from obstore.store import LocalStore, MemoryStore, ObjectStore, S3Store

from whispercore.errors import BlobExists, BlobMissing, InvalidOption, StorageFull, Unavailable
from whispercore.files.blobs import Blob, Mode, checked_key

_FULL = re.compile(r"\(os error (?:27|28|122)\)|NoSpace|QuotaExceeded|XMinioStorageFull|InsufficientStorage")
"""EFBIG, ENOSPC and EDQUOT as Rust prints them, and what object stores say. obstore has no class for it."""
_FULL_NUMBERS = {errno.EFBIG, errno.ENOSPC, errno.EDQUOT}
_REASONS = (
    re.compile(r"<Code>(\w{1,60})</Code>"),
    re.compile(r"\bstatus code: (\d{3}(?: [A-Z][A-Za-z]{1,20}){0,4})"),
    re.compile(r"\bkind: (\w{1,60})"),
)
"""What a store answers, and how a connection to it fails. The rest is pages long, and quotes the request."""
_NO_BUCKET = "NoSuchBucket"
_AGAIN_S = 5
_PIECE_BYTES = 1 << 16
_TOGETHER = 500
"""Keys that are deleted by one call; S3 takes 1,000."""
_log = logging.getLogger(__name__)


class ObstoreBlobs:
    """Any store that obstore can open. ``on_disk`` and ``in_memory`` make the usual ones.

    Args:
        store: Where the blobs are.
        root: The folder that is the store, when it is one of this machine.
        durable: Whether such a folder's disk itself has to have what is put; object stores always do.
    """

    def __init__(self, store: ObjectStore, *, root: Path | None = None, durable: bool = True) -> None:
        self._store = store
        self._root = root
        self._durable = durable

    @classmethod
    def on_disk(cls, folder: str | Path, *, durable: bool = True) -> ObstoreBlobs:
        """Files below a folder, which is made if it is not there.

        Args:
            folder: Where they are.
            durable: Whether what is put survives a power cut from then on. Else the system writes it to the disk when
                it likes, and a power cut in the next half minute may take it.

        Raises:
            InvalidOption: The folder cannot be made.
        """
        root = Path(folder).absolute()
        try:
            root.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InvalidOption("data", f"the folder {root} cannot be made ({error.strerror or error})") from error
        return cls(LocalStore(root), root=root, durable=durable)

    @classmethod
    def in_memory(cls) -> ObstoreBlobs:
        """For tests, and for what need not last."""
        return cls(MemoryStore())

    async def put(
        self, key: str, data: bytes | bytearray | memoryview, *, mode: Mode = "create", durable: bool = True
    ) -> None:
        """Keep bytes."""
        if isinstance(self._store, MemoryStore):
            data = bytes(data)  # it would keep the very buffer, which the caller may change once this is done
        with self._translated(checked_key(key)):
            await self._store.put_async(key, _pieces(data), mode=mode, use_multipart=False)
        if self._root is not None and self._durable and durable:
            await self._secure(self._root, key)

    async def durable(self, prefix: str) -> None:
        """Have all below a prefix survive a power cut."""
        checked_key(prefix)
        if self._root is None or not self._durable:
            return
        try:
            await asyncio.to_thread(_flush_folder, self._root, prefix)
        except OSError as error:
            if error.errno in _FULL_NUMBERS:
                raise StorageFull from error
            raise

    async def _secure(self, root: Path, key: str) -> None:
        try:
            await asyncio.to_thread(_flush, root, key)
        except OSError as error:
            await self.delete((key,))
            if error.errno in _FULL_NUMBERS:  # disks over the network tell it this late
                raise StorageFull from error
            raise

    async def get(self, key: str) -> bytes:
        """All bytes."""
        with self._translated(checked_key(key)):
            return (await (await self._store.get_async(key)).bytes_async()).to_bytes()

    async def get_range(self, key: str, start: int, end: int) -> bytes:
        """Some bytes."""
        with self._translated(checked_key(key)):
            # Stores answer a range that begins behind the end in different ways, so they are not asked for one.
            size = (await self._store.head_async(key))["size"]
            start, end = max(start, 0), min(end, size)
            return (await self._store.get_range_async(key, start=start, end=end)).to_bytes() if start < end else b""

    async def list(self, prefix: str = "") -> AsyncIterator[Blob]:
        """What lies below a prefix."""
        with self._translated(prefix):
            async for found in self._store.list(checked_key(prefix) if prefix else None):
                for each in found:
                    yield Blob(key=each["path"], size_bytes=each["size"], modified_at=each["last_modified"])

    async def folders(self, prefix: str) -> tuple[str, ...]:
        """The names that follow a prefix."""
        checked_key(prefix)
        if self._root is not None:  # a listing does not show unfinished files, nor folders
            return await asyncio.to_thread(_folders, self._root / prefix)
        with self._translated(prefix):
            found = await self._store.list_with_delimiter_async(prefix)
        return tuple(sorted(each.rpartition("/")[2] for each in found["common_prefixes"]))

    async def changed_at(self, prefix: str) -> datetime | None:
        """When something below a prefix last changed."""
        checked_key(prefix)
        if self._root is not None:
            return await asyncio.to_thread(_changed_at, self._root / prefix)
        return max([blob.modified_at async for blob in self.list(prefix)], default=None)

    async def delete(self, keys: Iterable[str]) -> None:
        """Remove blobs."""
        waiting = [checked_key(key) for key in keys]
        for first in range(0, len(waiting), _TOGETHER):
            together = waiting[first : first + _TOGETHER]
            try:
                with self._translated(together[0]):
                    await self._store.delete_async(together)
            except BlobMissing:  # one of them; the others may still be there
                for key in together:
                    with suppress(BlobMissing), self._translated(key):
                        await self._store.delete_async(key)

    async def delete_folder(self, prefix: str) -> None:
        """Remove all below a prefix."""
        checked_key(prefix)
        if self._root is not None:
            await asyncio.to_thread(shutil.rmtree, self._root / prefix, ignore_errors=True)
        else:
            await self.delete([blob.key async for blob in self.list(prefix)])

    async def rename(self, source: str, target: str) -> None:
        """Move a blob."""
        checked_key(target)
        with self._translated(checked_key(source)):
            await self._store.rename_async(source, target)

    async def copy(self, source: str, target: str) -> None:
        """Copy a blob."""
        checked_key(target)
        with self._translated(checked_key(source)):
            await self._store.copy_async(source, target)

    async def free_bytes(self) -> int | None:
        """How much room is left."""
        if self._root is None:
            return None
        return (await asyncio.to_thread(shutil.disk_usage, self._root)).free

    def local_path(self, key: str) -> Path | None:
        """The file that is this blob."""
        checked_key(key)
        return self._root / key if self._root is not None else None

    async def presigned(self, key: str, lasts: timedelta) -> str | None:
        """An address of the blob itself, which only S3 has to give."""
        checked_key(key)
        if not isinstance(self._store, S3Store):
            return None
        with self._translated(key):
            await self._store.head_async(key)  # who follows it is not to find nothing there
            return await sign_async(self._store, "GET", key, lasts)

    @contextmanager
    def _translated(self, key: str) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError as error:
            if reason_of(error) == _NO_BUCKET:
                raise _away(error) from error
            raise BlobMissing(key) from None
        except AlreadyExistsError:
            raise BlobExists(key) from None
        except BaseError as error:
            if _FULL.search(str(error)):
                raise StorageFull from error
            if self._root is None:
                raise _away(error) from error
            raise


def _away(error: BaseException) -> Unavailable:
    reason = reason_of(error)
    _log.warning("the store of recordings is not available: %s", reason)
    return Unavailable(f"the store of recordings is not available ({reason}); try again in a moment", _AGAIN_S)


def reason_of(error: BaseException) -> str:
    """Why a store did not do what it was asked, in a word: its own code, or how the connection failed."""
    text = str(error)
    return next((found[1] for one in _REASONS if (found := one.search(text))), type(error).__name__)


def _pieces(data: bytes | bytearray | memoryview) -> list[memoryview]:
    """What one call writes each.

    For more at once the kernel takes huge pages. In a virtual machine the host has often taken the free ones of these
    away, and has to make each of them first.
    """
    view = memoryview(data)
    return [view[at : at + _PIECE_BYTES] for at in range(0, len(view), _PIECE_BYTES)]


def _flush(root: Path, key: str) -> None:
    """Have a file, and the names that lead to it, written to the disk itself."""
    path = root / key
    while path != root.parent:
        _sync(path)
        path = path.parent


def _flush_folder(root: Path, prefix: str) -> None:
    """The same for all files below a folder, each name that leads to them once."""
    for folder, _, names in os.walk(root / prefix):
        for name in names:
            _sync(Path(folder) / name)
        if Path(folder) != root / prefix:
            _sync(Path(folder))
    if (root / prefix).is_dir():
        _flush(root, prefix)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _folders(place: Path) -> tuple[str, ...]:
    try:
        return tuple(sorted(each.name for each in os.scandir(place) if each.is_dir(follow_symlinks=False)))
    except FileNotFoundError:
        return ()


def _changed_at(place: Path) -> datetime | None:
    try:
        return datetime.fromtimestamp(place.stat().st_mtime, UTC)
    except FileNotFoundError:
        return None
