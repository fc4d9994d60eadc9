from __future__ import annotations

import re

from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from whispercore.formats.line import one_line
from whispercore.formats.options import TextOptions
from whispercore.formats.timestamps import milliseconds, seconds
from whispercore.formats.txt import write
from whispercore.transcript import Segment, Transcript


def test_nothing_said_is_nothing_written(silence: Transcript) -> None:
    assert write(silence, TextOptions()) == ""


def test_a_segment_a_line(silence: Transcript) -> None:
    spoken = (
        Segment(text=" Good\nmorning. ", start_s=0.0, end_s=1.0, speaker="Ada"),
        Segment(text=" ", start_s=1.0, end_s=2.0, speaker="Ada"),
        Segment(text="<b>Hello</b> --> you", start_s=2.0, end_s=3.0),
    )
    assert write(evolve(silence, segments=spoken), TextOptions()) == "Ada: Good morning.\n<b>Hello</b> --> you\n"


@given(st.from_type(Transcript))
@settings(deadline=None)
def test_as_many_lines_as_segments_with_text(transcript: Transcript) -> None:
    texts = [one_line(segment.text) for segment in transcript.segments]
    lines = write(transcript, TextOptions()).splitlines()
    assert len(lines) == len(list(filter(None, texts)))
    assert all(line.endswith(text) for line, text in zip(lines, filter(None, texts), strict=True))


def test_by_speaker_a_paragraph_for_each(silence: Transcript) -> None:
    said = (("Ada", "One."), ("Ada", "Two."), ("Bob", "Three."), (None, "Four."), (None, " "), ("Ada", "Five."))
    spoken = tuple(Segment(text=text, start_s=0.0, end_s=1.0, speaker=name) for name, text in said)
    transcript = evolve(silence, segments=spoken)
    assert write(transcript, TextOptions(layout="speakers")) == (
        "Ada: One. Two.\n\nBob: Three.\n\nFour.\n\nAda: Five.\n"
    )
    assert write(transcript, TextOptions(layout="speakers", speakers=False)) == "One. Two. Three. Four. Five.\n"


def test_by_paragraph_pauses_and_speakers_part_what_is_said(silence: Transcript) -> None:
    said = (("Ada", "One. Two", 0.0), ("Ada", "and a half.", 1.1), ("Ada", "Three.", 9.0), ("Bob", "Four.", 10.1))
    spoken = tuple(Segment(text=text, start_s=at_s, end_s=at_s + 1, speaker=name) for name, text, at_s in said)
    assert write(evolve(silence, segments=spoken), TextOptions(layout="paragraphs")) == (
        "Ada: One. Two and a half.\n\nAda: Three.\n\nBob: Four.\n"
    )


@given(st.from_type(Transcript))
@settings(deadline=None)
def test_no_word_is_lost_in_paragraphs(transcript: Transcript) -> None:
    written = write(transcript, TextOptions(layout="paragraphs", speakers=False))
    assert "".join(written.split()) == "".join("".join(one_line(one.text).split()) for one in transcript.segments)


@given(st.from_type(Transcript))
@settings(deadline=None)
def test_times_come_back(transcript: Transcript) -> None:
    written = write(transcript, TextOptions(layout="timestamps", speakers=False))
    found = []
    for line in written.splitlines():
        match = re.fullmatch(r"\[([0-9:.]+) --> ([0-9:.]+)\] (.+)", line)
        assert match
        found.append((milliseconds(seconds(match[1])), milliseconds(seconds(match[2])), match[3]))
    assert found == [
        (milliseconds(one.start_s), milliseconds(one.end_s), one_line(one.text))
        for one in transcript.segments
        if one_line(one.text)
    ]
