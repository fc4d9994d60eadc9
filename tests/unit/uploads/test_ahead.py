"""The checksum of an upload while its pieces come."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from itertools import permutations

import pytest

from whispercore.encryption.file_keys import FileKey
from whispercore.files.cores import Cores
from whispercore.uploads.ahead import Ahead
from whispercore.uploads.bounds import suitable_chunk_bytes
from whispercore.uploads.pieces import Pieces
from whispercore.uploads.session import Chunk, Session, State

GIGABYTE = 1 << 30
AT_ONCE = 4
"""Chunks that a client sends side by side."""


class Counted(Pieces):
    """A store that tells how often it was read."""

    def __init__(self, contents: list[bytearray]) -> None:
        self.contents = contents
        self.reads = 0
        self.cores = Cores()

    async def key_of(self, session_id: str) -> FileKey | None:
        del session_id
        return None

    async def get(self, session_id: str, chunk: Chunk, key: FileKey | None) -> bytes:
        del session_id, key
        self.reads += 1
        return bytes(self.contents[chunk.number])


def session(size_bytes: int, count: int, received: int) -> Session:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    return Session(
        id="s",
        owner_id="u",
        protocol="chunks",
        role="whole",
        filename="a.wav",
        content_type="audio/wav",
        size_bytes=size_bytes,
        chunk_bytes=size_bytes // count,
        total_chunks=count,
        file_hash=None,
        metadata={},
        state=State.ACTIVE,
        failure=None,
        received_bytes=0,
        received_chunks=received,
        created_at=now,
        expires_at=now,
        sha256=None,
        job_id=None,
        joined_into=None,
        recipient=None,
    )


def chunk(number: int, data: bytearray) -> Chunk:
    return Chunk(number=number, size_bytes=len(data), sha256="", checksum="", blob=str(number))


async def whole(contents: list[bytearray], order: tuple[int, ...]) -> tuple[str, int]:
    """The checksum of all, and how often the store was read."""
    store = Counted(contents)
    ahead = Ahead(store)
    size_bytes = sum(map(len, contents))
    for received, number in enumerate(order, 1):
        ahead.came(session(size_bytes, len(contents), received), chunk(number, contents[number]), contents[number])
    progress = await ahead.taken("s")
    assert progress is not None
    assert progress.count == len(contents)
    return progress.whole.hexdigest(), store.reads


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 2, 1, 0), (1, 3, 0, 2)])
async def test_what_a_client_sends_at_once_is_not_read_again(order: tuple[int, ...]) -> None:
    contents = [bytearray([number]) * suitable_chunk_bytes(GIGABYTE) for number in range(AT_ONCE)]
    assert await whole(contents, order) == (hashlib.sha256(b"".join(contents)).hexdigest(), 0)


async def test_what_does_not_fit_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("whispercore.uploads.ahead._MOST_HELD_BYTES", 2000)
    contents = [bytearray([number]) * 1000 for number in range(AT_ONCE)]
    for order in permutations(range(AT_ONCE)):
        assert await whole(contents, order) == (hashlib.sha256(b"".join(contents)).hexdigest(), 1)
