from __future__ import annotations

import csv
import io

from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from whispercore.formats.csv import HEAD, LANGUAGE, write
from whispercore.formats.line import one_line
from whispercore.formats.options import TableOptions
from whispercore.formats.timestamps import milliseconds
from whispercore.transcript import Segment, Transcript, Word

AS_IT_IS = TableOptions(escape_formulas=False)


def rows(written: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(written, newline=""), strict=True))


def row(said: Segment | Word) -> list[str]:
    confidence = "" if said.confidence is None else str(said.confidence)
    times = [f"{milliseconds(time_s) / 1000:.3f}" for time_s in (said.start_s, said.end_s)]
    return [*times, one_line(said.speaker or ""), confidence, one_line(said.text)]


def test_nothing_said_is_a_header(silence: Transcript) -> None:
    assert write(silence, TableOptions()) == "start_s,end_s,speaker,confidence,text\r\n"


def test_quotes_commas_and_the_hundredth_hour(silence: Transcript) -> None:
    said = Segment(text='He said "no", twice', start_s=360_000.0, end_s=360_001.5, speaker="Ada", confidence=0.5)
    written = write(evolve(silence, segments=(said,)), TableOptions())
    assert written.splitlines()[1] == '360000.000,360001.500,Ada,0.5,"He said ""no"", twice"'


def test_words_have_rows_and_the_speaker_of_their_segment(silence: Transcript) -> None:
    words = (Word(text="one", start_s=0.0, end_s=0.5), Word(text="two", start_s=0.5, end_s=1.0, speaker="Bob"))
    said = (
        Segment(text="one two", start_s=0.0, end_s=1.0, words=words, speaker="Ada"),
        Segment(text="no words", start_s=1.0, end_s=2.0),
    )
    found = rows(write(evolve(silence, segments=said), TableOptions(words=True)))
    assert [(one[2], one[4]) for one in found[1:]] == [("Ada", "one"), ("Bob", "two"), ("", "no words")]


def test_a_spreadsheet_computes_nothing(silence: Transcript) -> None:
    hostile = ['=HYPERLINK("http://x")', "+1", "-1", "@SUM(A1)"]
    said = tuple(Segment(text=text, start_s=0.0, end_s=1.0, speaker=text) for text in hostile)
    found = rows(write(evolve(silence, segments=said), TableOptions()))[1:]
    assert [(one[2], one[4]) for one in found] == [(f"'{text}", f"'{text}") for text in hostile]
    found = rows(write(evolve(silence, segments=said), AS_IT_IS))[1:]
    assert [one[4] for one in found] == hostile


def test_awkward_text_stays_in_its_cell(silence: Transcript, awkward: str) -> None:
    said = Segment(text=awkward, start_s=1.0, end_s=2.0, speaker=awkward)
    assert rows(write(evolve(silence, segments=(said, said)), AS_IT_IS))[1:] == [row(said)] * 2


@given(st.from_type(Transcript))
@settings(deadline=None)
def test_a_row_for_every_segment(transcript: Transcript) -> None:
    expected = [list(HEAD), *map(row, transcript.segments)]
    if transcript.languages:
        last = [LANGUAGE, *(one.language or "" for one in transcript.segments)]
        expected = [[*one, language] for one, language in zip(expected, last, strict=True)]
    assert rows(write(transcript, AS_IT_IS)) == expected


def test_words_have_the_language_of_their_segment(silence: Transcript) -> None:
    words = (Word(text="un", start_s=0.0, end_s=0.5), Word(text="deux", start_s=0.5, end_s=1.0))
    said = (
        Segment(text="un deux", start_s=0.0, end_s=1.0, words=words, language="fr"),
        Segment(text="three", start_s=1.0, end_s=2.0, language="en"),
    )
    found = rows(write(evolve(silence, segments=said), TableOptions(words=True)))
    assert [one[-1] for one in found] == [LANGUAGE, "fr", "fr", "en"]
