"""The segments of a version in few bytes: their rows as JSON, compressed."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from typing import Any, Final

import orjson
from attrs import astuple, fields, frozen

from whispercore.jobs.rows import segment_of, segment_row
from whispercore.transcript import Segment

_FORM: Final = 1


@frozen
class Kept:
    """A segment as its row has it."""

    start_s: float
    end_s: float
    text: str
    confidence: float | None
    speaker: str | None
    channel: int | None
    words: str | None
    """JSON."""
    quality: str | None = None
    """JSON."""

    @classmethod
    def of(cls, row: Any) -> Kept:
        """Of a row of ``segments``."""
        return cls(*(getattr(row, name) for name in _COLUMNS))

    @classmethod
    def keep(cls, segment: Segment) -> Kept:
        """A segment as its row will have it."""
        row: dict[str, Any] = segment_row("", 0, segment)
        return cls(*(row[name] for name in _COLUMNS))

    @property
    def segment(self) -> Segment:
        """What was kept."""
        return segment_of(self)

    def row(self, job_id: str, position: int) -> dict[str, object]:
        """The row of ``segments``."""
        return {"job_id": job_id, "position": position, **{name: getattr(self, name) for name in _COLUMNS}}


_COLUMNS: Final = tuple(one.name for one in fields(Kept))


def packed(rows: Iterable[Kept]) -> bytes:
    """All segments of a version. It takes a while when there are many: not in the event loop."""
    return zlib.compress(orjson.dumps({"form": _FORM, "segments": [astuple(one) for one in rows]}))


def unpacked(snapshot: bytes) -> tuple[Kept, ...]:
    """The segments that were packed.

    Raises:
        ValueError: They were packed by a newer version of whispercore.
    """
    found = orjson.loads(zlib.decompress(snapshot))
    if found["form"] != _FORM:
        raise ValueError(f"a snapshot of the form {found['form']} is of a newer version")
    return tuple(Kept(*one) for one in found["segments"])
