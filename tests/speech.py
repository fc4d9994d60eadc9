"""Speech for tests: samples, true transcripts, and how wrong a text is."""

from __future__ import annotations

import json
import re
import wave
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np

AUDIO = Path(__file__).parent / "audio"


@cache
def truth() -> dict[str, dict[str, object]]:
    """What is said in each recording, by file name."""
    rows = json.loads((AUDIO / "transcripts.json").read_text())
    return {row["file"]: row for row in rows}


def samples(name: str) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    """A recording as 16 kHz mono float32."""
    with wave.open(str(AUDIO / name)) as file:
        raw = np.frombuffer(file.readframes(file.getnframes()), np.int16)
    return (raw.astype(np.float32) / np.float32(32768)).reshape(-1).astype(np.float32)


def in_languages(path: Path, *names: str, pause_s: float = 2.0) -> Path:
    """Recordings one after the other, with silence between, in a file."""
    pause = np.zeros(round(16_000 * pause_s), np.float32)
    return write_wav(path, np.concatenate([part for name in names for part in (samples(name), pause)]))


def words(text: str) -> list[str]:
    return re.sub(r"[^\w' ]", " ", text.lower()).split()


def word_errors(reference: str, heard: str) -> float:
    """Word error rate: edits for each word of the reference (Levenshtein distance)."""
    return distance(words(reference), words(heard)) / len(words(reference))


def distance(reference: Sequence[str], heard: Sequence[str]) -> int:
    row = list(range(len(heard) + 1))
    for i, expected in enumerate(reference, 1):
        before, row[0] = row[0], i
        for j, actual in enumerate(heard, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (expected != actual))
    return row[-1]


def write_wav(
    path: Path, sound: np.ndarray[tuple[int], np.dtype[np.float32]], rate: int = 16_000, channels: int = 1
) -> Path:
    """16-bit samples; interleaved where there are several channels."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes((np.clip(sound, -1, 1) * 32767).astype("<i2").tobytes())
    return path
