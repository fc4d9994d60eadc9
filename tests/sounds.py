"""Sounds that nobody says anything in, made by rule. 16 kHz mono float32."""

from __future__ import annotations

import numpy as np

Sound = np.ndarray[tuple[int], np.dtype[np.float32]]
RATE = 16_000


def silence(seconds: float) -> Sound:
    return np.zeros(round(seconds * RATE), np.float32)


def noise(seconds: float, loudness: float = 0.1) -> Sound:
    """White noise."""
    return np.random.default_rng(1).normal(0, loudness, round(seconds * RATE)).astype(np.float32)


def music(seconds: float) -> Sound:
    """Plucked chords over a held bass, and a drum."""
    random = np.random.default_rng(2)
    beats = [_chord(261.6 * 2 ** (random.integers(0, 13) / 12)) + 0.3 * _drum(random) for _ in range(64)]
    bar = np.concatenate(beats)
    bar = bar + 0.1 * np.sin(2 * np.pi * 65.4 * np.arange(bar.size) / RATE)
    return np.resize(bar, round(seconds * RATE)).astype(np.float32)


def _chord(hertz: float) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    at_s = np.arange(RATE // 4) / RATE
    tones = [np.sin(2 * np.pi * hertz * up * k * at_s) / k for up in (1, 1.26, 1.5) for k in range(1, 6)]
    return np.asarray(0.1 * np.sum(tones, axis=0) * np.exp(-4 * at_s))


def _drum(random: np.random.Generator) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.asarray(random.normal(0, 0.5, RATE // 4) * np.exp(-np.arange(RATE // 4) / 600))
