"""WebVTT subtitles (https://www.w3.org/TR/webvtt1/)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from whispercore.formats.cue import Cue, cues
from whispercore.formats.line import one_line
from whispercore.formats.timestamps import stamp
from whispercore.transcript import Segment, Transcript

if TYPE_CHECKING:
    from webvtt import Caption


def write(transcript: Transcript) -> str:
    """A cue for every segment in which something is said, with its speaker as voice.

    Text is in one line, because a blank line ends a cue; ``&``, ``<`` and ``>`` are escaped, so that text is neither
    taken for markup nor for the arrow (``-->``) between times.
    """
    from webvtt import WebVTT  # noqa: PLC0415 (who only lists formats does not pay for it)

    return WebVTT(captions=[_caption(cue) for cue in cues(transcript)]).content


def _caption(cue: Cue) -> Caption:
    from webvtt import Caption  # noqa: PLC0415 (as above)

    return Caption(stamp(cue.start_ms, "."), stamp(cue.end_ms, "."), [_payload(cue.segment)])


def _payload(segment: Segment) -> str:
    text = _escaped(one_line(segment.text))
    speaker = _escaped(one_line(segment.speaker or ""))
    # A voice that covers its whole cue needs no end tag.
    return f"<v {speaker}>{text}" if speaker else text


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
