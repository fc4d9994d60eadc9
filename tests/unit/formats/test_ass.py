from __future__ import annotations

import io
import re

import av
import pysubs2
import pytest
from attrs import evolve
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from whispercore.errors import InvalidOption
from whispercore.formats.ass import write
from whispercore.formats.cue import cues
from whispercore.formats.options import AssOptions
from whispercore.transcript import Segment, Transcript, Word

CLASSIC = AssOptions(style="classic")
USUAL = AssOptions()
Shown = list[tuple[int, int, str]]


def plain(text: str) -> str:
    """Without commands, and with what was replaced as it was."""
    text = re.sub(r"{[^}]*}", "", text).replace(r"\N", "\n").replace("\\\u2060", "\\")
    return text.replace("\uff5b", "{").replace("\uff5d", "}")


def parsed_by_pysubs2(written: str) -> Shown:
    file = pysubs2.SSAFile.from_string(written, format_="ass")
    return [(event.start, event.end, plain(event.text)) for event in file]


def parsed_by_ffmpeg(written: str) -> Shown:
    with av.open(io.BytesIO(written.encode()), "r", format="ass") as file:
        packets = [
            (
                int((packet.pts or 0) * packet.time_base * 1000),
                int(((packet.pts or 0) + (packet.duration or 0)) * packet.time_base * 1000),
                int(bytes(packet).split(b",", 1)[0]),
                plain(bytes(packet).decode().split(",", 8)[8]),
            )
            for packet in file.demux()
            if packet.size and packet.time_base
        ]
    return [(start, end, text) for start, end, _, text in sorted(packets, key=lambda one: one[2])]


def ticks(ms: int) -> int:
    return (ms + 5) // 10 * 10


def expected(transcript: Transcript) -> Shown:
    found = cues(transcript, CLASSIC, names=True)
    return [
        (ticks(cue.start_ms), max(ticks(cue.end_ms), ticks(cue.start_ms) + 10), undone("\n".join(cue.lines)))
        for cue in found
    ]


def undone(text: str) -> str:
    return text.replace("\uff5b", "{").replace("\uff5d", "}").replace("\\\u2060", "\\")


def short(transcript: Transcript) -> Transcript:
    """The same within ten hours."""
    return evolve(
        transcript,
        segments=tuple(
            evolve(one, start_s=one.start_s % 30_000, end_s=one.end_s % 30_000, words=()) for one in transcript.segments
        ),
    )


def test_nothing_said_is_a_head(silence: Transcript) -> None:
    assert parsed_by_pysubs2(write(silence, USUAL)) == []


def test_words_appear_as_they_are_said(silence: Transcript) -> None:
    words = tuple(
        Word(text=word, start_s=1 + at / 2, end_s=1.4 + at / 2) for at, word in enumerate(["one", "two", "end"])
    )
    said = evolve(silence, segments=(Segment(text="one two end", start_s=1.0, end_s=3.0, words=words, speaker="A,B"),))
    written = write(said, AssOptions(line_color="#00FF00", speakers=False))
    file = pysubs2.SSAFile.from_string(written, format_="ass")
    assert [(event.start, event.end, event.name) for event in file] == [
        (1000, 1500, "A B"),
        (1500, 2000, "A B"),
        (2000, 3000, "A B"),
    ]
    assert [event.text for event in file] == [
        r"one {\alpha&HFF&}two end",
        r"{\c&H00FF00&}one {\c&HFFFFFF&}two {\alpha&HFF&}end",
        r"{\c&H00FF00&}one two {\c&HFFFFFF&}end",
    ]


def test_the_look_is_that_of_the_options(silence: Transcript) -> None:
    options = AssOptions(
        font_family="DejaVu Sans",
        font_size=40,
        word_color="#FFCC01",
        shadow_color="#102030",
        shadow_offset=3,
        outline_color="#0000FF",
        outline_width=5,
        position="left-top",
        title="A title",
    )
    file = pysubs2.SSAFile.from_string(write(silence, options), format_="ass")
    style = file.styles["Default"]
    assert (style.fontname, style.fontsize, style.shadow, style.outline) == ("DejaVu Sans", 40, 3, 5)
    assert style.primarycolor == pysubs2.Color(0xFF, 0xCC, 0x01)
    assert style.backcolor == pysubs2.Color(0x10, 0x20, 0x30)
    assert style.outlinecolor == pysubs2.Color(0, 0, 0xFF)
    assert (style.alignment, style.borderstyle) == (pysubs2.Alignment.TOP_LEFT, 1)
    assert file.info["Title"] == "A title"
    boxed = pysubs2.SSAFile.from_string(write(silence, AssOptions(box_color="#111111")), format_="ass")
    assert (boxed.styles["Default"].borderstyle, boxed.styles["Default"].outlinecolor.r) == (3, 0x11)


@pytest.mark.parametrize("name", ["Evil,0,&H0", "a\nb", "{\\b1}", ""])
def test_the_name_of_a_font_writes_nothing_else(name: str) -> None:
    with pytest.raises(InvalidOption, match=r"^font_family: "):
        AssOptions(font_family=name)


def test_the_tenth_hour_is_refused(silence: Transcript) -> None:
    late = Segment(text="late", start_s=360_000.0, end_s=360_001.0)
    with pytest.raises(
        InvalidOption, match=r"^format: ass has no times after 9:59:59\.99, .* goes on to 100:00:01\.000$"
    ):
        write(evolve(silence, segments=(late,)), USUAL)
    last = evolve(late, start_s=35_999.0, end_s=35_999.99)
    assert parsed_by_pysubs2(write(evolve(silence, segments=(last,)), CLASSIC)) == [(35_999_000, 35_999_990, "late")]
    quick = evolve(silence, segments=(evolve(last, start_s=35_999.9),), duration_s=36_010.0)
    assert parsed_by_pysubs2(write(quick, CLASSIC)) == [(35_999_900, 35_999_990, "late")]


@pytest.mark.parametrize("style", [CLASSIC, USUAL])
def test_awkward_text_stays_in_its_event(silence: Transcript, awkward: str, style: AssOptions) -> None:
    said = Segment(text=awkward, start_s=1.0, end_s=2.0)
    transcript = evolve(silence, segments=(said, evolve(said, start_s=3.0, end_s=4.0)))
    written = write(transcript, style)
    texts = list(dict.fromkeys(text for _, _, text in expected(transcript)))
    assert list(dict.fromkeys(text for _, _, text in parsed_by_pysubs2(written))) == texts
    assert list(dict.fromkeys(text for _, _, text in parsed_by_ffmpeg(written))) == texts


@given(st.from_type(Transcript))
@settings(deadline=None, max_examples=50)
def test_readers_find_what_was_written(transcript: Transcript) -> None:
    written = write(short(transcript), CLASSIC)
    assert parsed_by_pysubs2(written) == expected(short(transcript))
    assert parsed_by_ffmpeg(written) == expected(short(transcript))


@given(st.from_type(Transcript))
@settings(deadline=None, max_examples=50)
def test_the_events_of_a_cue_are_one_behind_the_other(transcript: Transcript) -> None:
    transcript = short(transcript)
    assume(transcript.segments)
    left = parsed_by_pysubs2(write(transcript, USUAL))
    for start, end, text in expected(transcript):
        at = start
        while left and left[0][0] == at and at < end:
            assert left[0][2] == text
            at = left.pop(0)[1]
        assert at == end
    assert left == []
