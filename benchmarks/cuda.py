"""faster-whisper on an NVIDIA card, with the shape of large-v3-turbo: windows one at a time, and in batches."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
import wave
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from statistics import median

import numpy as np

from benchmarks.ct2_model import converted
from benchmarks.place import Place
from benchmarks.processes import Peak, peak_memory
from benchmarks.results import Figure, NotMeasured, Result
from benchmarks.speed_model import speed_model
from whispercore.engines.engine import SAMPLE_RATE, Control, Options, Window
from whispercore.engines.fasterwhisper.engine import FasterWhisper

_WINDOW_S = 30
_ASK_MS = 100
_ANSWER_S = 10.0


def run(place: Place) -> Result:
    """On the first card. A quick run has a little model of the same kind, and the processor where there is no card."""
    if find_spec("faster_whisper") is None:
        raise NotMeasured("faster-whisper is not installed: pip install -e '.[cuda]'")
    card = _first_card()
    if card is None and not place.quick:
        raise NotMeasured("there is no NVIDIA card that CTranslate2 and nvidia-smi find")
    shape = "little-turbo" if place.quick else "large-v3-turbo"
    model = speed_model(shape, place.folder if place.quick else place.cache)
    folder = converted(model, model.with_suffix(".ct2"), quantization="float16")
    windows = _windows(place.talk(place.pick(3, 4)))
    sound_s = sum(window.duration_s for window in windows)
    rounds = place.pick(3, 1)
    engine = FasterWhisper(folder, sha256="0" * 64, threads=place.threads, device=card)
    try:
        with _memory(card) as single_peak:
            engine.load()
            _seconds(engine, windows[:1], 1)
            single = [_seconds(engine, windows, 1) for _ in range(rounds)]
        with _memory(card) as batched_peak:
            _seconds(engine, windows, engine.slots)
            batched = [_seconds(engine, windows, engine.slots) for _ in range(rounds)]
        version, device = engine.loaded.version, engine.capabilities.device
    finally:
        engine.unload()
    of = "of the card" if device == "cuda" else "of our processes"
    return Result(
        name="cuda",
        title=f"faster-whisper on {device}",
        how=(
            f"{len(windows)} windows of {_WINDOW_S} s or the rest, on a model with random weights and the shape of "
            f"{shape}, CTranslate2 {version}, greedy, given to the engine: one after the other, and {engine.slots} at "
            f"once, which it decodes in batches. Warm, {rounds} rounds, medians; the real-time factor is time for a "
            f"second of sound. Memory {of} is all that is in use, the highest seen."
        ),
        figures=(
            Figure(what="real-time factor, single", value=median(single) / sound_s, digits=4),
            Figure(what="real-time factor, batched", value=median(batched) / sound_s, digits=4),
            Figure(what=f"memory {of}, single", value=single_peak.total_mb, unit="MB", digits=0),
            Figure(what=f"memory {of}, batched", value=batched_peak.total_mb, unit="MB", digits=0),
        ),
        samples={"single_s": single, "batched_s": batched},
    )


def _first_card() -> str | None:
    """The UUID of the first card, which CUDA and nvidia-smi both know it by."""
    import ctranslate2  # noqa: PLC0415 (an extra)

    smi = shutil.which("nvidia-smi")
    if smi is None or not ctranslate2.get_cuda_device_count():
        return None
    asked = subprocess.run(
        [smi, "--query-gpu=uuid", "--format=csv,noheader"],
        capture_output=True,
        text=True,
        timeout=_ANSWER_S,
        check=False,
    )
    return next(iter(asked.stdout.split()), None)


def _windows(path: Path) -> list[Window]:
    with wave.open(str(path), "rb") as file:
        sound = np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.float32) / 32768
    pieces = [sound[at : at + _WINDOW_S * SAMPLE_RATE] for at in range(0, sound.size, _WINDOW_S * SAMPLE_RATE)]
    return [
        Window(index=number, start_s=float(number * _WINDOW_S), samples=piece.tobytes())
        for number, piece in enumerate(pieces)
    ]


def _seconds(engine: FasterWhisper, windows: Sequence[Window], at_once: int) -> float:
    """For all of them.

    Raises:
        RuntimeError: Nothing was said in one of them, so that the time says nothing.
    """
    began = time.perf_counter()
    with ThreadPoolExecutor(at_once) as executor:
        said = list(executor.map(lambda one: engine.decode([one], Options(language="en"), Control()), windows))
    took_s = time.perf_counter() - began
    if not all(decoded.segments for (decoded,) in said):
        raise RuntimeError("a window without text")
    return took_s


@contextmanager
def _memory(card: str | None) -> Iterator[Peak]:
    """The most memory in use on a card while the block runs; without one of this process and its children."""
    if card is None:
        with peak_memory(os.getpid()) as peak:
            yield peak
        return
    peak = Peak()
    ask = ["nvidia-smi", "-i", card, "--query-gpu=memory.used", "--format=csv,noheader,nounits", f"--loop-ms={_ASK_MS}"]
    with tempfile.TemporaryFile("w+") as answers:
        watcher = subprocess.Popen(ask, stdout=answers, stderr=subprocess.DEVNULL)
        try:
            yield peak
        finally:
            watcher.terminate()
            watcher.wait()
        answers.seek(0)
        for line in answers:
            if line.strip().isdigit():
                peak.add({"card": float(line)})
    if not peak.samples:
        raise NotMeasured("nvidia-smi does not tell the memory in use")
