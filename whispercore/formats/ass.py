"""Advanced SubStation Alpha: subtitles with a look, whose words appear as they are said."""

from __future__ import annotations

from typing import Final

from attrs import evolve

from whispercore.errors import InvalidOption
from whispercore.formats.ass_events import HEIGHT, WIDTH, events, ssa_style
from whispercore.formats.cue import cues
from whispercore.formats.line import one_line
from whispercore.formats.options import AssOptions
from whispercore.formats.timestamps import stamp
from whispercore.transcript import Transcript

_STYLE: Final = "Default"
_LAST_MS: Final = 10 * 3_600_000 - 10
"""The format has one digit for hours."""


def write(transcript: Transcript, options: AssOptions) -> str:
    """One style, and its events; the speaker is in their field ``Name`` too.

    Raises:
        InvalidOption: The transcript goes on for 10 hours or more, for which the format has no times.
    """
    from pysubs2 import SSAFile  # noqa: PLC0415 (who only lists formats does not pay for it)

    # Nothing stays for longer than it is spoken beyond what can be written.
    found = cues(
        evolve(transcript, duration_s=min(transcript.duration_s, _LAST_MS / 1000)), options, names=options.speakers
    )
    last_ms = max((cue.end_ms for cue in found), default=0)
    if last_ms > _LAST_MS:
        raise InvalidOption("format", f"ass has no times after 9:59:59.99, and this goes on to {stamp(last_ms, '.')}")
    file = SSAFile()
    file.info.update(
        {
            "Title": one_line(options.title) or "whispercore",
            "PlayResX": str(WIDTH),
            "PlayResY": str(HEIGHT),
            "WrapStyle": "0",
            "ScaledBorderAndShadow": "yes",
            "YCbCr Matrix": "TV.709",
        }
    )
    file.styles = {_STYLE: ssa_style(options)}
    file.events = list(events(found, options, _STYLE))
    return file.to_string("ass", header_notice="")
