"""The segments of a version in few bytes: their rows as JSON, compressed."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from typing import Any, Final

import orjson
from attrs import asdict, astuple, frozen

from whispercore.encryption.texts import CLEAR, TextSeal
from whispercore.jobs.job import Job
from whispercore.jobs.rows import said, segment_of, segment_row, stored
from whispercore.transcript import Segment

_FORM: Final = 1


@frozen
class Kept:
    """A segment as its row has it, opened."""

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
    language: str | None = None
    language_probability: float | None = None

    @classmethod
    def of(cls, row: Any, seal: TextSeal) -> Kept:
        """Of a row of ``segments``.

        Raises:
            SealBroken: It is sealed, and not what it was.
        """
        text, speaker, words = said(row, seal)
        return cls(
            row.start_s,
            row.end_s,
            text,
            row.confidence,
            speaker,
            row.channel,
            words,
            row.quality,
            row.language,
            row.language_probability,
        )

    @classmethod
    def keep(cls, segment: Segment) -> Kept:
        """A segment as its row will have it."""
        return cls(**segment_row(segment))

    @property
    def segment(self) -> Segment:
        """What was kept."""
        return segment_of(self, CLEAR)

    @property
    def sealed(self) -> None:
        """Nothing: it is open here."""

    def row(self, job: Job, position: int) -> dict[str, Any]:
        """The row of ``segments``, as it is written."""
        return stored(job.id, position, asdict(self), job.seal)


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
