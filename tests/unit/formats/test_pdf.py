from __future__ import annotations

import io
import shutil
import unicodedata
from collections import Counter
from pathlib import Path

import pypdf
import pytest
from attrs import evolve
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from hypothesis import given, settings
from hypothesis import strategies as st

from whispercore.errors import InvalidOption
from whispercore.formats.line import one_line
from whispercore.formats.options import PdfOptions
from whispercore.formats.pdf import FONT
from whispercore.transcript import Segment, Transcript

PLAIN = PdfOptions(layout="plain", speakers=False)


def pages(written: bytes) -> list[str]:
    """The text of each page, without the number at its foot."""
    found = []
    for number, page in enumerate(pypdf.PdfReader(io.BytesIO(written)).pages, start=1):
        text = page.extract_text()
        assert text.endswith(str(number))
        found.append(text.removesuffix(str(number)))
    return found


def letters(text: str) -> Counter[str]:
    """The characters that are seen, whatever their order: readers put text from right to left in their own."""
    return Counter(
        character
        for character in unicodedata.normalize("NFC", text)
        if not character.isspace() and unicodedata.category(character) not in ("Cf", "Mn") and character != "\ufffd"
    )


def spoken(silence: Transcript, *texts: str) -> Transcript:
    return evolve(silence, segments=tuple(Segment(text=text, start_s=0.0, end_s=1.0) for text in texts))


def test_nothing_said_is_an_empty_page(silence: Transcript) -> None:
    assert [text.strip() for text in pages(silence.to_pdf())] == [""]


def test_times_names_and_a_title(silence: Transcript) -> None:
    said = evolve(silence, segments=(Segment(text="Good morning.", start_s=360_000.0, end_s=360_001.0, speaker="Ada"),))
    written = said.to_pdf(PdfOptions(title="The board", page="letter"))
    assert pages(written)[0].split() == ["The", "board", "100:00:00", "Ada", "Good", "morning."]
    reader = pypdf.PdfReader(io.BytesIO(written))
    assert reader.metadata is not None
    assert (reader.metadata.title, reader.metadata.creator) == ("The board", "whispercore")
    assert round(reader.pages[0].mediabox.width) == 612


def test_long_text_takes_pages(silence: Transcript) -> None:
    said = spoken(silence, *(f"number {number} " + "word " * 60 for number in range(40)))
    found = pages(said.to_pdf(PLAIN))
    assert len(found) > 3
    assert " ".join(found).split() == " ".join(one.text for one in said.segments).split()


def test_scripts_are_shaped_and_put_in_order(silence: Transcript) -> None:
    texts = ("שלום עולם", "مرحبا بالعالم", "Ελληνικά, Кириллица, cafe\u0301", "fi ffl AV")
    (found,) = pages(spoken(silence, *texts).to_pdf(PLAIN))
    assert [unicodedata.normalize("NFC", line) for line in found.splitlines() if line.strip()] == [
        unicodedata.normalize("NFC", text) for text in texts
    ]


def test_what_no_font_has_is_refused(silence: Transcript) -> None:
    with pytest.raises(
        InvalidOption, match=r"^format: pdf has no font for 中 \(U\+4E2D\), 文 \(U\+6587\); WHISPERCORE_FONTS"
    ):
        spoken(silence, "中文").to_pdf()


def test_a_folder_has_more_fonts(silence: Transcript, tmp_path: Path) -> None:
    made = FontBuilder(1000, isTTF=True)
    made.setupGlyphOrder([".notdef", "zhong", "wen"])
    made.setupCharacterMap({0x4E2D: "zhong", 0x6587: "wen"})
    pen = TTGlyphPen(None)
    for point in ((0, 0), (900, 0), (900, 900)):
        (pen.moveTo if point == (0, 0) else pen.lineTo)(point)
    pen.closePath()
    glyph = pen.glyph()
    made.setupGlyf({".notdef": glyph, "zhong": glyph, "wen": glyph})
    made.setupHorizontalMetrics({".notdef": (1000, 0), "zhong": (1000, 0), "wen": (1000, 0)})
    made.setupHorizontalHeader(ascent=900, descent=-100)
    made.setupNameTable({"familyName": "Two", "styleName": "Regular"})
    made.setupOS2()
    made.setupPost()
    (tmp_path / "cjk").mkdir()
    made.save(tmp_path / "cjk" / "two.ttf")
    shutil.copy(FONT, tmp_path / "again.ttf")
    (tmp_path / "read.me").write_text("no font")
    (found,) = pages(spoken(silence, "say 中文 now").to_pdf(PdfOptions(layout="plain", fonts_dir=tmp_path)))
    assert found.split() == ["say", "中文", "now"]


def test_a_font_that_is_none_is_left_out(silence: Transcript, tmp_path: Path) -> None:
    (tmp_path / "broken.ttf").write_bytes(b"no font at all")
    with pytest.raises(InvalidOption, match="pdf has no font for 中"):
        spoken(silence, "中").to_pdf(PdfOptions(fonts_dir=tmp_path))


def test_awkward_text_is_there_or_refused(silence: Transcript, awkward: str) -> None:
    said = spoken(silence, awkward, "and this")
    try:
        found = "".join(pages(said.to_pdf(PLAIN)))
    except InvalidOption as error:
        assert "pdf has no font for" in error.reason
        assert "👩" in awkward
    else:
        assert letters(found) == letters(one_line(awkward) + "and this")


@given(st.from_type(Transcript))
@settings(deadline=None, max_examples=20)
def test_all_text_is_there_or_refused(transcript: Transcript) -> None:
    try:
        found = "".join(pages(transcript.to_pdf(PLAIN)))
    except InvalidOption as error:
        assert "pdf has no font for" in error.reason
    else:
        assert letters(found) == letters("".join(one_line(one.text) for one in transcript.segments))
