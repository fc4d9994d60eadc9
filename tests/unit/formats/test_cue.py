from __future__ import annotations

from itertools import pairwise

import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from whispercore.formats.course import Course
from whispercore.formats.cue import Cue, cues, segment_cues
from whispercore.formats.line import attributed, one_line
from whispercore.formats.options import CueOptions
from whispercore.formats.timestamps import milliseconds
from whispercore.formats.units import columns, units
from whispercore.transcript import Fingerprint, Segment, Transcript, Word

USUAL = CueOptions()
SPEECH = st.lists(
    st.text("abcdefgh", min_size=1, max_size=12)
    | st.sampled_from(["end.", "well,", "会议今天", "สวัสดี", "x" * 60, "👩\u200d👧"]),
    min_size=1,
    max_size=60,
).map(" ".join)
OPTIONS = st.builds(
    CueOptions,
    line_length=st.integers(10, 60),
    lines=st.integers(1, 4),
    reading_speed=st.floats(5, 60),
    gap_ms=st.integers(0, 500),
    speakers=st.booleans(),
)


@st.composite
def spoken(draw: st.DrawFn) -> Segment:
    """A segment as engines give it, with or without the times of its words."""
    text = draw(SPEECH)
    start_s = draw(st.floats(0, 400_000))
    length_s = draw(st.floats(1, 40))
    words: tuple[Word, ...] = ()
    if draw(st.booleans()):
        said = text.split()
        times = sorted(draw(st.lists(st.floats(0, length_s), min_size=2 * len(said), max_size=2 * len(said))))
        words = tuple(
            Word(text=word, start_s=start_s + times[2 * number], end_s=start_s + times[2 * number + 1])
            for number, word in enumerate(said)
        )
    speaker = draw(st.none() | st.sampled_from(["Ada", "Dr. Grace Hopper"]))
    return Segment(text=text, start_s=start_s, end_s=start_s + length_s, words=words, speaker=speaker)


def transcript_of(segments: list[Segment], duration_s: float) -> Transcript:
    return Transcript(
        segments=tuple(segments),
        language="en",
        duration_s=duration_s,
        model="tiny",
        fingerprint=Fingerprint(engine="whisper-cpp 1", model_sha256="ab", device="cpu", threads=2),
    )


def text_of(found: list[Cue]) -> str:
    """Without spaces, which lines lose at their ends."""
    return "".join("".join(line for cue in found for line in cue.lines).split())


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
def test_cues_last_where_the_recording_ends_with_them(
    silence: Transcript, start_s: float, end_s: float, times: tuple[int, int]
) -> None:
    said = evolve(silence, segments=(Segment(text="hi", start_s=start_s, end_s=end_s),), duration_s=end_s)
    (cue,) = cues(said, USUAL, names=True)
    assert (cue.start_ms, cue.end_ms) == times


def test_silent_segments_are_left_out(silence: Transcript) -> None:
    silent = tuple(Segment(text=text, start_s=0.0, end_s=1.0, speaker="A") for text in ("", " ", "\n\x00", "\u3000"))
    assert cues(evolve(silence, segments=silent), USUAL, names=True) == []


def test_cues_come_by_their_beginning_and_else_in_their_order(silence: Transcript) -> None:
    said = tuple(Segment(text=text, start_s=at, end_s=9.0) for text, at in (("a", 2.0), ("b", 1.0), ("c", 1.0)))
    found = cues(evolve(silence, segments=said), USUAL, names=True)
    assert [cue.segment.text for cue in found] == ["b", "c", "a"]


def test_lines_end_where_clauses_do_and_are_even() -> None:
    text = (
        "Good morning, everybody, and welcome to the quarterly meeting of the board. "
        "Today we look at three things: money, people and plans."
    )
    found = segment_cues(Segment(text=text, start_s=0.0, end_s=12.0), USUAL, names=True)
    assert [cue.lines for cue in found] == [
        ("Good morning, everybody, and welcome", "to the quarterly meeting of the board."),
        ("Today we look at three things:", "money, people and plans."),
    ]


def test_a_cue_begins_with_its_first_word_and_stays_while_it_is_read(silence: Transcript) -> None:
    quick = ["one", "two", "three", "four", "five", "six", "seven", "eight"]
    words = tuple(Word(text=word, start_s=at / 10, end_s=at / 10 + 0.05) for at, word in enumerate(quick))
    late = tuple(Word(text=word, start_s=6 + at, end_s=6.5 + at) for at, word in enumerate(["nine", "ten"]))
    said = Segment(text=" ".join([*quick, "nine", "ten"]), start_s=0.0, end_s=8.0, words=words + late)
    first, second = cues(evolve(silence, segments=(said,)), CueOptions(line_length=40, lines=1), names=True)
    assert (first.lines, second.lines) == (("one two three four five six seven eight",), ("nine ten",))
    assert (first.start_ms, second.start_ms, second.end_ms) == (0, 6000, 8000)
    assert first.end_ms == round(1000 * 39 / 17)


