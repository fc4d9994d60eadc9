"""SubRip subtitles.

There is no standard and no escape, only what readers do:

- A blank line ends a cue, so no line of a cue is blank.
- Many readers take any line with an arrow (``-->``) for the times of a cue, so arrows in text lose all but one of
  their dashes (``->``), as in the subtitles of OpenAI's Whisper.
- Players show ``<b>`` and ``{b}`` in their own ways, but only within the cue, so these are left as they are.
- There is no mark for speakers; ``NAME: `` before the text is what subtitles for the deaf do.
"""

from __future__ import annotations

import re

from whispercore.formats.cue import Cue, cues
from whispercore.formats.options import CueOptions
from whispercore.formats.timestamps import stamp
from whispercore.transcript import Transcript

_ARROW = re.compile("--+>")


def write(transcript: Transcript, options: CueOptions) -> str:
    """Numbered cues with a blank line between; nothing at all when nothing is said."""
    found = cues(transcript, options, names=options.speakers)
    return "\n".join(_block(number, cue) for number, cue in enumerate(found, start=1))


def _block(number: int, cue: Cue) -> str:
    text = _ARROW.sub("->", "\n".join(cue.lines))
    return f"{number}\n{stamp(cue.start_ms, ',')} --> {stamp(cue.end_ms, ',')}\n{text}\n"
