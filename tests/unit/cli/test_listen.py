"""``whispercore listen``: a pipe, transcribed while it is spoken."""

from __future__ import annotations

import asyncio
import importlib.util
import io
import json
import struct
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.live import ADMIN_KEY, live, settings_for
from tests.opus import encoded
from tests.speech import distance, samples, truth, words
from whispercore.live import FinalSegment, LiveEvent
from whispercore_server.cli.exits import ExitCode
from whispercore_server.cli.listen.sources import Source, from_stdin, microphone
from whispercore_server.cli.listen.speech import Speech
from whispercore_server.cli.listen.there import events_there
from whispercore_server.plugins.transcriber import PLUGIN as TRANSCRIBER

from .conftest import AUDIO, Run

SAID = str(truth()["clip01-en.wav"]["text"])
OPUS = encoded(samples("clip01-en.wav"), "ogg")
CLIP = (AUDIO / "clip01-en.wav").read_bytes()


def is_said(text: str) -> bool:
    return distance(words(SAID), words(text)) <= 1


def finals(written: bytes) -> list[Any]:
    """The final segments among events that are lines of JSON."""
    return [one["segment"] for one in map(json.loads, written.splitlines()) if one["type"] == "final_segment"]


@pytest.mark.parametrize("sound", [CLIP, CLIP[44:], OPUS], ids=["wav", "bare samples", "opus"])
def test_a_pipe_is_written_line_by_line(run: Run, sound: bytes) -> None:
    done = run("listen", "-m", "micro", "-l", "en", input=sound)
    assert done.returncode == 0, done.stderr
    assert is_said(done.stdout.decode())
    assert b"\r" not in done.stdout


@pytest.mark.parametrize("is_endless", [False, True])
async def test_what_is_behind_the_samples_of_a_wav_is_no_sound(
    monkeypatch: pytest.MonkeyPatch, is_endless: bool
) -> None:
    """Where it says how many there are."""
    tags = b"LIST" + struct.pack("<I", 20_000) + b"words" * 4000
    size = b"\xff" * 4 if is_endless else struct.pack("<I", len(CLIP) - 44)
    pipe = io.BufferedReader(io.BytesIO(CLIP[:40] + size + CLIP[44:] + tags))
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=pipe))
    source = await from_stdin(8000)
    heard = b"".join([frame async for frame in source.frames])
    assert (source.sample_rate, heard) == (16_000, CLIP[44:] + tags if is_endless else CLIP[44:])


def test_events_as_json(run: Run) -> None:
    done = run("listen", "-m", "micro", "--json", input=CLIP)
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert {"speech_started", "speech_ended", "language_detected", "utterance_ended"} <= {one["type"] for one in events}
    said = finals(done.stdout)
    assert is_said(" ".join(one["text"] for one in said))
    assert all(one["quality"]["verdict"] == "good" for one in said)
    assert events[-1]["type"] == "ended"


def test_with_a_server(run: Run, tmp_path: Path) -> None:
    with live(settings_for(tmp_path), plugins=(TRANSCRIBER,)) as server:
        asked = ("listen", "--server", server.url, "-m", "micro", "-l", "en", "--api-key", ADMIN_KEY)
        done = run(*asked, input=CLIP)
        assert done.returncode == 0, done.stderr
        assert is_said(done.stdout.decode())
        other = ("listen", "--server", server.url, "-m", "micro", "--languages", "es,fr", "--api-key", ADMIN_KEY)
        german = (AUDIO / "clip13-de.wav").read_bytes()
        heard = [json.loads(line) for line in run(*other, "--json", input=german).stdout.splitlines()]
        unjudged = finals(run(*asked, "--json", "--hallucinations", "keep", input=CLIP).stdout)
    assert [one["quality"]["verdict"] for one in unjudged] == [None]
    told = [one["type"] for one in heard if one["type"] not in ("partial_text", "language_detected")]
    assert told == ["speech_started", "speech_ended", "final_segment", "utterance_ended", "ended"]
    assert [one["why"] for one in heard if one["type"] == "speech_ended"] == ["asked"]
    assert [one["language"] in ("es", "fr") for one in heard if one["type"] == "language_detected"] == [True]


@pytest.mark.parametrize(
    ("arguments", "sound", "told"),
    [
        ((), b"ID3\4" + bytes(60), "neither a WAV"),
        ((), CLIP[:20], "without samples"),
        ((), CLIP[:34] + b"\x18\0" + CLIP[36:], "other samples than 16-bit"),
        (("-l", "klingon"), CLIP, "klingon"),
        (("--languages", "de,klingon"), CLIP, "klingon"),
    ],
)
def test_what_it_cannot_take(run: Run, arguments: tuple[str, ...], sound: bytes, told: str) -> None:
    done = run("listen", "-m", "micro", *arguments, input=sound)
    assert done.returncode == ExitCode.USAGE
    assert told in " ".join(done.stderr.decode().split())
    assert done.stdout == b""


async def test_a_source_that_breaks_ends_it(tmp_path: Path) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield CLIP[44:]
        raise OSError("the microphone is gone")

    with live(settings_for(tmp_path), plugins=(TRANSCRIBER,)) as server:
        speech = Speech(model="micro", language="en")
        events = events_there(Source(16_000, broken()), server.url, ADMIN_KEY, speech)
        told: list[LiveEvent] = []
        with pytest.raises(OSError, match="microphone"):
            async for one in events:
                told.append(one)  # noqa: PERF401 (what was told before it breaks counts)
    assert is_said(" ".join(one.segment.text for one in told if isinstance(one, FinalSegment)))


async def test_what_the_microphone_heard_until_it_was_ended_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    class Stream:
        def __init__(self, *, callback: Callable[[bytes], None], **_: object) -> None:
            self.callback = callback

        def __enter__(self) -> None:
            for piece in (b"a", b"b", b"c"):
                self.callback(piece)

        def __exit__(self, *_: object) -> None:
            pass

    sounddevice = SimpleNamespace(RawInputStream=Stream, PortAudioError=OSError)
    monkeypatch.setitem(sys.modules, "sounddevice", sounddevice)
    until = asyncio.Event()
    until.set()
    assert [piece async for piece in microphone(until).frames] == [b"a", b"b", b"c"]


def test_a_microphone_needs_its_extra(run: Run) -> None:
    if importlib.util.find_spec("sounddevice") is not None:
        pytest.skip("it is installed")
    done = run("listen", "--microphone", "-m", "micro")
    assert done.returncode == ExitCode.USAGE
    assert "microphone" in done.stderr.decode()
