"""Bytes to store, and what is stored."""

from __future__ import annotations

import functools
import random
from collections.abc import AsyncIterator
from pathlib import Path

from whispercore.database.session import Database
from whispercore.files.blobs import Blobs
from whispercore.files.files import Files
from whispercore.files.manifest import Staged
from whispercore.files.parts import PART_BYTES

THREE_PARTS = 2 * PART_BYTES + 12_345
SIZES = (0, 1, 65_536, PART_BYTES - 1, PART_BYTES, PART_BYTES + 1, THREE_PARTS)


@functools.cache
def sample(size_bytes: int) -> bytes:
    """Bytes that are the same everywhere, and in no part as in another one."""
    return random.Random(7).randbytes(size_bytes)  # noqa: S311 (they are no secret)


async def in_chunks(data: bytes, size_bytes: int = 1 << 16) -> AsyncIterator[bytes]:
    for at in range(0, len(data), size_bytes):
        yield data[at : at + size_bytes]


async def stored(files: Files, file: str | Staged, start: int = 0, end: int | None = None) -> bytes:
    return b"".join([chunk async for chunk in files.read(file, start, end)])


async def keys_of(blobs: Blobs, prefix: str = "") -> set[str]:
    return {blob.key async for blob in blobs.list(prefix)}


async def kept(
    files: Files,
    database: Database,
    data: bytes,
    owner_id: str = "ada",
    *,
    file_id: str | None = None,
    publish: bool = True,
) -> Staged:
    staged = await files.stage(in_chunks(data), name="talk.wav", content_type="audio/wav", file_id=file_id)
    async with database.write() as tx:
        await files.keep(tx, staged, owner_id)
    if publish:
        await files.publish(staged)
    return staged


def left_in_spool(data: Path) -> list[Path]:
    return [path for path in (data / "spool").rglob("*") if path.is_file() and path.name != ".lock"]
