"""What a shortened audio context saves on short recordings, and whether they still say the same."""

from __future__ import annotations

import time
import wave
from pathlib import Path
from statistics import median

import numpy as np

from benchmarks.place import ROOT, Place
from benchmarks.results import Figure, Result, spread
from whispercore.engines.engine import Control, Options, Window
from whispercore.engines.whispercpp.engine import WhisperCpp
from whispercore.models.catalogue import MICRO_PATH

_CLIP_S = 5
_ALL = Options(language="en")
_SHORT = Options(language="en", short_audio_context=True)


def run(place: Place) -> Result:
    """One clip at a time in all of the context and in less; then the text of all clips, by the little model."""
    full: list[float] = []
    short: list[float] = []
    engine = WhisperCpp(place.model("tiny"), sha256="", threads=place.threads)
    clip = _window(ROOT / "tests" / "audio" / "talk.wav", longest_s=_CLIP_S)
    try:
        _seconds(engine, clip, _ALL)
        for _ in range(place.pick(8, 1)):
            full.append(_seconds(engine, clip, _ALL))
            short.append(_seconds(engine, clip, _SHORT))
    finally:
        engine.unload()
    paths = sorted((ROOT / "tests" / "audio").glob("clip*.wav"))[: place.pick(100, 2)]
    return Result(
        name="short",
        title="Short clips",
        how=(
            f"{_CLIP_S} s of speech on {place.model_name('tiny')}, given to the engine's process itself, "
            f"{place.threads} threads; encoded in 30 s of context and in the shortened one, in turns, {len(full)} "
            f"rounds, medians. Then the text of {len(paths)} clips on micro, in both."
        ),
        figures=(
            Figure(what="shortened / full context, time", value=median(short) / median(full), unit="x", bar=0.5),
            Figure(what="shortened", value=median(short), unit="s"),
            Figure(what="full", value=median(full), unit="s"),
            Figure(what="clips on micro whose text differs", value=_differing(paths, place), digits=0, bar=0),
        ),
        samples={"full_s": full, "short_s": short},
        notes=(f"In time, {spread(short, full)}.",),
    )


def _differing(paths: list[Path], place: Place) -> int:
    engine = WhisperCpp(MICRO_PATH, sha256="", threads=place.threads)
    try:
        return sum(_text(engine, path, short=True) != _text(engine, path, short=False) for path in paths)
    finally:
        engine.unload()


def _text(engine: WhisperCpp, path: Path, *, short: bool) -> str:
    window = _window(path)
    language = engine.detect_language(window, Control()).code
    options = Options(language=language, short_audio_context=short)
    (decoded,) = engine.decode([window], options, Control())
    return " ".join(segment.text for segment in decoded.segments)


def _window(path: Path, longest_s: int = 30) -> Window:
    with wave.open(str(path), "rb") as file:
        samples = np.frombuffer(file.readframes(longest_s * file.getframerate()), np.int16).astype(np.float32) / 32768
    return Window(index=0, start_s=0.0, samples=samples.tobytes())


def _seconds(engine: WhisperCpp, window: Window, options: Options) -> float:
    began = time.perf_counter()
    engine.decode([window], options, Control())
    return time.perf_counter() - began
