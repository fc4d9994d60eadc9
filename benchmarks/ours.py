"""Our side, called in a process of its own."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from attrs import frozen

import whispercore
from whispercore.audio.decoder import Decoder

_WINDOW_S = 30.0


@frozen
class Timed:
    """How long a call took, and how much came out of it, so that nobody times a failure."""

    seconds: float
    count: int
    """Segments, or windows where nothing is transcribed."""


def transcribe(path: Path, model: Path, threads: int) -> Timed:
    """``whispercore.transcribe``, from the file on disk to the transcript."""
    began = time.perf_counter()
    transcript = whispercore.transcribe(path, model=model, language="en", threads=threads)
    return Timed(time.perf_counter() - began, len(transcript.segments))


def transcribe_many(paths: Sequence[Path], model: Path, threads: int, at_once: int) -> Timed:
    """The same for several files, so many at once."""
    began = time.perf_counter()
    with ThreadPoolExecutor(at_once) as executor:
        found = list(executor.map(lambda path: transcribe(path, model, threads), paths))
    return Timed(time.perf_counter() - began, sum(timed.count for timed in found))


def decode(path: Path) -> Timed:
    """Only read a recording to its end."""
    began = time.perf_counter()
    with Decoder(path) as decoder:
        count = sum(1 for _ in decoder.windows(_WINDOW_S))
    return Timed(time.perf_counter() - began, count)
