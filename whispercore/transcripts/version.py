"""A version of a transcript: what is known of it, and who has made it."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from attrs import frozen

from whispercore.transcript import Segment
from whispercore.transcripts.comparison import Change, Piece

Origin = Literal["transcribed", "edited", "restored"]


@frozen(kw_only=True)
class Version:
    """A version. The segments are elsewhere."""

    number: int
    """1 is the engine's own."""
    origin: Origin
    author_id: str | None
    """None for the engine."""
    author: str | None
    """His name at that time."""
    created_at: datetime
    note: str | None
    restored_from: int | None
    """The version that it is equal to."""
    segments: int
    """How many it has."""


@frozen(kw_only=True)
class Speaker:
    """Somebody who speaks."""

    name: str | None
    """None for the segments of nobody."""
    segments: int
    """How many are his."""
    speaks_s: float
    first_s: float
    """When he begins."""


@frozen(kw_only=True)
class Outline:
    """A transcript without its segments."""

    newest: Version
    language: str
    duration_s: float
    model: str
    speakers: tuple[Speaker, ...]
    """In the order in which they begin."""


@frozen(kw_only=True)
class Read:
    """Some segments of a version."""

    version: int
    segments: tuple[tuple[int, Segment], ...]
    """Each with its place."""
    total: int


@frozen(kw_only=True)
class Difference:
    """What differs between two versions, or a part of it."""

    before: int
    after: int
    changes: tuple[tuple[Change, tuple[Piece, ...]], ...]
    """Each with its words; without them where the text is the same."""
    total: int
    added: int
    removed: int
    changed: int


@frozen(kw_only=True)
class Edited:
    """What a change has led to."""

    version: int
    """The newest one; the one before if there was nothing to change."""
    segments: int
    """How many it has."""
