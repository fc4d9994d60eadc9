"""Lyrics: a time before each line, or before each word ("enhanced" LRC).

There is no standard. What would be taken for a time in the text of a line loses its bracket to the one of full width.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from whispercore.formats.cue import Cue, cues
from whispercore.formats.line import one_line
from whispercore.formats.options import CueOptions, LyricsOptions
from whispercore.transcript import Transcript

_TAG = re.compile(r"^\[|\[(?=[0-9]+:)|<(?=[0-9]+:)")
_WIDE = {"[": "\uff3b", "<": "\uff1c"}


def write(transcript: Transcript, options: LyricsOptions) -> str:
    """A head, then a line for each line of a subtitle; minutes go on counting above 59."""
    rules = CueOptions(line_length=options.line_length, lines=1, gap_ms=0, speakers=options.speakers)
    title = one_line(options.title).replace("[", "(").replace("]", ")")
    head = (f"[ti:{title}]\n" if title else "") + "[re:whispercore]\n"
    found = cues(transcript, rules, names=options.speakers)
    return head + "".join(f"{_stamp(cue.start_ms, '[]')}{_line(cue, words=options.words)}\n" for cue in found)


def _line(cue: Cue, *, words: bool) -> str:
    if not words:
        return _plain(cue.lines[0])
    return "".join(_timed(cue))


def _timed(cue: Cue) -> Iterator[str]:
    last_ms = -1
    for piece in cue.rows[0]:
        # Players want times that rise.
        if piece.start_ms > last_ms:
            yield _stamp(piece.start_ms, "<>")
            last_ms = piece.start_ms
        yield _plain(piece.text)


def _plain(text: str) -> str:
    return _TAG.sub(lambda found: _WIDE[found[0]], text)


def _stamp(ms: int, brackets: str) -> str:
    minutes, rest = divmod(ms // 10, 6000)
    return f"{brackets[0]}{minutes:02}:{rest // 100:02}.{rest % 100:02}{brackets[1]}"
