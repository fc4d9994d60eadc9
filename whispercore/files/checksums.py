"""Checksums of parts: whether a disk still has the bytes that it was given.

They are compared with each reading, and made of each byte that comes in, so they are quick. They find what disks,
cables and memory change by accident; whoever may write to the store can make others. The checksum of a whole file,
which people compare, is SHA-256 as everywhere.

A checksum is told as ``algorithm:hexadecimal digits``, so that older ones stay good when the algorithm changes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final, Protocol

import xxhash


class _Hash(Protocol):
    """What hashlib and xxhash have in common."""

    def update(self, data: memoryview, /) -> object: ...

    def hexdigest(self) -> str: ...


_CHOSEN: Final = "xxh3_128"
_ALGORITHMS: Final[dict[str, Callable[[], _Hash]]] = {
    _CHOSEN: xxhash.xxh3_128,
    "sha256": partial(hashlib.sha256, usedforsecurity=False),  # of sealed parts; of all until version 4 of the schema
}
_PIECE_BYTES: Final = 1 << 18


def checksum_of(data: bytes | memoryview) -> str:
    """That of new parts. It reads 8 MB in less than a millisecond."""
    return f"{_CHOSEN}:{xxhash.xxh3_128_hexdigest(data)}"


def matches(checksum: str, data: bytes | memoryview) -> bool:
    """Whether these are the bytes that a checksum was made of; by an unknown algorithm it was not.

    It blocks for as long as the algorithm takes.
    """
    hashing = _begun(checksum)
    if hashing is None:
        return False
    hashing.update(memoryview(data))
    return _is_of(checksum, hashing)


def matches_file(checksum: str, path: Path) -> bool:
    """Whether a file has the bytes that a checksum was made of. It blocks.

    Raises:
        OSError: The file cannot be read.
    """
    hashing = _begun(checksum)
    if hashing is None:
        return False
    buffer = memoryview(bytearray(_PIECE_BYTES))
    with path.open("rb", buffering=0) as file:
        while n_bytes := file.readinto(buffer):
            hashing.update(buffer[:n_bytes])
    return _is_of(checksum, hashing)


def _begun(checksum: str) -> _Hash | None:
    make = _ALGORITHMS.get(checksum.partition(":")[0])
    return make() if make is not None else None


def _is_of(checksum: str, hashing: _Hash) -> bool:
    return hashing.hexdigest() == checksum.partition(":")[2]
