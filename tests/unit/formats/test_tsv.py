from __future__ import annotations

import csv
import io

from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from whispercore.formats.line import one_line
from whispercore.formats.timestamps import milliseconds
from whispercore.formats.tsv import write
from whispercore.transcript import Segment, Transcript


def rows(written: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(written, newline=""), delimiter="\t", quoting=csv.QUOTE_NONE))


def test_nothing_said_is_a_header(silence: Transcript) -> None:
    assert write(silence) == "start\tend\ttext\n"


def test_milliseconds_and_spaces_for_tabs(silence: Transcript) -> None:
    spoken = (
        Segment(text='"a\tb\r\nc', start_s=0.0005, end_s=360_000.0),
        Segment(text="", start_s=1.0, end_s=1.0),
    )
    assert write(evolve(silence, segments=spoken)) == 'start\tend\ttext\n1\t360000000\t"a b c\n1000\t1000\t\n'


def test_awkward_text_stays_in_its_cell(silence: Transcript, awkward: str) -> None:
    spoken = Segment(text=awkward, start_s=1.0, end_s=2.0)
    written = write(evolve(silence, segments=(spoken, spoken)))
    assert rows(written)[1:] == [["1000", "2000", one_line(awkward)]] * 2


@given(st.from_type(Transcript))
@settings(deadline=None)
def test_a_line_for_every_segment_and_three_columns(transcript: Transcript) -> None:
    written = write(transcript)
    expected = [
        [str(milliseconds(segment.start_s)), str(milliseconds(segment.end_s)), one_line(segment.text)]
        for segment in transcript.segments
    ]
    assert rows(written) == [line.split("\t") for line in written.splitlines()]
    assert rows(written) == [["start", "end", "text"], *expected]
