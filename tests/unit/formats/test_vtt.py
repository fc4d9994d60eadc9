from __future__ import annotations

import html
import re

from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st
from webvtt import WebVTT

from whispercore.formats.cue import cues
from whispercore.formats.line import one_line
from whispercore.formats.options import VttOptions
from whispercore.formats.vtt import write
from whispercore.transcript import Segment, Transcript, Word

Shown = list[tuple[int, int, str | None, str]]
USUAL = VttOptions()
TIMES = re.compile(r"(\d\d+):(\d\d):(\d\d)\.(\d{3}) --> (\d\d+):(\d\d):(\d\d)\.(\d{3})")
PAYLOAD = re.compile(r"(?:<v ([^<>]+)>)?([^<>]+)")


def in_ms(clock: tuple[str, ...]) -> int:
    h, m, s, ms = map(int, clock)
    return h * 3_600_000 + m * 60_000 + s * 1000 + ms


def unescaped(text: str) -> str:
    """All escapes must be those that WebVTT has."""
    assert all(re.match("&(amp|lt|gt);", text[at.start() :]) for at in re.finditer("&", text))
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def parsed_by_hand(written: str) -> Shown:
    header, *blocks = written.removesuffix("\n").split("\n\n")
    assert header == "WEBVTT"
    shown: Shown = []
    for block in blocks:
        times, *payload = block.splitlines()
        clocks, parts = TIMES.fullmatch(times), PAYLOAD.fullmatch("\n".join(payload))
        assert clocks
        assert parts
        voice = parts[1] and unescaped(parts[1])
        shown.append((in_ms(clocks.groups()[:4]), in_ms(clocks.groups()[4:]), voice, unescaped(parts[2])))
    return shown


def parsed_by_webvtt(written: str) -> Shown:
    return [
        (
            caption.start_time.in_milliseconds(),
            caption.end_time.in_milliseconds(),
            caption.voice and html.unescape(caption.voice),
            html.unescape(caption.text),
        )
        for caption in WebVTT.from_string(written, strict=True).captions
    ]


def expected(transcript: Transcript) -> Shown:
    return [
        (cue.start_ms, cue.end_ms, one_line(cue.segment.speaker or "") or None, "\n".join(cue.lines))
        for cue in cues(transcript, USUAL, names=False)
    ]


def test_nothing_said_is_a_header(silence: Transcript) -> None:
    assert write(silence, USUAL) == "WEBVTT\n"


def test_voices_times_and_escapes(silence: Transcript) -> None:
    spoken = (
        Segment(text=" <b> & --> ", start_s=0.0, end_s=1.5),
        Segment(text="", start_s=2.0, end_s=3.0),
        Segment(text="Two\n\nlines", start_s=360_000.0, end_s=360_001.0, speaker="A <&> B"),
    )
    assert write(evolve(silence, segments=spoken), USUAL) == (
        "WEBVTT\n\n"
        "00:00:00.000 --> 00:00:01.500\n&lt;b&gt; &amp; --&gt;\n\n"
        "100:00:00.000 --> 100:00:01.000\n<v A &lt;&amp;&gt; B>Two lines\n"
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


def test_words_have_their_times(silence: Transcript) -> None:
    words = (
        Word(text="a", start_s=1.0, end_s=1.2),
        Word(text="<b>", start_s=1.5, end_s=1.5),
        Word(text="c", start_s=1.5, end_s=1.6),
        Word(text="d", start_s=2.0, end_s=2.0),
    )
    spoken = Segment(text="a <b> c d", start_s=1.0, end_s=2.0, words=words, speaker="A")
    written = write(evolve(silence, segments=(spoken,)), VttOptions(words=True))
    assert written.splitlines()[3] == "<v A>a <00:00:01.500>&lt;b&gt; c <00:00:01.999>d"
    (caption,) = WebVTT.from_string(written, strict=True).captions
    assert (caption.voice, html.unescape(caption.text)) == ("A", "a <b> c d")


@given(st.from_type(Transcript))
@settings(deadline=None)
def test_times_of_words_take_no_text_away(transcript: Transcript) -> None:
    written = write(transcript, VttOptions(words=True, speakers=False))
    plain = [(start, end, text) for start, end, _, text in expected(transcript)]
    assert [(start, end, text) for start, end, _, text in parsed_by_webvtt(written)] == plain
    for block in written.split("\n\n")[1:]:
        ends = re.findall(r"(\d\d+):(\d\d):(\d\d)\.(\d{3})", block.splitlines()[0])
        inside = re.findall(r"<(\d\d+):(\d\d):(\d\d)\.(\d{3})>", block)
        times = [in_ms(clock) for clock in (ends[0], *inside, ends[1])]
        assert times == sorted(set(times))
