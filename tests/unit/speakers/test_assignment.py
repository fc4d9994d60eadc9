"""Which words are whose."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from whispercore.speakers.assignment import ByTurns, by_channel, by_nobody
from whispercore.speakers.diarizer import Turn
from whispercore.transcript import Segment, Word

ANN, BOB, CAT = "speaker_1", "speaker_2", "speaker_3"


def said(text: str, start_s: float, each_s: float = 1.0) -> Segment:
    """A segment whose words follow each other without a pause."""
    words = tuple(
        Word(text=word, start_s=start_s + at * each_s, end_s=start_s + (at + 1) * each_s, confidence=0.5)
        for at, word in enumerate(text.split())
    )
    return Segment(text=text, start_s=start_s, end_s=words[-1].end_s, words=words, confidence=0.5)


def who(segments: list[Segment]) -> list[tuple[str | None, str]]:
    return [(one.speaker, one.text) for one in segments]


def test_a_word_is_of_whoever_speaks_longest_in_it() -> None:
    turns = (Turn(0.0, 2.4, 0), Turn(2.4, 5.0, 1))
    made = ByTurns(turns)([said("one two three four", 0.0)])
    assert who(made) == [(ANN, "one two"), (BOB, "three four")]
    assert [(one.start_s, one.end_s) for one in made] == [(0.0, 2.0), (2.0, 4.0)]
    assert [word.speaker for one in made for word in one.words] == [ANN, ANN, BOB, BOB]


def test_who_speaks_over_another_counts_by_length() -> None:
    turns = (Turn(0.0, 9.0, 0), Turn(1.0, 1.6, 1), Turn(1.3, 1.9, 1), Turn(2.0, 3.0, 1))
    made = ByTurns(turns)([said("a b c", 0.0)])
    assert who(made) == [(ANN, "a"), (BOB, "b"), (ANN, "c")], "of two who speak as long, the one who began first"


def test_a_word_in_a_pause_is_of_the_nearest_turn() -> None:
    turns = (Turn(0.0, 1.0, 0), Turn(6.0, 7.0, 1))
    assert who(ByTurns(turns)([said("x", 1.5)])) == [(ANN, "x")]
    assert who(ByTurns(turns)([said("x", 4.5)])) == [(BOB, "x")]
    assert who(ByTurns(turns)([said("x", 3.0)])) == [(ANN, "x")], "between two, the one before"
    assert who(ByTurns(turns)([said("x", 90.0)])) == [(BOB, "x")]


def test_the_nearest_turn_may_have_begun_long_before() -> None:
    turns = (Turn(0.0, 10.0, 0), Turn(1.0, 2.0, 1), Turn(30.0, 31.0, 2))
    assert who(ByTurns(turns)([said("x", 10.5)])) == [(ANN, "x")]
    assert who(ByTurns(turns)([said("x", 9.0)])) == [(ANN, "x")]


def test_a_word_of_no_length_is_of_the_turn_around_it() -> None:
    word = Word(text="x", start_s=5.0, end_s=5.0)
    segment = Segment(text="x", start_s=5.0, end_s=5.0, words=(word,))
    assert who(ByTurns((Turn(0.0, 4.9, 0), Turn(4.95, 6.0, 1)))([segment])) == [(BOB, "x")]


def test_without_words_a_segment_is_of_whoever_speaks_longest_in_it() -> None:
    segment = Segment(text="one two", start_s=0.0, end_s=4.0)
    assert who(ByTurns((Turn(0.0, 1.0, 0), Turn(1.0, 4.0, 1)))([segment])) == [(BOB, "one two")]


def test_where_nobody_was_heard_nobody_spoke() -> None:
    assert who(ByTurns(())([said("one two", 0.0)])) == [(None, "one two")]


def test_words_go_where_nobody_asked_for_them() -> None:
    made = ByTurns((Turn(0.0, 1.0, 0), Turn(1.0, 2.0, 1)), keep_words=False)([said("one two", 0.0)])
    assert who(made) == [(ANN, "one"), (BOB, "two")]
    assert not any(one.words for one in made)


def test_the_text_is_cut_as_it_was_written() -> None:
    characters = "你好。OK 再见"
    words = [Word(text=text, start_s=at, end_s=at + 1) for at, text in enumerate(["你", "好。", "OK", "再", "见"])]
    segment = Segment(text=characters, start_s=0.0, end_s=5.0, words=tuple(words))
    made = ByTurns((Turn(0.0, 2.0, 0), Turn(2.0, 5.0, 1)))([segment])
    assert who(made) == [(ANN, "你好。"), (BOB, "OK 再见")]


def test_a_segment_of_one_speaker_stays_as_it_is() -> None:
    segment = said("one  two", 0.0)
    (made,) = ByTurns((Turn(0.0, 9.0, 2),))([segment])
    assert (made.speaker, made.text, made.confidence) == (CAT, "one  two", 0.5)


def test_by_channel_each_channel_is_a_speaker() -> None:
    left = Segment(text="a", start_s=0.0, end_s=1.0, channel=0, words=(Word(text="a", start_s=0.0, end_s=1.0),))
    right = Segment(text="b", start_s=1.0, end_s=2.0, channel=1)
    made = by_channel([left, right, left])
    assert who(made) == [(ANN, "a"), (BOB, "b"), (ANN, "a")]
    assert made[0].words[0].speaker == ANN
    assert by_nobody([left]) == [left]


TURNS = st.lists(
    st.builds(
        lambda start, length, speaker: Turn(start / 10, (start + length) / 10, speaker),
        st.integers(0, 300),
        st.integers(1, 100),
        st.integers(0, 3),
    ),
    max_size=12,
)


@given(TURNS, st.integers(0, 350), st.integers(0, 60))
def test_it_is_what_comparing_with_every_turn_gives(turns: list[Turn], start: int, length: int) -> None:
    word = Word(text="x", start_s=start / 10, end_s=(start + length) / 10)
    (made,) = ByTurns(tuple(turns))([Segment(text="x", start_s=word.start_s, end_s=word.end_s, words=(word,))])
    if not turns:
        assert made.speaker is None
        return
    spoken = dict.fromkeys(range(4), 0.0)
    for turn in turns:
        spoken[turn.speaker] += max(0.0, min(word.end_s, turn.end_s) - max(word.start_s, turn.start_s))
    mine = int((made.speaker or "").removeprefix("speaker_")) - 1
    if any(spoken.values()):
        assert spoken[mine] == pytest.approx(max(spoken.values()))
    else:
        away = {
            who: min(max(word.start_s - t.end_s, t.start_s - word.end_s, 0.0) for t in turns if t.speaker == who)
            for who in {t.speaker for t in turns}
        }
        assert away[mine] == pytest.approx(min(away.values()))


@given(TURNS, st.lists(st.sampled_from(["a", "bb", "c.", "a"]), min_size=1, max_size=12))
def test_no_word_is_lost(turns: list[Turn], words: list[str]) -> None:
    segment = said(" ".join(words), 3.0)
    made = ByTurns(tuple(turns))([segment])
    assert " ".join(one.text for one in made) == segment.text
    assert [word.text for one in made for word in one.words] == words
    assert [one.start_s for one in made] == sorted(one.start_s for one in made)
    assert (made[0].start_s, made[-1].end_s) == (segment.start_s, segment.end_s)