LONG = "Sixty-five characters, said by somebody in haste, before silence."


@pytest.mark.parametrize(
    ("text", "end_s", "options", "end_ms"),
    [
        (LONG, 1.5, USUAL, 3765),
        (LONG, 1.5, CueOptions(reading_speed=60), 1500),
        (LONG, 3.8, CueOptions(reading_speed=13), 4923),
        (LONG, 6.0, USUAL, 6000),
        ("ok", 0.05, USUAL, 833),
        ("ok", 0.9, USUAL, 900),
    ],
)
def test_a_cue_stays_in_the_silence_behind_it_until_it_is_read(
    silence: Transcript, text: str, end_s: float, options: CueOptions, end_ms: int
) -> None:
    said = Segment(text=text, start_s=0.0, end_s=end_s)
    after = Segment(text="Later.", start_s=30.0, end_s=32.0)
    transcript = evolve(silence, segments=(said, after), duration_s=40.0)
    first, second = cues(transcript, options, names=True)
    assert (first.start_ms, first.end_ms) == (0, end_ms)
    assert (second.start_ms, second.end_ms) == (30_000, 32_000)
    (alone,) = cues(evolve(transcript, segments=(said,)), options, names=True)
    assert alone == first


@pytest.mark.parametrize(
    ("after_s", "duration_s", "gap_ms", "end_ms"),
    [
        (2.0, 9.0, 80, 1920),
        (2.0, 1.0, 0, 2000),
        (1.52, 9.0, 80, 1440),
        (1.0, 9.0, 80, 3765),  # both speak at once, and both are shown
        (None, 3.0, 80, 3000),
        (None, 1.2, 80, 1500),
    ],
)
def test_a_cue_stays_neither_into_the_next_nor_beyond_the_recording(
    silence: Transcript, after_s: float | None, duration_s: float, gap_ms: int, end_ms: int
) -> None:
    said = [Segment(text=LONG, start_s=0.0, end_s=1.5)]
    if after_s is not None:
        said.append(Segment(text="Later.", start_s=after_s, end_s=9.0))
    transcript = evolve(silence, segments=tuple(said), duration_s=duration_s)
    first = cues(transcript, CueOptions(gap_ms=gap_ms), names=True)[0]
    assert (first.start_ms, first.end_ms) == (0, end_ms)


def test_words_that_were_edited_keep_the_times_of_the_others() -> None:
    heard = ("the", "cat", "sad", "on", "mats")
    words = tuple(Word(text=word, start_s=float(at), end_s=at + 0.5) for at, word in enumerate(heard))
    said = Segment(text="the cat sat on mats", start_s=0.0, end_s=5.0, words=words)
    course = Course.of(said, said.text, 0)
    assert [course.begins(said.text.index(word)) for word in ("the", "cat", "on", "mats")] == [0, 1000, 3000, 4000]
    assert 1500 <= course.begins(said.text.index("sat")) < 3000


def test_a_name_comes_once_and_takes_no_time() -> None:
    said = Segment(text="word " * 30, start_s=10.0, end_s=20.0, speaker="Ada")
    found = segment_cues(said, USUAL, names=True)
    assert found[0].lines[0].startswith("Ada: word")
    assert not any("Ada" in line for cue in found[1:] for line in cue.lines)
    assert {piece.start_ms for piece in found[0].rows[0][:2]} == {10_000}


def test_characters_of_double_width_count_twice() -> None:
    assert columns("会议") == 4
    assert columns("e\u0301") == columns("é") == 1
    said = Segment(text="会议今天我们讨论三件事情。" * 4, start_s=0.0, end_s=9.0)
    for cue in segment_cues(said, CueOptions(line_length=16), names=True):
        assert all(columns(line) <= 16 for line in cue.lines)
        assert not any(line.startswith("。") for line in cue.lines)


@pytest.mark.parametrize("awkward", ["👩\u200d👩\u200d👧", "e\u0301", "🇩🇪", "กิน"], ids=ascii)
def test_what_belongs_together_stays_together(awkward: str) -> None:
    assert [awkward[unit.start : unit.end] for unit in units(awkward)] in ([awkward], ["กิ", "น"])


