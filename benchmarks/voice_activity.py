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
from benchmarks.place import ROOT, Place
from benchmarks.results import Figure, Result, spread

_RATE = 16_000
_SPEECH = 0.3
_TURN_S = 100
_BAR = 0.45

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
            "silence, white noise and music (plucked chords, a bass and a drum, made by rule)."
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
            *(Figure(what=f"words in {kind}", value=count, digits=0, bar=0) for kind, count in words.items()),
        ),
        samples={"with_s": with_s, "without_s": without_s, "with_cpu_s": with_cpu_s, "without_cpu_s": without_cpu_s},
        notes=(f"In time, {spread(with_s, without_s)}.",),
    )


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
    with wave.open(str(ROOT / "tests" / "audio" / "talk.wav"), "rb") as file:
        raw = np.frombuffer(file.readframes(file.getnframes()), np.int16)
    talk = (raw / np.float32(32768)).reshape(-1).astype(np.float32)
    spoken = round(_TURN_S * _SPEECH * _RATE)
    for turn in range(length_s // _TURN_S):
        at = turn * spoken % (talk.size - spoken)
        yield talk[at : at + spoken]
        yield _noise(_TURN_S - spoken // _RATE, 0.0005)


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
