"""The benchmark of cancelling on a machine that does other things too."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import cancel
from benchmarks.place import Place
from benchmarks.results import NotMeasured


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(folder=tmp_path, cache=tmp_path, quick=True)


def test_what_ended_before_its_moment_is_tried_again_sooner(
    place: Place, audio: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[float] = []

    def one(_: object, moment: float, __: object) -> bool:
        tried.append(moment)
        return moment in {0.2, 0.6}

    monkeypatch.setattr(cancel, "_one", one)
    cancel._measure(place, "tiny", audio / "clip01-en.wav", [0.8, 0.6])
    assert tried == [0.8, 0.4, 0.2, 0.6]


def test_what_always_ends_before_is_not_measured(place: Place, audio: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cancel, "_one", lambda *_: False)
    with pytest.raises(NotMeasured, match="each transcription ended before"):
        cancel._measure(place, "tiny", audio / "clip01-en.wav", [0.8])
