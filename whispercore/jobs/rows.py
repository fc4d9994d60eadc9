"""Jobs, windows and segments as rows, and back."""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

from attrs import fields
from sqlalchemy import Column, Row, literal_column

from whispercore.checkpoints import FinishedWindow
from whispercore.database.tables import jobs
from whispercore.encryption.texts import BROKEN, TextKeys, TextSeal
from whispercore.errors import SealBroken
from whispercore.formats.line import encodable
from whispercore.jobs.job import Job
from whispercore.quality import Quality
from whispercore.transcript import Fingerprint, Segment, Word

if TYPE_CHECKING:
    from cattrs.preconf.orjson import OrjsonConverter

_T = TypeVar("_T")

_KEY = "text_key"
"""The column that ``Job.seal`` is made of."""

COLUMNS: tuple[Column[Any], ...] = tuple(jobs.c[_KEY if one.name == "seal" else one.name] for one in fields(Job))
"""What a job is read from."""

_NAMES = tuple(attribute.name for attribute in fields(Job))

# Written into the statement and not bound to it, because a partial index serves only what names its condition.
QUEUED = jobs.c.state == literal_column("'queued'")
PROCESSING = jobs.c.state == literal_column("'processing'")
LIVE = jobs.c.state.in_((literal_column("'queued'"), literal_column("'processing'")))

_MIXED = -1
"""A channel of its own, since no part of a key may be null."""


def job_of(row: Row[Any], texts: TextKeys) -> Job:
    """The job of a row of ``COLUMNS``, and perhaps more behind them.

    Where its texts cannot be opened, it is a job with a seal that is broken: it can be listed, taken back and deleted,
    and whoever wants to know what was said is told.
    """
    values = dict(zip(_NAMES, row, strict=False))
    seal = values["seal"] = texts.seal(values["seal"])
    if seal:
        values["preview"] = seal.shown(values["preview"])
        try:
            values["options"] = seal.open(values["options"])
        except SealBroken:
            values["seal"] = BROKEN
    return Job(**values)


def segment_row(segment: Segment) -> dict[str, Any]:
    """A row of ``segments``, without its place; see ``stored``."""
    return {
        "start_s": segment.start_s,
        "end_s": segment.end_s,
        "text": encodable(segment.text),
        "confidence": segment.confidence,
        "speaker": segment.speaker and encodable(segment.speaker),
        "channel": segment.channel,
        "words": to_json(segment.words) if segment.words else None,
        "quality": to_json(segment.quality) if segment.quality is not None else None,
        "language": segment.language,
        "language_probability": segment.language_probability,
    }


def stored(job_id: str, position: int, row: dict[str, Any], seal: TextSeal) -> dict[str, Any]:
    """A row of ``segments`` as it is written, in its place."""
    placed = {"job_id": job_id, "position": position, **row, "sealed": None}
    if seal:
        said = json.dumps((row["text"], row["speaker"], row["words"]), ensure_ascii=False)
        placed |= {"text": "", "speaker": None, "words": None, "sealed": seal.close(said)}
    return placed


def said(row: Any, seal: TextSeal) -> tuple[str, str | None, str | None]:
    """Text, speaker and words of a row of ``segments``.

    Raises:
        SealBroken: They are sealed, and not what they were.
    """
    if row.sealed is None:
        return row.text, row.speaker, row.words
    text, speaker, words = json.loads(seal.open(row.sealed))
    return text, speaker, words


def segment_of(row: Any, seal: TextSeal) -> Segment:
    """The segment of a row of ``segments``.

    Raises:
        SealBroken: It is sealed, and not what it was.
    """
    text, speaker, words = said(row, seal)
    return Segment(
        text=text,
        start_s=row.start_s,
        end_s=row.end_s,
        words=from_json(words, tuple[Word, ...]) if words else (),
        confidence=row.confidence,
        speaker=speaker,
        channel=row.channel,
        quality=from_json(row.quality, Quality) if row.quality else None,
        language=row.language,
        language_probability=row.language_probability,
    )


def window_row(job: Job, window: FinishedWindow) -> dict[str, object]:
    """A row of ``windows``."""
    return {
        "job_id": job.id,
        "channel": channel_key(window.channel),
        "index": window.index,
        "start_s": window.start_s,
        "end_s": window.end_s,
        "segments": job.seal.close(to_json(window.segments)),
        "fingerprint": to_json(window.fingerprint),
        "attempt": job.attempt,
    }


def window_of(row: Row[Any], seal: TextSeal) -> FinishedWindow:
    """The window of a row of ``windows``.

    Raises:
        SealBroken: It is sealed, and not what it was.
    """
    return FinishedWindow(
        index=row._mapping["index"],  # noqa: SLF001 (``row.index`` is a method of tuples)
        channel=None if row.channel == _MIXED else row.channel,
        start_s=row.start_s,
        end_s=row.end_s,
        segments=from_json(seal.open(row.segments), tuple[Segment, ...]),
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
