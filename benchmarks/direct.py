"""The side to compare with: pywhispercpp by itself, called directly.

``python -m benchmarks.direct MODEL THREADS FILE...`` transcribes files one after the other and writes one line of JSON.
"""

from __future__ import annotations

import json
import sys
import time
import wave
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from attrs import frozen
from pywhispercpp.model import Model

_RATE = 16_000
_WINDOW_S = 30

_loaded: list[Any] = []
"""The one model of this process."""


@frozen
class Timed:
    """How long a call took, and how much came out of it, so that nobody times a failure."""

    seconds: float
    n_segments: int


def load(model: Path, threads: int) -> float:
    """Load the model with the settings that both sides use; gives the seconds."""
    began = time.perf_counter()
    _loaded[:] = [
        Model(
            str(model),
            n_threads=threads,
            language="en",
            n_max_text_ctx=0,
            print_progress=False,
            print_timestamps=False,
        )
    ]
    return time.perf_counter() - began


def transcribe(path: Path) -> Timed:
    """Transcribe a whole file; reading its samples is not counted."""
    samples = _samples(path)
    began = time.perf_counter()
    segments = _loaded[0].transcribe(samples)
    return Timed(time.perf_counter() - began, len(segments))


def transcribe_many(paths: Sequence[Path]) -> Timed:
    """Transcribe files one after the other."""
    began = time.perf_counter()
    found = [len(_loaded[0].transcribe(str(path))) for path in paths]
    return Timed(time.perf_counter() - began, sum(found))


def transcribe_windows(path: Path, count: int) -> Timed:
    """Transcribe the first windows of a file, each by itself."""
    began = time.perf_counter()
    found = 0
    with wave.open(str(path), "rb") as file:
        for _ in range(count):
            found += len(_loaded[0].transcribe(_floats(file.readframes(_WINDOW_S * _RATE))))
    return Timed(time.perf_counter() - began, found)


def _samples(path: Path) -> Any:
    with wave.open(str(path), "rb") as file:
        return _floats(file.readframes(file.getnframes()))


def _floats(frames: bytes) -> Any:
    return np.frombuffer(frames, np.int16).astype(np.float32) / 32768


def main() -> None:
    """Load, transcribe, tell."""
    model, threads, *files = sys.argv[1:]
    loading_s = load(Path(model), int(threads))
    done = transcribe_many([Path(file) for file in files])
    print(json.dumps({"loading_s": loading_s, "seconds": done.seconds, "n_segments": done.n_segments}))


if __name__ == "__main__":
    main()
