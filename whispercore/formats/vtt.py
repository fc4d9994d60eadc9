"""WebVTT subtitles (https://www.w3.org/TR/webvtt1/)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from whispercore.formats.cue import Cue, cues
from whispercore.formats.line import one_line
from whispercore.formats.options import VttOptions
from whispercore.formats.timestamps import stamp
from whispercore.transcript import Transcript

if TYPE_CHECKING:
    from webvtt import Caption


def write(transcript: Transcript, options: VttOptions) -> str:
    """Cues, with the speaker as voice.

    No line is blank, because a blank line ends a cue; ``&``, ``<`` and ``>`` are escaped, so that text is neither
    taken for markup nor for the arrow (``-->``) between times.
    """
    from webvtt import WebVTT  # noqa: PLC0415 (who only lists formats does not pay for it)

    return WebVTT(captions=[_caption(cue, options) for cue in cues(transcript, options, names=False)]).content


def _caption(cue: Cue, options: VttOptions) -> Caption:
    from webvtt import Caption  # noqa: PLC0415 (as above)

    speaker = _escaped(one_line(cue.segment.speaker or "")) if options.speakers else ""
    lines = list(_timed(cue)) if options.words else [_escaped(line) for line in cue.lines]
    # A voice that covers its whole cue needs no end tag.
    payload = "\n".join(lines)
    return Caption(
        stamp(cue.start_ms, "."), stamp(cue.end_ms, "."), [f"<v {speaker}>{payload}" if speaker else payload]
    )


def _timed(cue: Cue) -> Iterator[str]:
    """Lines with a time before each word but the first: times in a cue rise, and lie between its own (6.4)."""
    last_ms = cue.start_ms
    for row in cue.rows:
        line = ""
        for piece in row:
            if last_ms < piece.start_ms < cue.end_ms:
                line += f"<{stamp(piece.start_ms, '.')}>"
                last_ms = piece.start_ms
            line += _escaped(piece.text)
        yield line


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
