"""A cue: a segment as subtitles show it."""

from __future__ import annotations

from attrs import frozen

from whispercore.formats.line import one_line
from whispercore.formats.timestamps import milliseconds
from whispercore.transcript import Segment, Transcript


@frozen(kw_only=True)
class Cue:
    """Text to be shown from a time to a later one."""

    start_ms: int
    end_ms: int
    segment: Segment


def cues(transcript: Transcript) -> list[Cue]:
    """The segments in which something is said, by their beginning, as WebVTT demands."""
    spoken = (segment for segment in transcript.segments if one_line(segment.text))
    return sorted(map(_cue, spoken), key=lambda cue: cue.start_ms)


def _cue(segment: Segment) -> Cue:
    start_ms = milliseconds(segment.start_s)
    # WebVTT forbids cues that end where they begin, and players drop them with their text, in SubRip too.
    end_ms = max(milliseconds(segment.end_s), start_ms + 1)
    return Cue(start_ms=start_ms, end_ms=end_ms, segment=segment)
