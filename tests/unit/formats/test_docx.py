from __future__ import annotations

import io
import re

import docx
import pytest
from attrs import evolve
from docx.document import Document
from hypothesis import given, settings
from hypothesis import strategies as st

from whispercore.formats.line import one_line
from whispercore.formats.options import DocumentOptions
from whispercore.formats.timestamps import milliseconds, stamp
from whispercore.transcript import Segment, Transcript

PLAIN = DocumentOptions(layout="plain", speakers=False)


def read(written: bytes) -> Document:
    return docx.Document(io.BytesIO(written))


def texts(written: bytes) -> list[str]:
    return [paragraph.text for paragraph in read(written).paragraphs]


def expected(transcript: Transcript) -> list[str]:
    said = (re.sub("[\ufffe\uffff]", "\ufffd", one_line(one.text)) for one in transcript.segments)
    return [text for text in said if text]


def test_nothing_said_is_an_empty_document(silence: Transcript) -> None:
    assert texts(silence.to_docx()) == []


def test_times_names_and_a_title(silence: Transcript) -> None:
    said = evolve(silence, segments=(Segment(text="Good morning.", start_s=360_000.0, end_s=360_001.0, speaker="Ada"),))
    written = said.to_docx(DocumentOptions(title="The\x00 board", page="letter"))
    assert texts(written) == ["The board", "100:00:00  Ada: Good morning."]
    document = read(written)
    assert document.core_properties.title == "The board"
    assert document.core_properties.author == "whispercore"
    width = document.sections[0].page_width
    assert width is not None
    assert round(width.mm, 1) == 215.9
    assert [run.bold for run in document.paragraphs[1].runs] == [None, True, None]
    assert texts(said.to_docx(DocumentOptions(layout="speakers"))) == ["Ada: Good morning."]


@pytest.mark.parametrize(
    ("text", "turned"), [("שלום", True), ("\u202b\u0645\u0631\u062d", True), ("12 hello שלום", False)]
)
def test_text_from_right_to_left_is_marked(silence: Transcript, text: str, turned: bool) -> None:
    said = evolve(silence, segments=(Segment(text=text, start_s=0.0, end_s=1.0),))
    (paragraph,) = read(said.to_docx(PLAIN)).paragraphs
    assert ("<w:bidi/>" in paragraph._p.xml) == turned
    assert bool(paragraph.runs[-1].font.rtl) == turned


def test_awkward_text_stays_in_its_paragraph(silence: Transcript, awkward: str) -> None:
    said = evolve(silence, segments=(Segment(text=awkward, start_s=0.0, end_s=1.0),) * 2)
    assert texts(said.to_docx(PLAIN)) == expected(said)


@given(st.from_type(Transcript))
@settings(deadline=None, max_examples=20)
def test_a_paragraph_for_each_segment(transcript: Transcript) -> None:
    assert texts(transcript.to_docx(PLAIN)) == expected(transcript)
    timed = texts(transcript.to_docx(DocumentOptions(speakers=False)))
    clocks = [stamp(milliseconds(one.start_s), ".")[:-4] for one in transcript.segments if one_line(one.text)]
    assert timed == [f"{clock}  {text}" for clock, text in zip(clocks, expected(transcript), strict=True)]
