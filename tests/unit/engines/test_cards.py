"""Cards that are found by themselves. None is here: answers are those of stand-ins, but for the libraries' own."""

from __future__ import annotations

import subprocess
import sys

import pytest

from whispercore.engines import cards
from whispercore.engines.devices import OnDevices
from whispercore.engines.fasterwhisper import engine as fasterwhisper
from whispercore.engines.whispercpp import engine as whispercpp
from whispercore.models.store import ModelFile
from whispercore.settings import Settings

KINDS = (whispercpp.WhisperCpp, fasterwhisper.FasterWhisper)


@pytest.fixture(autouse=True)
def _driver(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cards, "has_driver", lambda: True)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)


def found(monkeypatch: pytest.MonkeyPatch, answer: str) -> None:
    """Let both libraries answer so, in a real child."""
    cards.cards.cache_clear()
    for module in (whispercpp, fasterwhisper):
        monkeypatch.setattr(module, "CARDS", answer)


@pytest.mark.parametrize("kind", KINDS)
def test_each_of_several_cards_gets_a_child(
    kind: type[whispercpp.WhisperCpp], micro: ModelFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    found(monkeypatch, "print('a line of the library'); print(3)")
    engine = kind.configured(Settings())(micro.path, sha256=micro.sha256)
    assert isinstance(engine, OnDevices)
    assert len(engine._engines) == 3
    assert cards.chosen(("auto",), whispercpp.CARDS) == ("0", "1", "2")
    assert cards.chosen(("1", "GPU-8f3a"), whispercpp.CARDS) == ("1", "GPU-8f3a")


@pytest.mark.parametrize("answer", ["print(0)", "print(1)", "print('x')", "", "import os; os.abort()"])
@pytest.mark.parametrize("kind", KINDS)
def test_otherwise_the_engine_chooses(
    kind: type[whispercpp.WhisperCpp], answer: str, micro: ModelFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    found(monkeypatch, answer)
    assert isinstance(kind.configured(Settings())(micro.path, sha256=micro.sha256), kind)


def test_only_cards_that_may_be_seen_are_named() -> None:
    assert cards.named(2, None) == ("0", "1")
    assert cards.named(2, "GPU-8f3a, 3") == ("GPU-8f3a", "3")


@pytest.mark.parametrize("program", [whispercpp.CARDS, fasterwhisper.CARDS])
def test_the_libraries_here_answer(program: str) -> None:
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert int(answer.stdout.split()[-1]) >= 0
