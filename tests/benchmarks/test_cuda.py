"""The benchmark of NVIDIA cards: what it says without one, and how it asks for memory."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import ctranslate2
import pytest

from benchmarks import cuda
from benchmarks.ct2_model import converted
from benchmarks.place import Place
from benchmarks.results import NotMeasured
from benchmarks.speed_model import SIZES, speed_model
from tests.waiting import until

SMI = """#!/bin/sh
case "$*" in
*uuid*) echo GPU-8f3a; echo GPU-77aa ;;
*) printf '500\\n1700\\n[N/A]\\n900\\n'; touch "{asked}"; exec sleep 600 ;;
esac
"""


def test_without_a_card_nothing_is_measured_and_nothing_made(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(ctranslate2, "get_cuda_device_count", lambda: 0)
    with pytest.raises(NotMeasured, match="no NVIDIA card"):
        cuda.run(Place(folder=tmp_path, cache=tmp_path / "cache", quick=False))
    assert list(tmp_path.iterdir()) == []


def test_the_card_is_asked_for_its_memory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked, smi = tmp_path / "asked", tmp_path / "nvidia-smi"
    smi.write_text(SMI.format(asked=asked))
    smi.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setattr(ctranslate2, "get_cuda_device_count", lambda: 2)
    assert cuda._first_card() == "GPU-8f3a"
    with cuda._memory("GPU-8f3a") as peak:
        asyncio.run(until(asked.exists))
    assert (peak.total_mb, peak.samples) == (1700.0, 3)


def test_the_shape_is_that_of_large_v3_turbo(tmp_path: Path) -> None:
    """The little one is like it in all but size."""
    turbo, little = SIZES["large-v3-turbo"], SIZES["little-turbo"]
    assert (turbo.width, turbo.heads, turbo.layers, turbo.text_layers) == (1280, 20, 32, 4)
    assert {(one.mels, one.n_vocab) for one in (turbo, little)} == {(128, 51866)}
    folder = converted(speed_model("little-turbo", tmp_path), tmp_path / "ct2", quantization="float16")
    model = ctranslate2.models.Whisper(str(folder), device="cpu", intra_threads=1)
    assert (model.n_mels, model.is_multilingual) == (128, True)
    assert len(json.loads((folder / "vocabulary.json").read_text())) == 51866
