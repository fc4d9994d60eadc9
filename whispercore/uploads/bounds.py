"""How large chunks are, and how many. Imports nothing: clients need it too."""

from __future__ import annotations

from typing import Final

SMALLEST_CHUNK_BYTES: Final = 64 << 10
LARGEST_CHUNK_BYTES: Final = 8 << 20
"""A chunk is a part of the file later, and is held in memory while it comes."""
USUAL_CHUNK_BYTES: Final = 1 << 20
MOST_CHUNKS: Final = 20_000
"""Of one upload."""
