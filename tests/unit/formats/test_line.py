from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from whispercore.formats.line import attributed, encodable, is_seen, one_line
from whispercore.transcript import Segment


def test_awkward_text_is_at_most_one_line(awkward: str) -> None:
    assert len(one_line(awkward).splitlines()) <= 1


@given(st.text())
@settings(deadline=None)
def test_a_line_has_no_control_characters_and_no_margins(text: str) -> None:
    line = one_line(text)
    assert not {unicodedata.category(character) for character in line} & {"Cc", "Cs", "Zl", "Zp"}
    assert line == line.strip() == one_line(line)
    assert "  " not in line


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("  a \r\n\t b ", "a b"),
        ("a\x00b", "a b"),
        ("a\u2028b", "a b"),
        ("Quoi\u202f?\u00a0Non", "Quoi\u202f?\u00a0Non"),
        ("\u3000", ""),
        ("👩\u200d👧", "👩\u200d👧"),
    ],
)
def test_what_becomes_a_space(text: str, line: str) -> None:
    assert one_line(text) == line


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("", False),
        (" \t\u3000", False),
        ("\u200b\ufeff\u202e", False),
        ("\u200b.", True),
        ("👩\u200d👧", True),
        ("م", True),
    ],
)
def test_what_is_seen(text: str, seen: bool) -> None:
    assert is_seen(text) is seen


def test_surrogates_are_replaced_and_nothing_else() -> None:
    assert encodable("a\ud800\udfff\r\x00😀") == "a\ufffd\ufffd\r\x00😀"


@pytest.mark.parametrize(
    ("speaker", "text", "line"),
    [(None, "hi", "hi"), ("", "hi", "hi"), (" \n", "hi", "hi"), ("A\nB", "hi", "A B: hi"), ("A", " \t", "")],
)
def test_speakers_come_first(speaker: str | None, text: str, line: str) -> None:
    assert attributed(Segment(text=text, start_s=0.0, end_s=1.0, speaker=speaker)) == line
