"""What type checkers see of the library. Checked by mypy and pyright, never run."""

from __future__ import annotations

import io
from pathlib import Path
from typing import assert_type

import whispercore
from whispercore.audio.decoder import Decoder
from whispercore.engines.engine import Engine, MakeEngine, Window
from whispercore.engines.whispercpp.engine import WhisperCpp
from whispercore.errors import TruncatedMedia
from whispercore.testing import ScriptedEngine


def library() -> None:
    transcript = whispercore.transcribe("talk.mp3", model="small")
    assert_type(transcript, whispercore.Transcript)
    assert_type(transcript.text, str)
    assert_type(transcript.segments, tuple[whispercore.Segment, ...])
    assert_type(transcript.words, tuple[whispercore.Word, ...])
    assert_type(transcript.segments[0].speaker, str | None)
    assert_type(transcript.to_srt(), str)
    whispercore.transcribe(Path("talk.mp3"))
    whispercore.transcribe(b"RIFF")
    whispercore.transcribe(io.BytesIO())
    whispercore.transcribe("x", modell="small")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    whispercore.transcribe("x", channels="left")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def streaming() -> None:
    running: whispercore.Transcription = whispercore.stream("talk.mp3")
    for segment in running:
        assert_type(segment, whispercore.Segment)
    assert_type(running.progress, whispercore.Progress)
    assert_type(running.transcript, whispercore.Transcript | None)
    assert_type(running.run(), whispercore.Transcript)


async def streaming_async() -> None:
    async with whispercore.stream("talk.mp3") as running:
        async for segment in running:
            assert_type(segment, whispercore.Segment)
    assert_type(await whispercore.stream("talk.mp3"), whispercore.Transcript)


def errors(error: TruncatedMedia) -> None:
    assert_type(error.read_s, float)
    assert_type(error.transcript, whispercore.Transcript | None)


def protocols(path: Path) -> None:
    make: MakeEngine = WhisperCpp
    also: MakeEngine = ScriptedEngine()
    engine: Engine = make(path, sha256="")
    another: Engine = also(path, sha256="")
    for window in Decoder(path).windows(30.0):
        assert_type(window, Window)
    engine.load()
    another.load()
