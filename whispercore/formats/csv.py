"""A table with commas between its columns (RFC 4180), for spreadsheets and data frames."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

from whispercore.formats.line import one_line
from whispercore.formats.options import TableOptions
from whispercore.formats.timestamps import milliseconds
from whispercore.transcript import Segment, Transcript, Word

HEAD = ("start_s", "end_s", "speaker", "confidence", "text")
LANGUAGE = "language"
_FORMULA = tuple("=+-@")
"""What spreadsheets compute; the tab and the line break of OWASP's list are never in a line."""


def write(transcript: Transcript, options: TableOptions) -> str:
    """A header, then a row for each segment, or for each word of those whose words are known.

    Where languages were told apart, the last column has that of the segment.

    Times are seconds with three digits after the point, so that all programs sort them.
    """
    text = io.StringIO()
    table = csv.writer(text)
    switches = bool(transcript.languages)
    table.writerow((*HEAD, LANGUAGE) if switches else HEAD)
    for segment in transcript.segments:
        for said in _rows(segment, words=options.words):
            speaker, words = one_line(said.speaker or segment.speaker or ""), one_line(said.text)
            if options.escape_formulas:
                speaker, words = _escaped(speaker), _escaped(words)
            confidence = "" if said.confidence is None else said.confidence
            row = (_seconds(said.start_s), _seconds(said.end_s), speaker, confidence, words)
            table.writerow((*row, one_line(segment.language or "")) if switches else row)
    return text.getvalue()


def _rows(segment: Segment, *, words: bool) -> Iterator[Segment | Word]:
    if words and segment.words:
        yield from segment.words
    else:
        yield segment


def _seconds(time_s: float) -> str:
    seconds, ms = divmod(milliseconds(time_s), 1000)
    return f"{seconds}.{ms:03}"


def _escaped(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA) else text
