"""A table with tabs between its columns."""

from __future__ import annotations

from whispercore.formats.line import one_line
from whispercore.formats.options import NoOptions
from whispercore.formats.timestamps import milliseconds
from whispercore.transcript import Segment, Transcript


def write(transcript: Transcript, options: NoOptions | None = None) -> str:
    """A header, then a line for every segment: start and end in milliseconds, and text.

    The media type knows neither quotes nor escapes, so tabs and line breaks in text become spaces and quotes stay as
    they are; ``csv.reader`` needs ``quoting=csv.QUOTE_NONE``.
    """
    del options
    return "start\tend\ttext\n" + "".join(map(_row, transcript.segments))


def _row(segment: Segment) -> str:
    return f"{milliseconds(segment.start_s)}\t{milliseconds(segment.end_s)}\t{one_line(segment.text)}\n"
