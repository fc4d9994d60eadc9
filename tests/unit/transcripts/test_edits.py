"""Whatever is done to segments, what comes out is a transcript."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from whispercore.errors import InvalidRequest
from whispercore.quality import judged
from whispercore.transcript import Segment, Word
from whispercore.transcripts.edits import edited, renamed
from whispercore.transcripts.operations import (
    Insert,
    Merge,
    Move,
    Operation,
    Remove,
    SetSpeaker,
    SetText,
    Split,
)

DURATION_S = 30.0
HELLO = Segment(
    text="Hello there, world.",
    start_s=0.0,
    end_s=3.0,
    confidence=0.9,
    words=(
        Word(text="Hello", start_s=0.2, end_s=0.8, confidence=0.95),
        Word(text="there,", start_s=1.0, end_s=1.4, confidence=0.9),
        Word(text="world.", start_s=2.0, end_s=2.8, confidence=0.85),
    ),
)
PLAIN = Segment(
    text="It is noon.", start_s=3.0, end_s=6.0, confidence=0.5, speaker="Ann", quality=judged("It is noon.")
)
LAST = Segment(
    text="So it is.",
    start_s=8.0,
    end_s=10.0,
    confidence=0.7,
    speaker="Ann",
    quality=judged("So it is.", avg_logprob=-0.4),
)
THREE = (HELLO, PLAIN, LAST)


def do(*operations: Operation, of: Sequence[Segment] = THREE, language: str = "en") -> tuple[Segment, ...]:
    return edited(of, operations, language=language, duration_s=DURATION_S)


def texts(segments: Sequence[Segment]) -> list[str]:
    return [one.text for one in segments]


def borders(segments: Sequence[Segment]) -> list[tuple[float, float]]:
    return [(one.start_s, one.end_s) for one in segments]


def spoken(segment: Segment) -> list[tuple[str, float, float, float | None]]:
    return [(word.text, word.start_s, word.end_s, word.confidence) for word in segment.words]


# ---------------------------------------------------------------- each operation


def test_a_text_keeps_the_times_of_the_words_that_stay() -> None:
    (one, *others) = do(SetText(segment=0, text=" Hello, dear world! "))
    assert one.text == "Hello, dear world!"
    assert (one.start_s, one.end_s, one.confidence) == (0.0, 3.0, None)
    assert spoken(one) == [("Hello,", 0.2, 0.8, 0.95), ("dear", 1.0, 1.4, None), ("world!", 2.0, 2.8, 0.85)]
    assert tuple(others) == THREE[1:]


def test_the_same_text_changes_nothing() -> None:
    assert do(SetText(segment=0, text="Hello there,\n world.")) == THREE


def test_a_text_without_word_times_gets_none() -> None:
    assert do(SetText(segment=1, text="It is one."))[1] == evolve(
        PLAIN, text="It is one.", confidence=None, quality=None
    )


def test_a_speaker_is_named_and_forgotten() -> None:
    named = do(SetSpeaker(segment=0, speaker=" Zoë\t"), SetSpeaker(segment=1, speaker=None))
    assert [one.speaker for one in named] == ["Zoë", None, "Ann"]
    assert named[0].words == HELLO.words


def test_a_split_is_between_the_words() -> None:
    first, second, *_ = do(Split(segment=0, at=12))
    assert texts((first, second)) == ["Hello there,", "world."]
    assert borders((first, second)) == [(0.0, 1.7), (1.7, 3.0)]
    assert first.words + second.words == HELLO.words
    assert (first.confidence, second.confidence) == (0.9, 0.9)


def test_a_split_inside_a_word_divides_its_time() -> None:
    first, second, *_ = do(Split(segment=0, at=9))
    assert texts((first, second)) == ["Hello the", "re, world."]
    assert spoken(first)[-1] == ("the", 1.0, 1.2, 0.9)
    assert spoken(second)[0] == ("re,", 1.2, 1.4, 0.9)
    assert first.end_s == second.start_s == 1.2


def test_a_split_without_words_is_by_characters_and_where_one_says_it_is() -> None:
    assert borders(do(Split(segment=1, at=5))[1:3]) == [(3.0, 4.364), (4.364, 6.0)]
    assert borders(do(Split(segment=1, at=5, time_s=5.5))[1:3]) == [(3.0, 5.5), (5.5, 6.0)]
    first, second, *_ = do(Split(segment=0, at=12, time_s=0.5))
    assert borders((first, second)) == [(0.0, 0.5), (0.5, 3.0)]
    assert all(word.end_s <= 0.5 for word in first.words)
    assert [word.text for word in first.words] == ["Hello", "there,"]


def test_a_merge_is_one_segment() -> None:
    with_speaker = evolve(HELLO, speaker="Ann")
    one, last = do(Merge(segment=0), of=(with_speaker, PLAIN, LAST))
    assert (one.text, one.start_s, one.end_s, one.words) == ("Hello there, world. It is noon.", 0.0, 6.0, ())
    assert one.confidence == pytest.approx(0.7)
    assert last == LAST
    (all_,) = do(Merge(segment=0, count=3), of=(with_speaker, PLAIN, LAST))
    assert (all_.text, all_.end_s) == ("Hello there, world. It is noon. So it is.", 10.0)
    (joined,) = do(
        Merge(segment=0),
        of=(Segment(text="今日", start_s=0, end_s=1), Segment(text="は", start_s=1, end_s=2)),
        language="ja",
    )
    assert joined.text == "今日は"


def test_a_merge_of_two_languages_is_in_none() -> None:
    german = [evolve(one, language="de", language_probability=0.9, speaker=None) for one in (HELLO, PLAIN, LAST)]
    (same,) = do(Merge(segment=0, count=3), of=german)
    assert (same.language, same.language_probability) == ("de", 0.9)
    (mixed,) = do(Merge(segment=0, count=3), of=[*german[:2], evolve(german[2], language="fr")])
    assert (mixed.language, mixed.language_probability) == (None, None)


def test_a_split_and_a_merge_are_undone_by_each_other() -> None:
    merged = do(Split(segment=0, at=12), Merge(segment=0))
    assert merged == THREE


def test_a_merge_leaves_other_channels_alone() -> None:
    left = [Segment(text=f"l{n}", start_s=n, end_s=n + 1, channel=0) for n in range(2)]
    right = [Segment(text=f"r{n}", start_s=n + 0.5, end_s=n + 1.5, channel=1) for n in range(2)]
    merged = do(Merge(segment=0), of=(left[0], right[0], left[1], right[1]))
    assert [(one.channel, one.text) for one in merged] == [(0, "l0 l1"), (1, "r0"), (1, "r1")]


def test_borders_move_in_any_order() -> None:
    for operations in (
        [Move(segment=0, end_s=3.5), Move(segment=1, start_s=3.5)],
        [Move(segment=1, start_s=3.5), Move(segment=0, end_s=3.5)],
    ):
        assert borders(do(*operations)) == [(0.0, 3.5), (3.5, 6.0), (8.0, 10.0)]


def test_words_move_with_their_segment_and_stay_when_they_are_still_inside() -> None:
    moved = do(Move(segment=0, start_s=20, end_s=23))
    assert texts(moved) == ["It is noon.", "So it is.", "Hello there, world."]
    assert [round(word.start_s, 3) for word in moved[2].words] == [20.2, 21.0, 22.0]
    assert do(Move(segment=0, end_s=2.9))[0].words == HELLO.words
    assert do(Move(segment=0, end_s=2.5))[0].words[-1] == evolve(HELLO.words[-1], end_s=2.5)


def test_what_is_missing_comes_in_where_it_was_said_and_what_is_wrong_goes() -> None:
    made = do(Insert(start_s=6.5, end_s=7.5, text="Really?", speaker="Bob"), Remove(segment=0))
    assert texts(made) == ["It is noon.", "Really?", "So it is."]
    assert made[1] == Segment(text="Really?", start_s=6.5, end_s=7.5, speaker="Bob")
    assert do(Remove(segment=0), Remove(segment=0), Remove(segment=0)) == ()


def test_each_operation_sees_what_the_one_before_has_left() -> None:
    made = do(
        Split(segment=1, at=5),
        SetText(segment=2, text="noon!"),
        SetSpeaker(segment=1, speaker="Bob"),
        Remove(segment=3),
    )
    assert [(one.text, one.speaker) for one in made] == [
        ("Hello there, world.", None),
        ("It is", "Bob"),
        ("noon!", "Ann"),
    ]


def test_renaming_a_speaker() -> None:
    word = Word(text="So", start_s=8, end_s=9, speaker="Ann")
    made = renamed((HELLO, PLAIN, evolve(LAST, words=(word,))), "Ann", "Dr Ann")
    assert [one.speaker for one in made] == [None, "Dr Ann", "Dr Ann"]
    assert made[2].words[0].speaker == "Dr Ann"
    assert [one.speaker for one in renamed(THREE, None, "Bob")] == ["Bob", "Ann", "Ann"]
    assert [one.speaker for one in renamed(THREE, "Ann", None)] == [None, None, None]


# ---------------------------------------------------------------- what cannot be done


@pytest.mark.parametrize(
    ("operations", "field"),
    [
        ([SetText(segment=3, text="x")], "operations[0].segment"),
        ([Remove(segment=2), Remove(segment=2)], "operations[1].segment"),
        ([SetText(segment=0, text=" \u2028\t")], "operations[0].text"),
        ([SetSpeaker(segment=0, speaker="\n")], "operations[0].speaker"),
        ([SetSpeaker(segment=0, speaker="\u202e")], "operations[0].speaker"),
        ([SetText(segment=0, text=" \u200b\ufeff ")], "operations[0].text"),
        ([Split(segment=0, at=19)], "operations[0].at"),
        ([Split(segment=0, at=5000)], "operations[0].at"),
        ([Split(segment=0, at=5, time_s=3.0)], "operations[0].time"),
        ([Split(segment=1, at=5, time_s=2.0)], "operations[0].time"),
        ([Merge(segment=2)], "operations[0].count"),
        ([Merge(segment=0)], "operations[0].segment"),
        ([Move(segment=0)], "operations[0].start"),
        ([Move(segment=0, start_s=3.0)], "operations[0].start"),
        ([Move(segment=0, end_s=0.0)], "operations[0].end"),
        ([Move(segment=2, end_s=30.1)], "operations[0].end"),
        ([Move(segment=0, end_s=3.1)], "operations[0].end"),
        ([Move(segment=1, start_s=2.9)], "operations[0].start"),
        ([Move(segment=2, start_s=1.0)], "operations[0].start"),
        ([Move(segment=0, start_s=4.0, end_s=20.0)], "operations[0].start"),
        ([Insert(start_s=5.0, end_s=7.0, text="x")], "operations[0].start"),
        ([Insert(start_s=6.0, end_s=8.5, text="x")], "operations[0].end"),
        ([Insert(start_s=7.0, end_s=7.0, text="x")], "operations[0].end"),
        ([Insert(start_s=29.0, end_s=31.0, text="x")], "operations[0].end"),
        ([Split(segment=1, at=5), Move(segment=1, end_s=5.9)], "operations[1].end"),
    ],
)
def test_what_cannot_be_done_is_told_with_its_field(operations: list[Operation], field: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        do(*operations)
    assert [one.field for one in caught.value.problems] == [field]


def test_what_overlapped_before_may_stay() -> None:
    overlapping = (HELLO, evolve(PLAIN, start_s=2.0), LAST)
    assert do(SetText(segment=0, text="x"), Move(segment=2, end_s=11), of=overlapping)[2].end_s == 11
    with pytest.raises(InvalidRequest):
        do(Move(segment=1, start_s=2.5), of=overlapping)
    assert do(Move(segment=1, start_s=3.0), of=overlapping) == THREE
    with pytest.raises(InvalidRequest):  # it reaches over its neighbour, to which it has not been moved
        do(Insert(start_s=4, end_s=5, text="x"), of=(evolve(HELLO, end_s=10), evolve(PLAIN, start_s=1, end_s=2)))


def test_a_segment_does_not_grow_without_end() -> None:
    long = Segment(text="x" * 6000, start_s=0, end_s=1)
    with pytest.raises(InvalidRequest, match=r"operations\[0\]\.count: together they have 12001 characters"):
        do(Merge(segment=0), of=(long, evolve(long, start_s=1, end_s=2)))


# ---------------------------------------------------------------- whatever is done

WORDS = st.sampled_from(
    ["Hello", "there,", "it", "is", "noon.", "über", "👩‍👩‍👧", "今日は", "שלום", "a-b", "-->", "<b>"]
)
TEXTS = st.lists(WORDS, min_size=1, max_size=6).map(" ".join)
PLACES = st.integers(0, 5)
TIMES = st.floats(0, DURATION_S).map(lambda at_s: round(at_s, 2))


@st.composite
def transcripts(draw: st.DrawFn) -> tuple[Segment, ...]:
    """As engines write them: in order, words inside their segments."""
    count = draw(st.integers(1, 5))
    marks = sorted(draw(st.lists(TIMES, min_size=2 * count, max_size=2 * count)))
    made = []
    for number in range(count):
        start_s, end_s = marks[2 * number], marks[2 * number + 1]
        text = draw(TEXTS)
        words: tuple[Word, ...] = ()
        if draw(st.booleans()):
            parts = text.split()
            at = [start_s + (end_s - start_s) * share / len(parts) for share in range(len(parts) + 1)]
            words = tuple(
                Word(text=part, start_s=first, end_s=min(last, end_s), confidence=0.5)
                for part, (first, last) in zip(parts, pairwise(at), strict=True)
            )
        speaker = draw(st.sampled_from([None, "Ann"]))
        made.append(Segment(text=text, start_s=start_s, end_s=end_s, words=words, speaker=speaker))
    return tuple(made)


OPERATIONS: st.SearchStrategy[Any] = st.one_of(
    st.builds(SetText, segment=PLACES, text=TEXTS),
    st.builds(SetSpeaker, segment=PLACES, speaker=st.sampled_from([None, "Ann", "Bob"])),
    st.builds(Split, segment=PLACES, at=st.integers(1, 30), time_s=st.none() | TIMES),
    st.builds(Merge, segment=PLACES, count=st.integers(2, 3)),
    st.builds(Move, segment=PLACES, start_s=st.none() | TIMES, end_s=st.none() | TIMES),
    st.builds(Insert, start_s=TIMES, end_s=TIMES, text=TEXTS),
    st.builds(Remove, segment=PLACES),
)


def done(segments: tuple[Segment, ...], operations: Sequence[Operation]) -> tuple[Segment, ...]:
    """All that can be done of it, one after the other."""
    for operation in operations:
        try:
            segments = do(operation, of=segments)
        except InvalidRequest as error:
            assert all(one.field.startswith("operations[0].") for one in error.problems)
    return segments


@given(transcripts(), st.lists(OPERATIONS, max_size=6))
def test_what_comes_out_is_a_transcript(segments: tuple[Segment, ...], operations: list[Operation]) -> None:
    made = done(segments, operations)
    for one in made:
        assert one.text == one.text.strip() != ""
        assert 0 <= one.start_s <= one.end_s <= DURATION_S
        # the words are the text, in order of time and inside
        assert "".join(word.text for word in one.words) in ("", "".join(one.text.split()))
        times = [at_s for word in one.words for at_s in (word.start_s, word.end_s)]
        assert times == sorted(times)
        assert all(one.start_s - 0.001 <= at_s <= one.end_s + 0.001 for at_s in times)
    for one, other in pairwise(made):
        assert one.end_s <= other.start_s + 0.001


@given(transcripts(), st.lists(OPERATIONS, max_size=4))
def test_together_they_do_what_they_do_one_by_one(segments: tuple[Segment, ...], operations: list[Operation]) -> None:
    try:
        together = do(*operations, of=segments)
    except InvalidRequest:
        return
    if not any(isinstance(one, Move | Insert) for one in operations):  # borders may be wrong in between
        assert together == done(segments, operations)


@given(transcripts(), PLACES, st.integers(1, 30))
def test_a_split_loses_nothing(segments: tuple[Segment, ...], place: int, at: int) -> None:
    made = done(segments, [Split(segment=place, at=at)])
    assert "".join("".join(texts(made)).split()) == "".join("".join(texts(segments)).split())
    if len(made) > len(segments):
        assert (borders(made)[place][0], borders(made)[place + 1][1]) == borders(segments)[place]


@given(transcripts(), PLACES, TEXTS, TEXTS)
def test_words_that_were_there_are_found_again(
    segments: tuple[Segment, ...], place: int, before: str, behind: str
) -> None:
    """Something before and behind: all that was said keeps its times."""
    if place >= len(segments):
        return
    was = segments[place]
    made = do(SetText(segment=place, text=f"1 {before} {was.text} {behind} 2"), of=segments)[place]
    kept = json.dumps([(word.text, word.start_s, word.end_s) for word in was.words])[1:-1]
    if (
        was.words
        and not set(before.split()) & set(was.text.split())
        and not set(behind.split()) & set(was.text.split())
    ):
        assert kept in json.dumps([(word.text, word.start_s, word.end_s) for word in made.words])