def test_people_who_speak_at_once_are_both_shown(silence: Transcript) -> None:
    one = Segment(text="a", start_s=0.0, end_s=5.0, channel=0)
    other = Segment(text="b", start_s=1.0, end_s=2.0, channel=1)
    first, second = cues(evolve(silence, segments=(one, other)), USUAL, names=True)
    assert (first.end_ms, second.start_ms, second.end_ms) == (5000, 1000, 2000)


@given(spoken(), OPTIONS)
@settings(deadline=None)
def test_the_cues_of_a_segment(segment: Segment, options: CueOptions) -> None:
    found = segment_cues(segment, options, names=options.speakers)
    text = attributed(segment) if options.speakers else one_line(segment.text)
    assert text_of(found) == "".join(text.split())
    start_ms, end_ms = milliseconds(segment.start_s), milliseconds(segment.end_s)
    assert found[0].start_ms == start_ms
    assert found[-1].end_ms == end_ms
    for cue in found:
        assert start_ms <= cue.start_ms < cue.end_ms <= end_ms
        assert 1 <= len(cue.lines) <= options.lines
        for row, line in zip(cue.rows, cue.lines, strict=True):
            assert line == line.strip()
            assert columns(line) <= options.line_length or len(row) == 1
        starts = [piece.start_ms for row in cue.rows for piece in row]
        assert starts == sorted(starts)
        assert cue.start_ms <= starts[0] <= starts[-1] < cue.end_ms
        assert starts[0] == cue.start_ms or cue is found[0]
    for cue, after in pairwise(found):
        room_ms = after.start_ms - cue.start_ms
        latest_ms = max(cue.start_ms + 1, after.start_ms - min(options.gap_ms, room_ms // 2))
        assert cue.end_ms <= latest_ms


@given(st.lists(spoken(), max_size=3), OPTIONS, st.floats(0, 10))
@settings(deadline=None)
def test_cues_stay_until_they_are_read(said: list[Segment], options: CueOptions, silence_s: float) -> None:
    segments, at_s = [], 0.0
    for one in said:
        length_s = one.end_s - one.start_s
        segments.append(evolve(one, start_s=at_s, end_s=at_s + length_s, words=()))
        at_s += length_s + silence_s
    found = cues(transcript_of(segments, at_s), options, names=options.speakers)
    for number, cue in enumerate(found):
        latest_ms = milliseconds(at_s)
        if number + 1 < len(found):
            room_ms = found[number + 1].start_ms - cue.start_ms
            latest_ms = max(cue.start_ms + 1, found[number + 1].start_ms - min(options.gap_ms, room_ms // 2))
        assert cue.end_ms <= latest_ms
        needed_ms = max(833, round(1000 * sum(map(columns, cue.lines)) / options.reading_speed))
        assert cue.end_ms - cue.start_ms >= needed_ms or cue.end_ms == latest_ms


@given(st.from_type(Transcript), OPTIONS)
@settings(deadline=None)
def test_all_cues_are_lawful(transcript: Transcript, options: CueOptions) -> None:
    found = cues(transcript, options, names=False)
    assert all(0 <= cue.start_ms < cue.end_ms for cue in found)
    said = sorted(one_line(segment.text) for segment in transcript.segments)
    assert sorted("".join(text_of(found))) == sorted("".join("".join(said).split()))
    for cue, after in pairwise(found):
        assert cue.start_ms <= after.start_ms
        room_ms = after.start_ms - cue.start_ms
        gap_ms = after.start_ms - cue.end_ms
        together = room_ms == 0 or -gap_ms >= max(options.gap_ms, 1)
        assert together or gap_ms >= min(options.gap_ms, room_ms // 2) or cue.end_ms == cue.start_ms + 1


def test_words_that_all_end_a_segment_begin_within_their_cues() -> None:
    """As engines give them that put words which they cannot place at the end."""
    words = tuple(Word(text="aaaaaaa", start_s=2.0, end_s=2.0) for _ in range(6))
    said = Segment(text=" ".join(["aaaaaaa"] * 6), start_s=0.0, end_s=2.0, words=words)
    found = segment_cues(said, CueOptions(line_length=10, lines=1), names=True)
    assert [cue.start_ms for cue in found] == [0, 1995, 1996, 1997, 1998, 1999]
    assert [cue.rows[0][0].start_ms for cue in found[1:]] == [1995, 1996, 1997, 1998, 1999]


@pytest.mark.parametrize("count", [1, 7, 500])
def test_a_segment_with_less_time_than_cues(count: int) -> None:
    said = Segment(text="word " * count, start_s=1.0, end_s=1.003)
    found = segment_cues(said, CueOptions(line_length=10, lines=1), names=True)
    assert all(cue.start_ms < after.start_ms for cue, after in pairwise(found))
    assert text_of(found) == "word" * count
