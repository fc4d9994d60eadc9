"""Paragraphs: what was said, as text and documents for people have it."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from itertools import groupby

from attrs import frozen

from whispercore.formats.line import one_line
from whispercore.formats.options import Layout
from whispercore.formats.timestamps import milliseconds
from whispercore.languages import joined
from whispercore.transcript import Transcript


@frozen(kw_only=True)
class Paragraph:
    """What one speaker said, in one line."""

    start_ms: int
    end_ms: int
    speaker: str
    """Empty when nobody knows."""
    text: str


def paragraphs(transcript: Transcript, layout: Layout, *, speakers: bool) -> Iterator[Paragraph]:
    """One for each segment in which something is said; for all that a speaker said without a break; or as people write.

    Args:
        transcript: What was said.
        layout: ``speakers`` puts together what one speaker said; where nobody is named, all of it. ``paragraphs`` is as
            ``Transcript.paragraphs`` has them.
        speakers: Whether names are in it.

    Raises:
        ValueError: A time is not finite.
    """
    single = (
        Paragraph(
            start_ms=milliseconds(one.start_s),
            end_ms=milliseconds(one.end_s),
            speaker=one_line(one.speaker or "") if speakers else "",
            text=one_line(one.text),
        )
        for one in (transcript.paragraphs if layout == "paragraphs" else transcript.segments)
    )
    spoken = (one for one in single if one.text)
    if layout != "speakers":
        yield from spoken
        return
    for speaker, group in groupby(spoken, key=lambda one: one.speaker):
        together = list(group)
        yield Paragraph(
            start_ms=together[0].start_ms,
            end_ms=max(one.end_ms for one in together),
            speaker=speaker,
            text=joined((one.text for one in together), transcript.language),
        )


def is_right_to_left(text: str) -> bool:
    """Whether the first letter that has a direction is of Hebrew, Arabic or another script from right to left."""
    for character in text:
        direction = unicodedata.bidirectional(character)
        if direction in ("R", "AL"):
            return True
        if direction == "L":
            return False
    return False
