"""What the engine's second slot brings."""

from __future__ import annotations

import time
import wave
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median

import numpy as np

from benchmarks.place import Place
from benchmarks.results import Figure, Result, spread
from whispercore.engines.engine import Control, Options, Window
from whispercore.engines.whispercpp.engine import WhisperCpp


def run(place: Place) -> Result:
    """The same windows, one at a time and two at a time."""
    count = place.pick(8, 2)
    windows = [_window(path, number) for number, path in enumerate(place.clips(count))]
    engine = WhisperCpp(place.model("tiny"), sha256="", threads=place.threads)
    one: list[float] = []
    two: list[float] = []
    try:
        _seconds(engine, windows[:1], 1)
        for _ in range(place.pick(4, 1)):
            one.append(_seconds(engine, windows, 1))
            two.append(_seconds(engine, windows, 2))
    finally:
        engine.unload()
    return Result(
        name="overlap",
        title="Two slots",
        how=(
            f"{count} windows of {place.clip_s} s on {place.model_name('tiny')}, given to the engine's process itself, "
            f"{place.threads} threads each; one at a time against two at a time, in turns, {len(one)} rounds, medians."
        ),
        figures=(
            Figure(what="two slots / one slot, time", value=median(two) / median(one), unit="x"),
            Figure(what="one slot", value=count / median(one), unit="windows/s"),
            Figure(what="two slots", value=count / median(two), unit="windows/s"),
        ),
        samples={"one_slot_s": one, "two_slots_s": two},
        notes=(f"In time, {spread(two, one)}.",),
    )


def _window(path: Path, number: int) -> Window:
    with wave.open(str(path), "rb") as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), np.int16).astype(np.float32) / 32768
    return Window(index=number, start_s=0.0, samples=samples.tobytes())


def _seconds(engine: WhisperCpp, windows: list[Window], at_once: int) -> float:
    began = time.perf_counter()
    with ThreadPoolExecutor(at_once) as executor:
        list(executor.map(lambda window: engine.decode([window], Options(language="en"), Control()), windows))
    return time.perf_counter() - began
