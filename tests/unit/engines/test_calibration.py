"""How the processor is shared among windows, where it was measured and where not."""

from __future__ import annotations

from pathlib import Path

import pytest
from attrs import evolve

from tests.speech import samples
from whispercore.engines import calibration
from whispercore.engines.calibrating import calibrate
from whispercore.engines.calibration import (
    Calibration,
    Split,
    Trial,
    chosen_threads,
    keep,
    kept,
    slots_for,
    splits,
    subject_of,
)
from whispercore.engines.engine import Control, Options, Window
from whispercore.engines.pool import EnginePool
from whispercore.engines.whispercpp.engine import shared_threads
from whispercore.errors import InvalidOption
from whispercore.models.store import ModelFile
from whispercore.settings import Settings
from whispercore.testing import ScriptedEngine

TRIALS = (
    Trial(slots=1, threads=4, alone_s=1.0, windows_per_s=1.0),
    Trial(slots=2, threads=4, alone_s=1.05, windows_per_s=1.5),
    Trial(slots=3, threads=2, alone_s=1.6, windows_per_s=1.8),
    Trial(slots=2, threads=2, alone_s=1.5, windows_per_s=1.7),
)
WINDOW = Window(index=0, start_s=0.0, samples=samples("clip01-en.wav").tobytes())


def measured(model: ModelFile, trials: tuple[Trial, ...] = TRIALS) -> Calibration:
    assert model.info is not None
    subject = subject_of(model.info)
    assert subject is not None
    return Calibration(subject=subject, trials=trials)


@pytest.mark.parametrize(
    ("n_cores", "expected"),
    [
        (1, [(1, 1), (2, 1)]),
        (2, [(1, 2), (2, 2), (2, 1), (4, 1)]),
        (3, [(1, 3), (2, 3), (3, 1), (6, 1)]),
        (16, [(1, 8), (2, 8), (4, 8), (4, 4), (8, 4)]),
    ],
)
def test_few_splits_are_tried(n_cores: int, expected: list[tuple[int, int]]) -> None:
    assert [(one.slots, one.threads) for one in splits(n_cores)] == expected


def test_the_best_for_one_recording_and_for_several(micro: ModelFile) -> None:
    found = measured(micro)
    assert (found.single, found.several) == (TRIALS[1], TRIALS[2])
    assert [found.slots(threads) for threads in (4, 2, 1)] == [2, 3, None]


def test_what_was_measured_is_used(micro: ModelFile, tmp_path: Path) -> None:
    one = Settings(models_dir=tmp_path)
    several = evolve(one, throughput=True)
    assert chosen_threads(micro, one) is None
    assert chosen_threads(micro, several) == shared_threads()
    keep(tmp_path, measured(micro))
    assert (chosen_threads(micro, one), chosen_threads(micro, several)) == (4, 2)
    assert chosen_threads(micro, evolve(several, threads=3)) == 3, "what somebody says goes before"
    assert chosen_threads(evolve(micro, engine="faster-whisper"), one) is None


def test_it_holds_for_this_machine_this_size_and_this_build(
    micro: ModelFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert micro.info is not None
    keep(tmp_path, measured(micro))
    assert kept(tmp_path, micro.info) == measured(micro)
    assert [slots_for(tmp_path, micro.path, threads) for threads in (2, 3)] == [3, None]
    assert slots_for(tmp_path, Path(__file__), 2) is None
    assert kept(tmp_path, evolve(micro.info, size_bytes=1)) is not None
    assert kept(tmp_path, evolve(micro.info, n_audio_layer=32)) is None
    for name, other in (("cores", 77), ("processor", "another"), ("_build", "another"), ("_build", None)):
        with monkeypatch.context() as patch:
            patch.setattr(calibration, name, lambda other=other: other)
            assert kept(tmp_path, micro.info) is None


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"subject": {"machine": "m", "model": "x", "engine": "e"}}'])
def test_what_cannot_be_read_is_as_if_it_was_not_there(micro: ModelFile, tmp_path: Path, text: str) -> None:
    keep(tmp_path, measured(micro)).write_text(text)
    assert chosen_threads(micro, Settings(models_dir=tmp_path)) is None


def test_another_measurement_takes_its_place(micro: ModelFile, tmp_path: Path) -> None:
    first = keep(tmp_path, measured(micro))
    assert keep(tmp_path, measured(micro, TRIALS[:1])) == first
    assert micro.info is not None
    assert kept(tmp_path, micro.info) == measured(micro, TRIALS[:1])
    assert [path.name for path in first.parent.iterdir()] == [first.name]


def test_an_engine_has_as_many_slots_as_were_best(micro: ModelFile, tmp_path: Path) -> None:
    """With the real engine: the text does not depend on it."""
    settings = Settings(models_dir=tmp_path)
    keep(tmp_path, measured(micro, (Trial(slots=3, threads=1, alone_s=1.0, windows_per_s=2.0),)))
    said: list[str] = []
    for threads, slots in ((1, 3), (2, 2)):
        with EnginePool() as pool, pool.lease(micro, threads=threads, settings=settings) as lease:
            engine = lease.ready().result(120)
            assert (engine.capabilities.slots, engine.fingerprint.threads) == (slots, threads)
            decoded = [lease.decode(WINDOW, Options(language="en"), Control()) for _ in range(4)]
            said += [one.result(120).segments[0].text for one in decoded]
    assert set(said) == {"the teacher is in the station"}


# ------------------------------------------------------------ measuring


def test_each_split_is_tried(micro: ModelFile, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("whispercore.engines.calibrating.cores", lambda: 2)
    engines: list[ScriptedEngine] = []

    def make(*, slots: int) -> ScriptedEngine:
        engines.append(ScriptedEngine(slots=slots))
        return engines[-1]

    told: list[Trial] = []
    found = calibrate(micro, [WINDOW, evolve(WINDOW, index=1)], rounds=3, on_trial=told.append, make=make)
    assert [Split(slots=one.slots, threads=one.threads) for one in found.trials] == list(splits(2))
    assert list(found.trials) == told
    assert all(one.alone_s >= 0 and one.windows_per_s > 0 for one in found.trials)
    for engine in engines:
        slots = engine.capabilities.slots
        assert len(engine.calls) == 1 + 3 + 3 * slots, "one to warm up, three alone, and three times all slots"
        assert {options.language for _, options in engine.calls} == {"en"}
        assert {index for index, _ in engine.calls} == {0, 1}


def test_an_engine_with_a_single_slot_is_measured_once_for_each_number_of_threads(
    micro: ModelFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("whispercore.engines.calibrating.cores", lambda: 2)
    found = calibrate(micro, [WINDOW], rounds=1, make=lambda slots: ScriptedEngine(slots=min(slots, 1)))
    assert [(one.slots, one.threads) for one in found.trials] == [(1, 2), (1, 1)]


def test_what_cannot_be_measured(micro: ModelFile, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InvalidOption, match="nobody speaks"):
        calibrate(micro, [])
    with pytest.raises(InvalidOption, match="openai"):
        calibrate(evolve(micro, engine="openai"), [WINDOW])
    monkeypatch.setattr(calibration, "_build", lambda: None)
    with pytest.raises(InvalidOption, match="build"):
        calibrate(micro, [WINDOW])


def test_an_engine_that_fails_is_unloaded(micro: ModelFile) -> None:
    gone: list[bool] = []

    class Failing(ScriptedEngine):
        def unload(self) -> None:
            gone.append(True)

    with pytest.raises(OSError, match="away"):
        calibrate(micro, [WINDOW], make=lambda slots: Failing(lambda _: OSError("away"), slots=slots))
    assert gone == [True]
