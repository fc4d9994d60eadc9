"""Names and types that strangers give."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from whispercore.files.names import LONGEST, NAMELESS, OCTETS, clean_content_type, clean_name


@pytest.mark.parametrize(
    ("given_name", "shown"),
    [
        ("talk.wav", "talk.wav"),
        ("../../etc/passwd", "passwd"),
        ("..\\..\\boot.ini", "boot.ini"),
        ("C:\\talks\\one.mp3", "one.mp3"),
        ("/etc/passwd", "passwd"),
        ("a\0b.wav", "ab.wav"),
        ("line\nbreak\r.wav", "linebreak.wav"),
        ("  spaced out.wav ", "spaced out.wav"),
        ("", NAMELESS),
        (None, NAMELESS),
        ("..", NAMELESS),
        (".", NAMELESS),
        ("folder/", NAMELESS),
        ("\ud800", NAMELESS),
        ("cafe\u0301.wav", "caf\u00e9.wav"),
        ("Встреча 5 мая.ogg", "Встреча 5 мая.ogg"),
        ("会議の録音.m4a", "会議の録音.m4a"),
        ("SELECT committee <draft> -- O'Brien & sons; drop table tennis", None),
        (".hidden", ".hidden"),
        ("evil\u202egpj.exe", "evilgpj.exe"),
        ("\U0001f469\u200d\U0001f4bb.wav", None),
    ],
)
def test_names_are_shown_as_they_were_given_if_that_is_safe(given_name: str | None, shown: str | None) -> None:
    assert clean_name(given_name) == (given_name if shown is None else shown)


def test_a_name_that_is_too_long_keeps_its_ending() -> None:
    assert clean_name("x" * 10_000 + ".wav") == "x" * (LONGEST - 4) + ".wav"
    assert clean_name("x" * 10_000) == "x" * LONGEST
    assert len(clean_name("." + "x" * 10_000)) == LONGEST


@given(st.text())
def test_every_name_can_be_kept_and_shown(given_name: str) -> None:
    shown = clean_name(given_name)
    assert 1 <= len(shown) <= LONGEST
    assert not set(shown) & set("/\\\0\n\r")
    assert shown.encode()
    assert clean_name(shown) == shown


@pytest.mark.parametrize(
    ("declared", "kept"),
    [
        ("audio/wav", "audio/wav"),
        ("Audio/MPEG; codecs=x", "audio/mpeg"),
        ("application/vnd.x+json", "application/vnd.x+json"),
        (None, OCTETS),
        ("", OCTETS),
        ("nonsense", OCTETS),
        ("a/b/c", OCTETS),
        ("text/html\r\nX-Evil: 1", OCTETS),
        ("ä/b", OCTETS),
        ("a" * 10_000 + "/b", OCTETS),
    ],
)
def test_types_are_types(declared: str | None, kept: str) -> None:
    assert clean_content_type(declared) == kept
