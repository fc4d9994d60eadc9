"""From the time in a window to the time in its recording: monotonic, and exact."""

from __future__ import annotations

import math
from itertools import pairwise

from hypothesis import example, given
from hypothesis import strategies as st

from whispercore.audio.timemap import TimeMap, mapped
from whispercore.engines.engine import SAMPLE_RATE, Stretch, Window
from whispercore.transcript import Segment, Word

EXACT_S = 0.01


@st.composite
def windows(draw: st.DrawFn) -> Window:
    """Packed windows: stretches of whole samples, with silence between."""
    stretches, at = [], 0
    for gap, length in draw(
        st.lists(st.tuples(st.integers(1, 10**8), st.integers(800, 100_000)), min_size=2, max_size=6)
    ):
        at += gap
        stretches.append(Stretch(start_s=at / SAMPLE_RATE, duration_s=length / SAMPLE_RATE))
        at += length
    samples = sum(round(one.duration_s * SAMPLE_RATE) for one in stretches)
    return Window(index=0, start_s=stretches[0].start_s, samples=bytes(4 * samples), stretches=tuple(stretches))


@st.composite
def heard(draw: st.DrawFn) -> tuple[Window, list[Segment]]:
    """A window and what an engine may hear in it: words in order, in segments."""
    window = draw(windows())
    times = sorted(
        draw(st.lists(st.floats(0, window.duration_s), min_size=2, max_size=24).filter(lambda one: not len(one) % 2))
    )
    words = [
        Word(text=f"w{number}", start_s=window.start_s + begin, end_s=window.start_s + end)
        for number, (begin, end) in enumerate(zip(times[::2], times[1::2], strict=True))
    ]
    border = draw(st.integers(0, len(words)))
    return window, [
        Segment(
            text=" ".join(word.text for word in part),
            start_s=part[0].start_s,
            end_s=part[-1].end_s,
            words=tuple(part),
        )
        for part in (words[:border], words[border:])
        if part
    ]


@given(windows(), st.lists(st.floats(0, 1), min_size=2, max_size=20))
def test_the_map_is_monotonic_and_exact(window: Window, places: list[float]) -> None:
    times = TimeMap(window.stretches)
    moments = sorted(place * window.duration_s for place in places)
    for is_end in (False, True):
        recorded = [times.recorded(at_s, is_end=is_end) for at_s in moments]
        assert recorded == sorted(recorded)
    for at_s in moments:
        before_s = 0.0
        for stretch in window.stretches:
            if before_s + EXACT_S < at_s < before_s + stretch.duration_s - EXACT_S:
                assert abs(times.recorded(at_s) - (stretch.start_s + at_s - before_s)) < EXACT_S
            before_s += stretch.duration_s


@given(windows())
def test_a_join_ends_what_is_before_and_begins_what_follows(window: Window) -> None:
    times, at_s = TimeMap(window.stretches), 0.0
    for one, other in pairwise(window.stretches):
        at_s += one.duration_s
        assert abs(times.recorded(at_s, is_end=True) - one.end_s) < EXACT_S or at_s > 1e6
        assert abs(times.recorded(at_s + 1e-6) - other.start_s) < EXACT_S


@given(heard())
def test_words_are_where_they_were_said(given_: tuple[Window, list[Segment]]) -> None:
    window, segments = given_
    made = mapped(window, segments, keep_words=True)
    said = [word for one in segments for word in one.words]
    words = [word for one in made for word in one.words]
    assert [word.text for word in words] == [word.text for word in said]
    assert " ".join(one.text for one in made) == " ".join(one.text for one in segments)
    times = TimeMap(window.stretches)
    for one in made:
        assert one.start_s <= one.words[0].start_s
        assert one.words[-1].end_s <= one.end_s
        (stretch,) = {
            times.stretch((word.start_s + word.end_s) / 2 - window.start_s)
            for word in said
            if word.text in {w.text for w in one.words}
        }
        assert stretch.start_s - EXACT_S <= one.start_s <= one.end_s <= stretch.end_s + EXACT_S
    for word, before in zip(words, said, strict=True):
        stretch = times.stretch((before.start_s + before.end_s) / 2 - window.start_s)
        offset_s = stretch.start_s - _packed(window, stretch) - window.start_s
        if times.stretch(before.start_s - window.start_s) == stretch:
            assert abs(word.start_s - (before.start_s + offset_s)) < EXACT_S
        if times.stretch(before.end_s - window.start_s - 1e-9) == stretch:
            assert abs(word.end_s - (before.end_s + offset_s)) < EXACT_S
    starts = [word.start_s for word in words]
    assert starts == sorted(starts)
    assert all(one.end_s <= other.start_s + EXACT_S for one, other in pairwise(words))


def _packed(window: Window, stretch: Stretch) -> float:
    before_s = 0.0
    for one in window.stretches:
        if one == stretch:
            break
        before_s += one.duration_s
    return before_s


def test_without_words_a_segment_keeps_its_ends() -> None:
    stretches = (Stretch(start_s=10.0, duration_s=2.0), Stretch(start_s=100.0, duration_s=2.0))
    window = Window(index=0, start_s=10.0, samples=bytes(4 * 4 * SAMPLE_RATE), stretches=stretches)
    (made,) = mapped(window, [Segment(text="a b", start_s=11.0, end_s=13.0)], keep_words=False)
    assert (made.start_s, made.end_s, window.end_s) == (11.0, 101.0, 102.0)


def test_in_a_window_of_one_piece_all_stays_where_it_is() -> None:
    window = Window(index=0, start_s=10.0, samples=bytes(4 * SAMPLE_RATE))
    segment = Segment(text="a", start_s=10.0, end_s=10.1, words=(Word(text="a", start_s=10.02, end_s=10.1),))
    assert mapped(window, [segment], keep_words=True) == (segment,)


@given(st.integers(0, 10**8), st.integers(800, 100_000), st.integers(800, 100_000))
@example(at=3, first=2261, second=800)  # the border lies half-way between two milliseconds
def test_windows_do_not_overlap_however_an_engine_rounds(at: int, first: int, second: int) -> None:
    ends = []
    for begin, length in ((at, first), (at + first, second)):
        window = Window(index=0, start_s=begin / SAMPLE_RATE, samples=bytes(4 * length))
        start_s, end_s = math.floor(window.start_s * 100) / 100, math.ceil(window.end_s * 100) / 100
        word = Word(text="a", start_s=start_s, end_s=end_s)
        (made,) = mapped(window, [Segment(text="a", start_s=start_s, end_s=end_s, words=(word,))], keep_words=True)
        assert (made.words[0].start_s, made.words[0].end_s) == (made.start_s, made.end_s)
        assert abs(made.start_s - window.start_s) < EXACT_S
        ends += [made.start_s, made.end_s]
    assert ends == sorted(ends)
