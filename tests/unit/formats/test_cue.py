from __future__ import annotations

from itertools import pairwise

import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from whispercore.formats.cue import cues
from whispercore.transcript import Segment, Transcript


@pytest.mark.parametrize(
    ("start_s", "end_s", "times"),
    [
        (1.0, 2.0, (1000, 2000)),
        (1.0, 1.0, (1000, 1001)),
        (1.0, 1.0004, (1000, 1001)),
        (2.0, 1.0, (2000, 2001)),
        (-1.0, -0.5, (0, 1)),
    ],
)
def test_cues_last(silence: Transcript, start_s: float, end_s: float, times: tuple[int, int]) -> None:
    (cue,) = cues(evolve(silence, segments=(Segment(text="hi", start_s=start_s, end_s=end_s),)))
    assert (cue.start_ms, cue.end_ms) == times


def test_silent_segments_are_left_out(silence: Transcript) -> None:
    silent = tuple(Segment(text=text, start_s=0.0, end_s=1.0, speaker="A") for text in ("", " ", "\n\x00", "\u3000"))
    assert cues(evolve(silence, segments=silent)) == []


def test_cues_come_by_their_beginning_and_else_in_their_order(silence: Transcript) -> None:
    spoken = tuple(Segment(text=text, start_s=at, end_s=9.0) for text, at in (("a", 2.0), ("b", 1.0), ("c", 1.0)))
    assert [cue.segment.text for cue in cues(evolve(silence, segments=spoken))] == ["b", "c", "a"]


@given(st.from_type(Transcript))
@settings(deadline=None)
def test_all_cues_are_lawful(transcript: Transcript) -> None:
    written = cues(transcript)
    assert all(0 <= cue.start_ms < cue.end_ms for cue in written)
    assert all(cue.start_ms <= after.start_ms for cue, after in pairwise(written))
