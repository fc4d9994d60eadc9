"""Words keep the times that were measured, and others are guessed from them."""

from __future__ import annotations

from itertools import pairwise

import pytest

from whispercore.transcript import Word
from whispercore.transcripts.alignment import aligned, cut, fitted
from whispercore.transcripts.tokens import Effort, blocks, tokens

Spoken = tuple[str, float, float, float | None]


def word(text: str, start_s: float, end_s: float) -> Word:
    return Word(text=text, start_s=start_s, end_s=end_s, confidence=0.5)


SAID = (word("the", 1.0, 1.2), word("cat", 1.5, 2.0), word("sat", 2.0, 2.5), word("down.", 3.0, 4.0))


def words_of(text: str, said: tuple[Word, ...] = SAID) -> list[Spoken]:
    return [(one.text, one.start_s, one.end_s, one.confidence) for one in aligned(said, text, 0.5, 5.0)]


@pytest.mark.parametrize(
    ("text", "changed"),
    [
        ("the cat sat down.", {}),
        ("The cat sat, down!", {0: ("The", 1.0, 1.2, 0.5), 2: ("sat,", 2.0, 2.5, 0.5), 3: ("down!", 3.0, 4.0, 0.5)}),
        ("the dog sat down.", {1: ("dog", 1.5, 2.0, None)}),
    ],
)
def test_a_word_that_stays_keeps_its_time(text: str, changed: dict[int, Spoken]) -> None:
    expected: list[Spoken] = [(one.text, one.start_s, one.end_s, one.confidence) for one in SAID]
    for place, one in changed.items():
        expected[place] = one
    assert words_of(text) == expected


def test_words_in_the_place_of_others_share_out_their_time() -> None:
    assert words_of("the a1b2 abcd down.")[1:3] == [("a1b2", 1.5, 2.0, None), ("abcd", 2.0, 2.5, None)]
    assert words_of("the a abc down.")[1:3] == [("a", 1.5, 1.75, None), ("abc", 1.75, 2.5, None)]
    assert [one[0] for one in words_of("the down.")] == ["the", "down."]


def test_words_in_between_share_out_the_pause() -> None:
    assert words_of("the cat sat right down.")[3] == ("right", 2.5, 3.0, None)
    assert words_of("the cat then sat down.")[2] == ("then", 2.0, 2.0, None), "there was no pause"
    assert words_of("so the cat sat down.")[0] == ("so", 0.5, 1.0, None)
    assert words_of("the cat sat down. now")[4] == ("now", 4.0, 5.0, None)


def test_words_begin_behind_those_whose_times_are_finer_than_milliseconds() -> None:
    said = (word("the", 0.0, 1 / 3), word("cat", 2 / 3, 0.9))
    assert words_of("the big cat", said)[1] == ("big", 1 / 3, 2 / 3, None)
    assert words_of("the cat sat", said)[2] == ("sat", 0.9, 5.0, None)
    assert words_of("a cat", (word("", 0.0, 0.5), *said))[0] == ("a", 0.0, 1 / 3, None), "a word may be empty"


def test_a_text_of_other_words_has_the_time_of_the_old_ones() -> None:
    assert words_of("x yyy") == [("x", 1.0, 1.75, None), ("yyy", 1.75, 4.0, None)]


def test_a_script_without_spaces() -> None:
    said = (word("今日", 0.0, 1.0), word("は", 1.0, 1.5), word("晴れ。", 1.5, 3.0))
    assert words_of("今日は晴れ。", said) == [("今日", 0.0, 1.0, 0.5), ("は", 1.0, 1.5, 0.5), ("晴れ。", 1.5, 3.0, 0.5)]
    assert words_of("今日も晴れ。", said)[1] == ("も", 1.0, 1.5, None)
    assert words_of("明日は晴れ。", said)[:2] == [("明", 0.0, 0.5, None), ("日", 0.5, 1.0, 0.5)]
    assert [one.text for one in tokens("ที่นี่ ok, 今日はabc。")] == ["ที่", "นี่", "ok,", "今", "日", "は", "abc。"]


def test_a_very_long_text_of_one_word_is_not_compared() -> None:
    said = tuple(word("no", n / 10, n / 10 + 0.1) for n in range(2000))
    made = aligned(said, "yes " + "no " * 1500 + "yes", 0.0, 300.0)
    assert len(made) == 1502
    assert all(one.start_s <= other.start_s for one, other in pairwise(made))
    assert {one.confidence for one in made} == {None}
    effort = Effort(10)
    assert blocks(list("abcd"), list("bcde"), effort) == [("replace", 0, 4, 0, 4)]
    assert effort.left == 10
    assert blocks(list("ab"), list("ba"), effort) == [
        ("insert", 0, 0, 0, 1),
        ("equal", 0, 1, 1, 2),
        ("delete", 1, 2, 2, 2),
    ]
    assert effort.left == 4


def test_other_borders() -> None:
    assert fitted(SAID, (1.0, 4.0), (0.0, 4.5)) == SAID
    assert [(one.start_s, one.end_s) for one in fitted(SAID, (1.0, 4.0), (1.1, 3.5))] == [
        (1.1, 1.2),
        (1.5, 2.0),
        (2.0, 2.5),
        (3.0, 3.5),
    ]
    assert [one.start_s for one in fitted(SAID, (1.0, 4.0), (11.0, 14.0))] == [11.0, 11.5, 12.0, 13.0]
    assert [one.end_s for one in fitted(SAID, (1.0, 4.0), (11.0, 12.5))] == [11.1, 11.5, 11.75, 12.5]
    assert {one.start_s for one in fitted(SAID, (1.0, 1.0), (11.0, 12.0))} == {11.0}


def test_words_that_are_not_in_their_text_are_cut_all_the_same() -> None:
    left, right, at_s = cut((word("other", 0, 1), word("words", 1, 2)), "some text here", 5)
    assert ([one.text for one in left + right], at_s) == (["other", "words"], None)
