"""What differs is found, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.transcripts.test_edits import HELLO, LAST, OPERATIONS, PLAIN, THREE, do, done, transcripts
from whispercore.transcript import Segment
from whispercore.transcripts.comparison import Change, changes, pieces
from whispercore.transcripts.operations import Insert, Merge, Move, Operation, Remove, SetSpeaker, SetText, Split
from whispercore.transcripts.tokens import Effort


def told(*operations: Operation) -> list[tuple[str, list[int], list[int], tuple[str, ...]]]:
    return [_told(one) for one in changes(THREE, do(*operations))]


def _told(one: Change) -> tuple[str, list[int], list[int], tuple[str, ...]]:
    return one.kind, [place for place, _ in one.before], [place for place, _ in one.after], one.aspects


@pytest.mark.parametrize(
    ("operations", "expected"),
    [
        ([], []),
        ([SetText(segment=1, text="It is one.")], [("changed", [1], [1], ("text",))]),
        ([SetSpeaker(segment=1, speaker="Bob")], [("changed", [1], [1], ("speaker",))]),
        ([Split(segment=0, at=12)], [("changed", [0], [0, 1], ("times",))]),
        ([Merge(segment=1)], [("changed", [1, 2], [1], ("times",))]),
        ([Move(segment=1, end_s=7.5)], [("changed", [1], [1], ("times",))]),
        ([Move(segment=0, start_s=20, end_s=23)], [("changed", [0], [2], ("times",))]),
        ([Remove(segment=1)], [("removed", [1], [], ())]),
        ([Insert(start_s=6.5, end_s=7, text="x")], [("added", [], [2], ())]),
        (
            [Split(segment=0, at=12), SetText(segment=1, text="all."), SetSpeaker(segment=1, speaker="Bob")],
            [("changed", [0], [0, 1], ("text", "speaker", "times"))],
        ),
        (
            [Move(segment=0, end_s=3.5), Move(segment=1, start_s=3.5)],
            [("changed", [0], [0], ("times",)), ("changed", [1], [1], ("times",))],
        ),
    ],
)
def test_each_operation_is_told_as_it_is(operations: list[Operation], expected: Any) -> None:
    assert told(*operations) == expected


def test_channels_are_compared_each_for_itself() -> None:
    left = evolve(HELLO, channel=0)
    right = evolve(HELLO, channel=1, text="Good morning.")
    (only,) = changes((left, right), (left, evolve(right, text="Good evening.")))
    assert _told(only) == ("changed", [1], [1], ("text",))


def test_the_words_of_a_change() -> None:
    (change,) = changes(THREE, do(SetText(segment=0, text="Hello my dear world.")))
    assert [(one.kind, one.text) for one in pieces(change, Effort(1000))] == [
        ("same", "Hello "),
        ("removed", "there, "),
        ("added", "my dear "),
        ("same", "world."),
    ]
    assert [(one.kind, one.text) for one in pieces(change, Effort(0))][1:] == [
        ("removed", "there, "),
        ("added", "my dear "),
        ("same", "world."),
    ]
    (gone,) = changes(THREE, (HELLO, PLAIN))
    assert [(one.kind, one.text) for one in pieces(gone, Effort(0))] == [("removed", LAST.text)]


def test_segments_without_length() -> None:
    point = Segment(text="x", start_s=1.0, end_s=1.0)
    long = Segment(text="long", start_s=0.0, end_s=2.0)
    assert changes((point, point), (point, point)) == []
    assert [_told(one) for one in changes((point,), (long,))] == [("changed", [0], [0], ("text", "times"))]


@given(transcripts(), st.lists(OPERATIONS, max_size=6))
def test_all_that_differs_is_told_once(segments: tuple[Segment, ...], operations: list[Operation]) -> None:
    made = done(segments, operations)
    found = changes(segments, made)
    for side, whole in (("before", segments), ("after", made)):
        places = [place for change in found for place, _ in getattr(change, side)]
        assert len(places) == len(set(places))
        for change in found:
            assert all(whole[place] == one for place, one in getattr(change, side))
    told_before = {place for change in found for place, _ in change.before}
    told_after = {place for change in found for place, _ in change.after}

    def seen(whole: tuple[Segment, ...], told: set[int]) -> list[Any]:
        left = (one for place, one in enumerate(whole) if place not in told)
        return sorted((one.text.split(), one.speaker or "", one.start_s, one.end_s) for one in left)

    assert seen(segments, told_before) == seen(made, told_after), "what is not told is the same"
    for change in found:
        assert change.before or change.after
        told_ = pieces(change, Effort(10_000))
        old, new = (" ".join(one.text for _, one in side) for side in (change.before, change.after))
        assert "".join(one.text for one in told_ if one.kind != "removed") == new
        was = "".join(one.text for one in told_ if one.kind != "added")
        assert "".join(was.split()) == "".join(old.split())


@given(transcripts())
def test_a_transcript_is_like_itself(segments: tuple[Segment, ...]) -> None:
    assert changes(segments, segments) == []
