"""Plain text."""

from __future__ import annotations

from whispercore.formats.options import TextOptions
from whispercore.formats.paragraph import Paragraph, paragraphs
from whispercore.formats.timestamps import stamp
from whispercore.transcript import Transcript


def write(transcript: Transcript, options: TextOptions) -> str:
    """One segment on a line, after ``NAME: `` where the speaker is known; segments without text are left out.

    With times, ``[00:00:01.000 --> 00:00:02.500] `` comes first. By speaker, all that one says is one line, and an
    empty one parts it from what the next one says; so it is between paragraphs.
    """
    between = "\n" if options.layout in ("speakers", "paragraphs") else ""
    found = paragraphs(transcript, options.layout, speakers=options.speakers)
    return between.join(_line(one, timed=options.layout == "timestamps") for one in found)


def _line(one: Paragraph, *, timed: bool) -> str:
    times = f"[{stamp(one.start_ms, '.')} --> {stamp(one.end_ms, '.')}] " if timed else ""
    name = f"{one.speaker}: " if one.speaker else ""
    return f"{times}{name}{one.text}\n"
