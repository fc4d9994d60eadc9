"""Sentences and paragraphs: cut where people would, and nothing is lost."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from whispercore.sentences import LONG, PAUSE_S, paragraphs, sentences
from whispercore.transcript import Segment, Word


def said(*texts: str, speakers: str = "", pause_s: float = 0.1) -> list[Segment]:
    """A second for each text."""
    step_s = 1.0 + pause_s
    return [
        Segment(
            text=text,
            start_s=number * step_s,
            end_s=number * step_s + 1,
            speaker=speakers[number] if speakers else None,
        )
        for number, text in enumerate(texts)
    ]


def texts(segments: list[Segment], language: str = "en") -> list[str]:
    return [one.text for one in sentences(segments, language)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("It is noon. Is it? Yes! So…", ["It is noon.", "Is it?", "Yes!", "So…"]),
        ('He said "No." Then he left.', ['He said "No."', "Then he left."]),
        (
            "Dr. Smith met Mr. J. Jones vs. the U.S. Army. Good.",
            ["Dr. Smith met Mr. J. Jones vs. the U.S. Army.", "Good."],
        ),
        ("Bread, milk etc. are here. Tea etc. Coffee too.", ["Bread, milk etc. are here.", "Tea etc.", "Coffee too."]),
        ("Am 3. Mai, z.B. um 9 Uhr. Ja.", ["Am 3. Mai, z.B. um 9 Uhr.", "Ja."]),
        ("It costs 3.50 at example.com today. Fine.", ["It costs 3.50 at example.com today.", "Fine."]),
        ("Wait... what? No", ["Wait... what?", "No"]),
        ("Wait... No", ["Wait...", "No"]),
        ("¿Qué? ¡Sí! Vale.", ["¿Qué?", "¡Sí!", "Vale."]),
        ("no stops at all", ["no stops at all"]),
        ("", []),
        (" . ", ["."]),
    ],
)
def test_full_stops(text: str, expected: list[str]) -> None:
    assert texts(said(text)) == expected


def test_scripts_without_spaces() -> None:
    assert texts(said("今日は。「元気\uff1f」はい", "そうです。"), "ja") == [
        "今日は。",
        "「元気\uff1f」",
        "はいそうです。",
    ]


def test_a_sentence_of_several_segments() -> None:
    (one, two) = sentences(said("This goes", "on and on. And", "so on."), "en")
    assert (one.text, one.start_s) == ("This goes on and on.", 0.0)
    assert one.end_s == pytest.approx(1.1 + 8 / 11)
    assert (two.text, two.end_s) == ("And so on.", 3.2)


def test_a_cut_has_the_time_of_its_word() -> None:
    words = (
        Word(text="Yes.", start_s=0.1, end_s=0.3),
        Word(text="No", start_s=0.7, end_s=0.8),
        Word(text="way", start_s=0.8, end_s=0.9),
    )
    one, two = sentences([Segment(text="Yes. No way", start_s=0.0, end_s=1.0, words=words)], "en")
    assert (one.start_s, one.end_s, two.start_s, two.end_s) == (0.0, 0.3, 0.7, 1.0)


def test_somebody_else_and_a_long_pause_end_a_sentence() -> None:
    assert texts(said("I am", "you are", "here", speakers="AAB")) == ["I am you are", "here"]
    assert texts(said("I am", "here", pause_s=PAUSE_S)) == ["I am", "here"]


def test_a_talk_without_full_stops_ends_somewhere() -> None:
    found = texts(said(*("word " * 20 for _ in range(100))))
    assert all(LONG <= len(one) < LONG + 101 for one in found[:-1])
    assert sum(len(one.split()) for one in found) == 2000


def test_paragraphs_end_with_their_speaker_at_pauses_and_where_they_are_long() -> None:
    found = list(paragraphs(said("One.", "Two.", "Three.", speakers="AAB"), "en"))
    assert [(one.text, one.speaker, len(one.sentences)) for one in found] == [("One. Two.", "A", 2), ("Three.", "B", 1)]
    assert (found[0].start_s, found[0].end_s) == (0.0, 2.1)
    assert len(list(paragraphs(said("One.", "Two.", pause_s=PAUSE_S), "en"))) == 2
    assert len(list(paragraphs(said("A" * LONG + ".", "Two.", "Three."), "en"))) == 2


MARKS = ["a", "Dr.", "B.", "end.", "No!", "「", "語。", "語", "?", "...", "x.y", "3.", '"', "\n", "Ünï."]
PIECES = st.lists(st.sampled_from(MARKS), max_size=12)


@st.composite
def spoken(draw: st.DrawFn) -> list[Segment]:
    """Segments in order, some with words."""
    made, at_s = [], 0.0
    for pieces in draw(st.lists(PIECES, max_size=6)):
        start_s = at_s + draw(st.sampled_from([0.0, 0.5, 3.0]))
        at_s = start_s + draw(st.sampled_from([0.0, 1.0, 7.25]))
        each_s = (at_s - start_s) / max(1, len(pieces))
        words = tuple(
            Word(text=piece, start_s=start_s + number * each_s, end_s=start_s + (number + 1) * each_s)
            for number, piece in enumerate(pieces)
        )
        text = draw(st.sampled_from([" ", "  ", ""])).join(pieces)
        made.append(
            Segment(
                text=text,
                start_s=start_s,
                end_s=at_s,
                words=words if draw(st.booleans()) else (),
                speaker=draw(st.sampled_from([None, "A"])),
            )
        )
    return made


@given(spoken(), st.sampled_from(["en", "ja"]))
@settings(deadline=None)
def test_nothing_is_lost_and_all_is_in_order(segments: list[Segment], language: str) -> None:
    cut, whole = list(sentences(segments, language)), list(paragraphs(segments, language))
    expected = "".join("".join(one.text.split()) for one in segments)
    assert "".join("".join(one.text.split()) for one in cut) == expected
    assert "".join("".join(one.text.split()) for one in whole) == expected
    assert [one for paragraph in whole for one in paragraph.sentences] == cut
    assert all(one.text and one.text == one.text.strip() for one in cut)
    assert all(one.start_s <= one.end_s for one in cut)
    assert all(one.start_s <= two.start_s + 1e-9 and one.end_s <= two.end_s + 1e-9 for one, two in pairwise(cut))
    assert all(one.speaker == two.speaker for paragraph in whole for one, two in pairwise(paragraph.sentences))
