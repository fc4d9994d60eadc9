"""What silence costs, and what is invented where nobody speaks."""

from __future__ import annotations

import time
import wave
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import numpy as np
import psutil
from attrs import frozen

import whispercore
from benchmarks import ours
from benchmarks.place import ROOT, Place, in_words
from benchmarks.processes import Side, peak_memory
from benchmarks.results import Figure, Result, spread
from whispercore.models.catalogue import MICRO_PATH

_RATE = 16_000
_SPEECH = 0.3
_TURN_S = 100
_BAR = 0.45
_RARE_S = 12
_GROWS_MB = 10.0

Sound = np.ndarray[tuple[int], np.dtype[np.float32]]


def run(place: Place) -> Result:
    """An hour that is mostly silent with voice activity and without, and ten minutes of three sounds."""
    length_s = place.pick(3600, 100)
    path = _write(place.folder / "mostly-silent.wav", _mostly_silent(length_s))
    with_it: list[_Cost] = []
    without: list[_Cost] = []
    _cost(path, vad=True)
    for _ in range(place.pick(2, 1)):
        without.append(_cost(path, vad=False))
        with_it.append(_cost(path, vad=True))
    with_s, without_s = [one.wall_s for one in with_it], [one.wall_s for one in without]
    with_cpu_s, without_cpu_s = [one.processor_s for one in with_it], [one.processor_s for one in without]
    turn_s = place.pick(600, 20)
    hour_s = place.pick(3600, 20)
    hour = _lasting(_write(place.folder / "rarely.wav", _rarely_spoken(hour_s, turn_s)), place)
    path = _write(place.folder / "rarely.wav", _rarely_spoken(10 * hour_s, turn_s))
    long, ten_hours = in_words(path), _lasting(path, place)
    sound_s = place.pick(600, 5)
    sounds = {"silence": np.zeros(sound_s * _RATE, np.float32), "noise": _noise(sound_s), "music": _music(sound_s)}
    words = {
        kind: len(whispercore.transcribe(_write(place.folder / f"{kind}.wav", [sound]), model="micro").text.split())
        for kind, sound in sounds.items()
    }
    return Result(
        name="vad",
        title="Voice activity",
        how=(
            f"{length_s} s of which {1 - _SPEECH:.0%} is silence, in stretches of {_TURN_S * (1 - _SPEECH):.0f} s, on "
            "micro, with voice activity and without, in turns, medians; processor time is that of this process and of "
            f"its children, also of those that have ended. A slower model saves more. Then {sound_s} s each of "
            "silence, white noise and music (plucked chords, a bass and a drum, made by rule). And peak memory of all "
            f"processes (PSS, every 50 ms) for {long} and a tenth of it, in which somebody speaks for {_RARE_S} s in "
            f"every {turn_s} s, from file to transcript, on micro."
        ),
        figures=(
            Figure(what="with / without, time", value=median(with_s) / median(without_s), unit="x", bar=_BAR),
            Figure(
                what="with / without, processor time",
                value=median(with_cpu_s) / median(without_cpu_s),
                unit="x",
                bar=_BAR,
            ),
            Figure(what="with", value=median(with_s), unit="s"),
            Figure(what="without", value=median(without_s), unit="s"),
            Figure(
                what=f"memory without the engine's process, more for {long} than for a tenth",
                value=ten_hours.without_engine_mb - hour.without_engine_mb,
                unit="MB",
                digits=0,
                bar=_GROWS_MB,
            ),
            Figure(what=f"memory of all processes for {long}", value=ten_hours.memory_mb, unit="MB", digits=0),
            Figure(what="for a tenth", value=hour.memory_mb, unit="MB", digits=0),
            Figure(what=f"time for {long}", value=ten_hours.wall_s, unit="s", digits=0),
            *(Figure(what=f"words in {kind}", value=count, digits=0, bar=0) for kind, count in words.items()),
        ),
        samples={"with_s": with_s, "without_s": without_s, "with_cpu_s": with_cpu_s, "without_cpu_s": without_cpu_s},
        notes=(f"In time, {spread(with_s, without_s)}.",),
    )


@frozen
class _Lasting:
    wall_s: float
    memory_mb: float
    without_engine_mb: float


def _lasting(path: Path, place: Place) -> _Lasting:
    with Side() as side, peak_memory(side.pid) as peak:
        timed = side.call(ours.transcribe, path, MICRO_PATH, place.threads)
    return _Lasting(timed.seconds, peak.total_mb, peak.without_engine_mb)


@frozen
class _Cost:
    wall_s: float
    processor_s: float


def _cost(path: Path, *, vad: bool) -> _Cost:
    began_s, used_s = time.perf_counter(), _processor_s()
    whispercore.transcribe(path, model="micro", language="en", vad=vad)
    return _Cost(time.perf_counter() - began_s, _processor_s() - used_s)


def _processor_s() -> float:
    this = psutil.Process()
    own = this.cpu_times()
    living = [one.cpu_times() for one in this.children(recursive=True)]
    return own.children_user + own.children_system + sum(one.user + one.system for one in (own, *living))


def _mostly_silent(length_s: int) -> Iterator[Sound]:
    """Speech, then silence with a faint hiss, again and again."""
    talk = _talk()
    spoken = round(_TURN_S * _SPEECH * _RATE)
    for turn in range(length_s // _TURN_S):
        at = turn * spoken % (talk.size - spoken)
        yield talk[at : at + spoken]
        yield _noise(_TURN_S - spoken // _RATE, 0.0005)


def _rarely_spoken(length_s: int, turn_s: int) -> Iterator[Sound]:
    """Nearly all of it silence with a faint hiss; made piece by piece."""
    talk = _talk()[: _RARE_S * _RATE]
    for _ in range(length_s // turn_s):
        yield talk
        yield _noise(turn_s - _RARE_S, 0.0005)


def _talk() -> Sound:
    with wave.open(str(ROOT / "tests" / "audio" / "talk.wav"), "rb") as file:
        raw = np.frombuffer(file.readframes(file.getnframes()), np.int16)
    return (raw / np.float32(32768)).reshape(-1).astype(np.float32)


def _noise(seconds: int, loudness: float = 0.1) -> Sound:
    return np.random.default_rng(1).normal(0, loudness, seconds * _RATE).astype(np.float32)


def _music(seconds: int) -> Sound:
    random, at_s = np.random.default_rng(2), np.arange(_RATE // 4) / _RATE
    beats = []
    for _ in range(64):
        hertz = 261.6 * 2 ** (random.integers(0, 13) / 12)
        tones = [np.sin(2 * np.pi * hertz * up * k * at_s) / k for up in (1, 1.26, 1.5) for k in range(1, 6)]
        drum = random.normal(0, 0.15, at_s.size) * np.exp(-at_s * 27)
        beats.append(0.1 * np.sum(tones, axis=0) * np.exp(-4 * at_s) + drum)
    bar = np.concatenate(beats)
    bar = bar + 0.1 * np.sin(2 * np.pi * 65.4 * np.arange(bar.size) / _RATE)
    return np.resize(bar, seconds * _RATE).astype(np.float32)


def _write(path: Path, sounds: Iterator[Sound] | list[Sound]) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, _RATE, 0, "NONE", ""))
        for sound in sounds:
            file.writeframes((np.clip(sound, -1, 1) * 32767).astype("<i2").tobytes())
    return path
