from __future__ import annotations

import io
import re

from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st
from webvtt import WebVTT

from whispercore.formats.cue import cues
from whispercore.formats.options import CueOptions
from whispercore.formats.srt import write
from whispercore.transcript import Segment, Transcript

Shown = list[tuple[int, int, str]]
USUAL = CueOptions()
TIMES = re.compile(r"(\d\d+):(\d\d):(\d\d),(\d{3}) --> (\d\d+):(\d\d):(\d\d),(\d{3})")


def in_ms(clock: tuple[str, ...]) -> int:
    h, m, s, ms = map(int, clock)
    return h * 3_600_000 + m * 60_000 + s * 1000 + ms


def parsed_by_hand(written: str) -> Shown:
    """As the simplest readers do: blocks between blank lines, of exactly a number, times and text."""
    shown = []
    for position, block in enumerate(filter(None, written.split("\n\n")), start=1):
        number, times, *lines = block.splitlines()
        match = TIMES.fullmatch(times)
        assert match
        assert int(number) == position
        shown.append((in_ms(match.groups()[:4]), in_ms(match.groups()[4:]), "\n".join(lines)))
    return shown


def parsed_by_any_arrow(written: str) -> int:
    """As other readers do: a cue wherever a line has an arrow."""
    return sum("-->" in line for line in written.splitlines())


def parsed_by_webvtt(written: str) -> Shown:
    captions = WebVTT.from_buffer(io.StringIO(written, newline=""), format="srt").captions if written else []
    return [(c.start_time.in_milliseconds(), c.end_time.in_milliseconds(), c.raw_text) for c in captions]


def expected(transcript: Transcript) -> Shown:
    found = cues(transcript, USUAL, names=True)
    return [(cue.start_ms, cue.end_ms, re.sub("-{2,}>", "->", "\n".join(cue.lines))) for cue in found]


def test_nothing_said_is_nothing_written(silence: Transcript) -> None:
    assert write(silence, USUAL) == ""


def test_numbers_times_and_text(silence: Transcript) -> None:
    spoken = (
        Segment(text=" One. ", start_s=0.0, end_s=1.5),
        Segment(text="", start_s=2.0, end_s=3.0),
        Segment(text="Two\n\nlines --->", start_s=360_000.0, end_s=360_001.0, speaker="Ada"),
    )
    assert write(evolve(silence, segments=spoken), USUAL) == (
        "1\n00:00:00,000 --> 00:00:01,500\nOne.\n\n2\n100:00:00,000 --> 100:00:01,000\nAda: Two lines ->\n"
    )


def test_awkward_text_stays_in_its_cue(silence: Transcript, awkward: str) -> None:
    spoken = Segment(text=awkward, start_s=1.0, end_s=2.0, speaker=awkward)
    transcript = evolve(silence, segments=(spoken, evolve(spoken, speaker=None)))
    assert (
        parsed_by_hand(write(transcript, USUAL)) == parsed_by_webvtt(write(transcript, USUAL)) == expected(transcript)
    )


@given(st.from_type(Transcript))
@settings(deadline=None)
def test_readers_find_what_was_written(transcript: Transcript) -> None:
    written = write(transcript, USUAL)
    assert parsed_by_hand(written) == expected(transcript)
    assert parsed_by_webvtt(written) == expected(transcript)
    assert parsed_by_any_arrow(written) == len(expected(transcript))
