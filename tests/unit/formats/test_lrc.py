from __future__ import annotations

import io
import re
from itertools import groupby

import av
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from whispercore.formats.cue import cues
from whispercore.formats.lrc import write
from whispercore.formats.options import CueOptions, LyricsOptions
from whispercore.transcript import Segment, Transcript, Word

USUAL = LyricsOptions()
LINE = re.compile(r"\[([0-9]{2,}):([0-5][0-9])\.([0-9]{2})\](.*)")


def parsed_by_hand(written: str) -> list[tuple[int, str]]:
    lines = [LINE.fullmatch(line) for line in written.splitlines() if not line.startswith(("[ti:", "[re:"))]
    assert all(lines)
    return [(int(one[1]) * 60_000 + int(one[2]) * 1000 + int(one[3]) * 10, one[4]) for one in lines if one]


def parsed_by_ffmpeg(written: str) -> list[tuple[int, str]]:
    with av.open(io.BytesIO(written.encode()), "r", format="lrc") as file:
        return [
            (int((packet.pts or 0) * packet.time_base * 1000), bytes(packet).decode().removesuffix("\n"))
            for packet in file.demux()
            if packet.size and packet.time_base
        ]


def expected(transcript: Transcript) -> list[tuple[int, str]]:
    found = cues(transcript, CueOptions(lines=1, gap_ms=0), names=True)
    return [(cue.start_ms // 10 * 10, plain(cue.lines[0])) for cue in found]


def plain(text: str) -> str:
    """With the brackets that were widened as they were."""
    return text.replace("\uff3b", "[").replace("\uff1c", "<")


def test_nothing_said_is_a_head(silence: Transcript) -> None:
    assert write(silence, USUAL) == "[re:whispercore]\n"
    assert write(silence, LyricsOptions(title="A [x]\nB")) == "[ti:A (x) B]\n[re:whispercore]\n"


def test_lines_words_and_the_hundredth_hour(silence: Transcript) -> None:
    words = (Word(text="one", start_s=360_000.0, end_s=360_000.2), Word(text="two", start_s=360_000.5, end_s=360_001.0))
    said = evolve(
        silence, segments=(Segment(text="one two", start_s=360_000.0, end_s=360_001.0, words=words, speaker="Ada"),)
    )
    assert write(said, USUAL).splitlines()[1:] == ["[6000:00.00]Ada: one two"]
    timed = LyricsOptions(words=True, speakers=False)
    assert write(said, timed).splitlines()[1:] == ["[6000:00.00]<6000:00.00>one <6000:00.50>two"]


def test_text_is_never_taken_for_a_time(silence: Transcript) -> None:
    said = Segment(text="[00:05.00]<00:06.00> [a] b", start_s=1.0, end_s=2.0)
    (line,) = write(evolve(silence, segments=(said,)), USUAL).splitlines()[1:]
    assert line == "[00:01.00]\uff3b00:05.00]\uff1c00:06.00> [a] b"


def test_awkward_text_stays_in_its_line(silence: Transcript, awkward: str) -> None:
    said = Segment(text=awkward, start_s=1.0, end_s=2.0)
    written = write(evolve(silence, segments=(said, said)), USUAL)
    found = expected(evolve(silence, segments=(said, said)))
    assert [(time, plain(text)) for time, text in parsed_by_hand(written)] == found
    assert [(time, plain(text)) for time, text in parsed_by_ffmpeg(written)] == found


@given(st.from_type(Transcript))
@settings(deadline=None, max_examples=50)
def test_readers_find_what_was_written(transcript: Transcript) -> None:
    written = write(transcript, USUAL)
    assert [(time, plain(text)) for time, text in parsed_by_hand(written)] == expected(transcript)
    found = [(time, plain(text)) for time, text in parsed_by_ffmpeg(written)]
    assert once(found) == once(expected(transcript))


def once(lines: list[tuple[int, str]]) -> list[tuple[int, str]]:
    """What FFmpeg leaves: it drops a line that is the same as the one before, at the same time."""
    return [line for line, _ in groupby(lines)]


@given(st.from_type(Transcript))
@settings(deadline=None, max_examples=50)
def test_times_of_words_rise_and_take_no_text_away(transcript: Transcript) -> None:
    written = write(transcript, LyricsOptions(words=True))
    stamp = re.compile(r"<([0-9]{2,}):([0-5][0-9])\.([0-9]{2})>")
    found = []
    for time, line in parsed_by_hand(written):
        inside = [int(m) * 6000 + int(s) * 100 + int(c) for m, s, c in stamp.findall(line)]
        assert inside == sorted(inside)
        found.append((time, plain(stamp.sub("", line))))
    assert found == expected(transcript)
