"""How large chunks are, and how many. Imports nothing: clients need it too."""

from __future__ import annotations

from typing import Final

SMALLEST_CHUNK_BYTES: Final = 64 << 10
LARGEST_CHUNK_BYTES: Final = 8 << 20
"""A chunk is a part of the file later, and is held in memory while it comes."""
USUAL_CHUNK_BYTES: Final = 1 << 20
MOST_CHUNKS: Final = 20_000
"""Of one upload."""
_MANY_CHUNKS: Final = 256
"""More make an upload slower: each is a request, and a row."""


def suitable_chunk_bytes(size_bytes: int) -> int:
    """The size of the chunks in which a file is best sent: larger ones for larger files.

    Args:
        size_bytes: Of the file.
    """
    chunk_bytes = USUAL_CHUNK_BYTES
    while chunk_bytes < LARGEST_CHUNK_BYTES and -(-size_bytes // chunk_bytes) > _MANY_CHUNKS:
        chunk_bytes *= 2
    return chunk_bytes
