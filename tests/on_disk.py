"""What lies on a disk, for those who look for what must not."""

from __future__ import annotations

from pathlib import Path

from whispercore.files.owner import MARKER

_PIECE_BYTES = 32
_PIECES = 50


def in_clear(folder: Path, data: bytes) -> list[Path]:
    """Files below a folder that have any of many pieces of these bytes in them."""
    step = max(1, (len(data) - _PIECE_BYTES) // _PIECES)
    pieces = {data[at : at + _PIECE_BYTES] for at in range(0, len(data) - _PIECE_BYTES, step)} | {data[-_PIECE_BYTES:]}
    telling = [piece for piece in pieces if len(set(piece)) > _PIECE_BYTES // 4]  # silence is everywhere
    assert telling
    found = []
    for path in folder.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            found += [path] if any(piece in content for piece in telling) else []
    return found


def stored_in(store: Path) -> list[Path]:
    """All that lies in a store of recordings, but for the marker that says whose it is."""
    return [one for one in store.rglob("*") if one.is_file() and one.name != MARKER]
