from __future__ import annotations

from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from whispercore.formats.line import one_line
from whispercore.formats.txt import write
from whispercore.transcript import Segment, Transcript


def test_nothing_said_is_nothing_written(silence: Transcript) -> None:
    assert write(silence) == ""


def test_a_segment_a_line(silence: Transcript) -> None:
    spoken = (
        Segment(text=" Good\nmorning. ", start_s=0.0, end_s=1.0, speaker="Ada"),
        Segment(text=" ", start_s=1.0, end_s=2.0, speaker="Ada"),
        Segment(text="<b>Hello</b> --> you", start_s=2.0, end_s=3.0),
    )
    assert write(evolve(silence, segments=spoken)) == "Ada: Good morning.\n<b>Hello</b> --> you\n"


@given(st.from_type(Transcript))
@settings(deadline=None)
def test_as_many_lines_as_segments_with_text(transcript: Transcript) -> None:
    texts = [one_line(segment.text) for segment in transcript.segments]
    lines = write(transcript).splitlines()
    assert len(lines) == len(list(filter(None, texts)))
    assert all(line.endswith(text) for line, text in zip(lines, filter(None, texts), strict=True))
