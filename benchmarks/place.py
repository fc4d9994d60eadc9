"""Where a run of the benchmarks takes its models and recordings from, and how thorough it is."""

from __future__ import annotations

import os
import wave
from collections.abc import Iterable
from pathlib import Path

from attrs import frozen
from platformdirs import user_cache_path

from benchmarks.speed_model import speed_model
from whispercore.machine import cores
from whispercore.models.catalogue import MICRO_PATH

ROOT = Path(__file__).parents[1]
_AUDIO = ROOT / "tests" / "audio"
_RATE = 16_000
_QUICK_S = 12


@frozen
class Peer:
    """A server to compare with."""

    url: str
    """With or without ``/v1``."""
    model: str
    """What it calls the model."""
    ours: str
    """The model for our side, as ``whispercore transcribe --model`` takes it."""


@frozen(kw_only=True)
class Place:
    """One run."""

    folder: Path
    """For temporary files; deleted at the end."""
    cache: Path
    """For models that were made; they stay."""
    quick: bool
    peers: tuple[Peer, ...] = ()
    """Servers to compare with."""

    @property
    def threads(self) -> int:
        """Threads that both sides compute with: all cores that this process may use.

        One in a quick run, which may share the machine: with less than a core for each thread, OpenMP's threads stall
        each other.
        """
        return 1 if self.quick else cores()

    def model(self, size: str) -> Path:
        """A model of true size; in a quick run always the little one of the package."""
        return MICRO_PATH if self.quick else speed_model(size, self.cache)

    def model_name(self, size: str) -> str:
        """What to call it in reports."""
        return "micro" if self.quick else f"true-size {size}"

    @property
    def clip_s(self) -> int:
        """Length of short recordings, in seconds."""
        return self.pick(11, 5)

    def pick(self, full: int, quick: int) -> int:
        """How many."""
        return quick if self.quick else full

    def talk(self, times: int) -> Path:
        """Five minutes of speech, several times; in a quick run its first seconds, as often."""
        path = self.folder / f"talk-{times}.wav"
        if not path.exists():
            with wave.open(str(_AUDIO / "talk.wav"), "rb") as talk:
                sound = talk.readframes(_QUICK_S * _RATE if self.quick else talk.getnframes())
            _write(path, (sound for _ in range(times)))
        return path

    def clips(self, count: int) -> list[Path]:
        """Short recordings: the beginning of ``talk.wav``, piece by piece."""
        paths = [self.folder / f"clip-{number}.wav" for number in range(count)]
        with wave.open(str(_AUDIO / "talk.wav"), "rb") as talk:
            for path in paths:
                _write(path, [talk.readframes(self.clip_s * _RATE)])
        return paths

    def sentences(self, count: int) -> list[Path]:
        """Sentences in English of which micro knows the words."""
        return sorted(_AUDIO.glob("clip*-en.wav"))[:count]


def duration_s(path: Path) -> float:
    """Length of a WAV file in seconds."""
    with wave.open(str(path), "rb") as file:
        return file.getnframes() / file.getframerate()


def default_cache() -> Path:
    """The folder for models that were made, if none is named."""
    return user_cache_path("whispercore-benchmarks")


def in_words(path: Path) -> str:
    """Length of a WAV file, for people."""
    seconds = duration_s(path)
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 3600 else f"{seconds / 3600:.0f} h"


def like_an_installation() -> None:
    """Have bytecode kept, as installations do, whatever this shell says; all processes inherit it."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


def _write(path: Path, pieces: Iterable[bytes]) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(_RATE)
        for piece in pieces:
            file.writeframes(piece)
