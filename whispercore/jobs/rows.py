"""Jobs, windows and segments as rows, and back."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

from attrs import fields
from sqlalchemy import Column, Row, literal_column

from whispercore.checkpoints import FinishedWindow
from whispercore.database.tables import jobs
from whispercore.formats.line import encodable
from whispercore.jobs.job import Job
from whispercore.quality import Quality
from whispercore.transcript import Fingerprint, Segment, Word

if TYPE_CHECKING:
    from cattrs.preconf.orjson import OrjsonConverter

_T = TypeVar("_T")

COLUMNS: tuple[Column[Any], ...] = tuple(jobs.c[attribute.name] for attribute in fields(Job))
"""What a job is read from."""

_NAMES = tuple(column.name for column in COLUMNS)

# Written into the statement and not bound to it, because a partial index serves only what names its condition.
QUEUED = jobs.c.state == literal_column("'queued'")
PROCESSING = jobs.c.state == literal_column("'processing'")
LIVE = jobs.c.state.in_((literal_column("'queued'"), literal_column("'processing'")))

_MIXED = -1
"""A channel of its own, since no part of a key may be null."""


def job_of(row: Row[Any]) -> Job:
    """The job of a row of ``COLUMNS``, and perhaps more behind them."""
    return Job(**dict(zip(_NAMES, row, strict=False)))


def segment_row(job_id: str, position: int, segment: Segment) -> dict[str, object]:
    """A row of ``segments``."""
    return {
        "job_id": job_id,
        "position": position,
        "start_s": segment.start_s,
        "end_s": segment.end_s,
        "text": encodable(segment.text),
        "confidence": segment.confidence,
        "speaker": segment.speaker and encodable(segment.speaker),
        "channel": segment.channel,
        "words": to_json(segment.words) if segment.words else None,
        "quality": to_json(segment.quality) if segment.quality is not None else None,
    }


def segment_of(row: Any) -> Segment:
    """The segment of a row of ``segments``, or of what has its columns."""
    return Segment(
        text=row.text,
        start_s=row.start_s,
        end_s=row.end_s,
        words=from_json(row.words, tuple[Word, ...]) if row.words else (),
        confidence=row.confidence,
        speaker=row.speaker,
        channel=row.channel,
        quality=from_json(row.quality, Quality) if row.quality else None,
    )


def window_row(job_id: str, attempt: int, window: FinishedWindow) -> dict[str, object]:
    """A row of ``windows``."""
    return {
        "job_id": job_id,
        "channel": channel_key(window.channel),
        "index": window.index,
        "start_s": window.start_s,
        "end_s": window.end_s,
        "segments": to_json(window.segments),
        "fingerprint": to_json(window.fingerprint),
        "attempt": attempt,
    }


def window_of(row: Row[Any]) -> FinishedWindow:
    """The window of a row of ``windows``."""
    return FinishedWindow(
        index=row._mapping["index"],  # noqa: SLF001 (``row.index`` is a method of tuples)
        channel=None if row.channel == _MIXED else row.channel,
        start_s=row.start_s,
        end_s=row.end_s,
        segments=from_json(row.segments, tuple[Segment, ...]),
        fingerprint=from_json(row.fingerprint, Fingerprint),
    )


def channel_key(channel: int | None) -> int:
    """A channel as ``windows`` has it."""
    return _MIXED if channel is None else channel


def to_json(value: object) -> str:
    """JSON of attrs values. Lone surrogates become U+FFFD.

    Raises:
        ValueError: It cannot be said in JSON.
    """
    return _converter().dumps(value).decode()


def from_json(text: str, kind: type[_T]) -> _T:
    """The value that was written."""
    return _converter().loads(text, kind)


@cache
def _converter() -> OrjsonConverter:
    from cattrs.preconf.orjson import make_converter  # noqa: PLC0415 (a process that only lists jobs needs none)

    converter = make_converter(omit_if_default=True)
    converter.register_unstructure_hook(str, encodable)
    return converter
