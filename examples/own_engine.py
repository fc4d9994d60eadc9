"""An engine of one's own, in the pool that whisper.cpp uses too: ``python own_engine.py [RECORDING]``.

It hears how loud it is, five seconds at a time, and nothing else. Decoding, windows, order, progress and cancelling
are whispercore's.
"""

import math
import sys
from array import array
from collections.abc import Sequence
from pathlib import Path

import whispercore
from whispercore.engines.capabilities import Capabilities
from whispercore.engines.engine import (
    SAMPLE_RATE,
    Control,
    Decoded,
    DetectedLanguage,
    Options,
    Window,
)
from whispercore.engines.pool import EnginePool
from whispercore.errors import EngineFailed
from whispercore.transcript import Fingerprint, Segment

MEETING = Path(__file__).parent / "meeting.wav"
STEP_S = 5


class Loudness:
    """An ``Engine``: it needs no base class, only these members."""

    def __init__(self, model: Path, *, sha256: str, threads: int | None = None) -> None:
        self._model = model  # a real engine reads it in `load`
        self._sha256 = sha256
        self._threads = threads or 1

    @property
    def capabilities(self) -> Capabilities:
        """Windows of up to 30 s, two at a time; no words, no translation, no detection of languages."""
        return Capabilities(max_window_s=30.0, slots=2, languages=frozenset({"en"}))

    @property
    def fingerprint(self) -> Fingerprint:
        """Raise the version whenever another text could come out."""
        return Fingerprint(engine="loudness 1", model_sha256=self._sha256, device="cpu", threads=self._threads)

    def load(self) -> None:
        """Nothing to load."""

    def unload(self) -> None:
        """Nothing to give back."""

    def detect_language(self, window: Window, control: Control) -> DetectedLanguage:
        """Never asked, since ``capabilities`` does not promise it."""
        raise EngineFailed("it does not detect languages")

    def decode(self, windows: Sequence[Window], options: Options, control: Control) -> list[Decoded]:
        """One segment for each five seconds of each window."""
        return [self._decode(window, control) for window in windows]

    def _decode(self, window: Window, control: Control) -> Decoded:
        samples = array("f", window.samples)
        step = STEP_S * SAMPLE_RATE
        segments = []
        for begin in range(0, len(samples), step):
            control.check()  # raises Cancelled
            piece = samples[begin : begin + step]
            start_s = window.start_s + begin / SAMPLE_RATE
            end_s = start_s + len(piece) / SAMPLE_RATE
            segments.append(
                Segment(text=f"{decibels(piece):.0f} dB", start_s=start_s, end_s=end_s, channel=window.channel)
            )
            control.progress(min(1.0, (begin + step) / len(samples)))
        return Decoded(segments=tuple(segments))


def decibels(samples: Sequence[float]) -> float:
    """Loudness against the loudest possible tone of constant level, at least -100 dB."""
    power = sum(sample * sample for sample in samples) / len(samples)
    return 10 * math.log10(max(power, 1e-10))


def find(name: str) -> type[Loudness]:
    """What an entry point in ``whispercore.engines`` would do for all programs on this machine."""
    return {"loudness": Loudness}[name]


def main(path: str | Path = MEETING, model: str = "micro") -> None:
    """Print how loud it is."""
    with EnginePool(find=find) as pool:
        for segment in whispercore.stream(path, model=model, engine="loudness", pool=pool):
            print(f"{segment.start_s:5.1f} - {segment.end_s:5.1f} s  {segment.text}")


if __name__ == "__main__":
    main(*sys.argv[1:3])
