"""How soon the first segment is there, whatever follows in the recording."""

from __future__ import annotations

import time
import wave
from pathlib import Path
from statistics import median

import whispercore
from benchmarks.place import Place, in_words
from benchmarks.results import Figure, NotMeasured, Result
from whispercore.engines.pool import EnginePool

_BAR_S = 3.0
_SPOKEN_S = 10
_BLOCK = 1 << 20


def run(place: Place) -> Result:
    """Speech of two lengths, and a little of it before a long silence."""
    short, long = place.talk(1), place.talk(place.pick(12, 2))
    sparse = _before_silence(place.talk(1), place.folder / "before-silence.wav", place.pick(3600, 5))
    recordings = {
        f"{in_words(long)} of speech": long,
        f"{in_words(short)} of speech": short,
        f"{_SPOKEN_S} s of speech before {_length(place.pick(3600, 5))} of silence": sparse,
    }
    seconds: dict[str, list[float]] = {what: [] for what in recordings}
    rounds = place.pick(5, 1)
    with EnginePool() as pool:
        _first_s(short, pool)  # the model is loaded
        for _ in range(rounds):
            for what, path in recordings.items():
                seconds[what].append(_first_s(path, pool))
    return Result(
        name="first",
        title="First segment",
        how=(
            "`whispercore.stream` on micro with a path, from the call until it gives its first segment; the model is "
            f"loaded, a decoder's process is not. In turns, {rounds} rounds, medians."
        ),
        figures=tuple(Figure(what=what, value=median(all_s), unit="s", bar=_BAR_S) for what, all_s in seconds.items()),
        samples=seconds,
        notes=(f"The longest of all was {max(map(max, seconds.values())):.2f} s.",),
    )


def _first_s(path: Path, pool: EnginePool) -> float:
    began = time.perf_counter()
    with whispercore.stream(path, model="micro", pool=pool) as transcription:
        for _ in transcription:
            return time.perf_counter() - began
    raise NotMeasured(f"nothing was heard in {path.name}")


def _before_silence(talk: Path, path: Path, silence_s: int) -> Path:
    with wave.open(str(talk), "rb") as speech, wave.open(str(path), "wb") as file:
        file.setparams(speech.getparams())
        file.writeframes(speech.readframes(_SPOKEN_S * speech.getframerate()))
        left = silence_s * speech.getframerate() * speech.getsampwidth()
        while left:
            size = min(left, _BLOCK)
            file.writeframes(bytes(size))
            left -= size
    return path


def _length(seconds: int) -> str:
    return "an hour" if seconds == 3600 else f"{seconds} s"
