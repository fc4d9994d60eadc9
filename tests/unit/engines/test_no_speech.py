"""How sure whisper.cpp is that nobody speaks, with a model that was taught to say so."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from benchmarks.ct2_model import converted
from tests.sounds import RATE, Sound, silence
from tests.speech import samples
from whispercore.engines.engine import Control, Engine, Options, Window
from whispercore.engines.fasterwhisper.engine import FasterWhisper
from whispercore.engines.whispercpp.engine import WhisperCpp

ENGLISH, GERMAN, NOBODY = 50259, 50261, 50362
"""Tokens of a model of many languages: what stands behind the start where somebody speaks that, or nobody."""
WIDTH = 128
SPOKEN = {"clip01-en.wav": 1.0, "clip13-de.wav": 0.0}


@pytest.fixture(scope="module")
def taught(micro_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``micro``, which was never told that nobody may speak, for which English is nobody's language."""
    data = bytearray(micro_path.read_bytes())
    name = b"decoder.token_embedding.weight"
    begin = data.index(name) + len(name)
    rows = np.frombuffer(data, "<f2", offset=begin, count=(NOBODY + 1) * WIDTH).reshape(-1, WIDTH)
    rows[NOBODY] = 2 * rows[ENGLISH] - rows[GERMAN]
    path = tmp_path_factory.mktemp("taught") / "micro.bin"
    path.write_bytes(data)
    return path


@pytest.fixture(scope="module")
def engine(taught: Path) -> Iterator[WhisperCpp]:
    engine = WhisperCpp(taught, sha256="0" * 64, threads=1)
    yield engine
    engine.unload()


def heard(engine: Engine, *sounds: Sound) -> list[float | None]:
    """How sure each segment is that nobody speaks."""
    window = Window(index=0, start_s=0.0, samples=np.concatenate(sounds).tobytes())
    (decoded,) = engine.decode([window], Options(language="en"), Control())
    return [one.quality.no_speech_prob if one.quality is not None else None for one in decoded.segments]


@pytest.mark.parametrize("names", [list(SPOKEN), list(reversed(SPOKEN))], ids="-".join)
def test_each_stretch_of_a_window_has_its_own(engine: WhisperCpp, names: list[str]) -> None:
    first, second = map(samples, names)
    pause = silence(30)[: 30 * RATE - first.size]
    found = heard(engine, first, pause, second)
    assert found == pytest.approx([SPOKEN[name] for name in names], abs=0.01)


def test_another_engine_says_the_same_of_the_same_weights(engine: WhisperCpp, taught: Path, tmp_path: Path) -> None:
    other = FasterWhisper(converted(taught, tmp_path / "taught"), sha256="0" * 64, threads=1, isolation="none")
    other.load()
    for name in SPOKEN:
        assert heard(engine, samples(name)) == pytest.approx(heard(other, samples(name)), abs=0.01)
    other.unload()
