"""faster-whisper: the same words as whisper.cpp's, windows in batches, models in folders."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Hashable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from attrs import evolve

import whispercore
from tests.speech import AUDIO, samples, truth, word_errors
from whispercore.engines.engine import SAMPLE_RATE, Control, Options, Window
from whispercore.engines.fasterwhisper.batches import Batches
from whispercore.engines.fasterwhisper.engine import FasterWhisper
from whispercore.engines.pool import EnginePool
from whispercore.errors import InvalidOption, ModelDamaged
from whispercore.models.store import ModelStore
from whispercore.settings import Settings


def test_a_folder_is_a_model_with_its_engine(ct2_micro: Path) -> None:
    with EnginePool(find=lambda _: FasterWhisper) as pool:
        stream = whispercore.stream(AUDIO / "clip13-de.wav", model=str(ct2_micro), words=True, threads=1, pool=pool)
        transcript = stream.run()
    assert word_errors(str(truth()["clip13-de.wav"]["text"]), transcript.text) == 0
    assert (transcript.language, transcript.model) == ("de", "micro")
    assert transcript.fingerprint.engine.startswith("faster-whisper 4.")
    assert not transcript.fingerprint.repeatable
    assert all(segment.quality is not None and segment.words for segment in transcript.segments)


def test_windows_that_wait_share_a_batch(ct2_micro: Path) -> None:
    names = [f"clip{number:02}-en.wav" for number in range(1, 5)]
    engine = FasterWhisper(ct2_micro, sha256="0" * 64, threads=1, isolation="none")
    engine.load()
    assert engine.capabilities.batch == engine.capabilities.slots == 8

    def text(number: int) -> str:
        window = Window(index=number, start_s=100.0 * number, samples=samples(names[number]).tobytes())
        (decoded,) = engine.decode([window], Options(language="en"), Control())
        assert all(window.start_s <= one.start_s <= one.end_s <= window.end_s for one in decoded.segments)
        return " ".join(one.text for one in decoded.segments)

    with ThreadPoolExecutor(4) as threads:
        together = list(threads.map(text, range(4)))
    errors = [word_errors(str(truth()[name]["text"]), heard) for name, heard in zip(names, together, strict=True)]
    assert max(errors) <= 0.2
    assert [text(number) for number in range(4)] == together
    engine.unload()


def test_temperatures_change_what_is_heard_in_noise(ct2_micro: Path) -> None:
    engine = FasterWhisper(ct2_micro, sha256="0" * 64, threads=1, isolation="none")
    noise = np.random.default_rng(1).uniform(-1, 1, 4 * SAMPLE_RATE).astype(np.float32).tobytes()

    def heard(temperature: float, step: float) -> tuple[str, float]:
        options = Options(language="en", temperature=temperature, temperature_step=step)
        (decoded,) = engine.decode([Window(index=0, start_s=0.0, samples=noise)], options, Control())
        (segment,) = decoded.segments
        assert segment.confidence is not None
        return segment.text, segment.confidence

    once = heard(0.0, 0.0)
    assert heard(0.0, 0.0) == once
    assert any(heard(1.0, 0.0)[0] != once[0] for _ in range(20))
    assert heard(0.0, 0.2)[1] >= once[1]
    engine.unload()


def test_who_waits_is_taken_along_with_those_who_want_the_same() -> None:
    seen: list[tuple[Hashable, list[int]]] = []
    go, begun = threading.Event(), threading.Event()

    def compute(key: Hashable, items: Sequence[int]) -> list[int]:
        seen.append((key, list(items)))
        begun.set()
        go.wait(60)
        if key == "bad":
            raise ValueError("bad")
        return [10 * item for item in items]

    batches = Batches[int, int](compute, most=3)
    with ThreadPoolExecutor(8) as threads:
        first = threads.submit(batches, "a", 0)
        begun.wait(60)
        rest = [threads.submit(batches, key, item) for key, item in (("a", 1), ("a", 2), ("a", 3), ("a", 4), ("b", 5))]
        bad = [threads.submit(batches, "bad", item) for item in (6, 7)]
        while len(batches._waiting) < 7:
            threading.Event().wait(0.001)
        go.set()
        assert [first.result(60), *(one.result(60) for one in rest)] == [0, 10, 20, 30, 40, 50]
        for one in bad:
            with pytest.raises(ValueError, match="bad"):
                one.result(60)
    assert seen[0] == ("a", [0])
    assert sorted(len(items) for key, items in seen if key == "a") == [1, 1, 3]
    assert sorted(item for _, items in seen for item in items) == list(range(8))


def test_folders_of_the_store(ct2_micro: Path, tmp_path: Path) -> None:
    store = ModelStore(Settings(models_dir=tmp_path, offline=True))
    shutil.copytree(ct2_micro, tmp_path / "mine")
    model = store.named("mine")
    assert (model.engine, model.path, model.info) == ("faster-whisper", tmp_path / "mine", None)
    assert store.is_here("mine")
    assert [one.name for one in store.list() if one.note == "for faster-whisper"] == ["mine"]
    assert store.get(ct2_micro).sha256 == model.sha256
    config = tmp_path / "mine" / "config.json"
    config.write_text(config.read_text() + " ")
    assert store.named("mine").sha256 != model.sha256


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "vocabulary.json", "model.bin"])
def test_a_folder_that_is_not_whole(ct2_micro: Path, tmp_path: Path, name: str) -> None:
    folder = tmp_path / "half"
    shutil.copytree(ct2_micro, folder)
    if name == "model.bin":
        (folder / name).write_bytes(b"lmgg" + bytes(100))
    else:
        (folder / name).unlink()
    with pytest.raises(ModelDamaged, match="CTranslate2"):
        ModelStore(Settings(offline=True)).get(folder)


def test_weights_that_are_cut_off(ct2_micro: Path, tmp_path: Path) -> None:
    folder = tmp_path / "half"
    shutil.copytree(ct2_micro, folder)
    (folder / "model.bin").write_bytes((ct2_micro / "model.bin").read_bytes()[:1_000_000])
    engine = FasterWhisper(folder, sha256="0" * 64, threads=1, isolation="none")
    with pytest.raises(ModelDamaged):
        engine.load()


def test_it_says_how_to_install_what_is_missing(monkeypatch: pytest.MonkeyPatch, ct2_micro: Path) -> None:
    monkeypatch.setattr("whispercore.engines.fasterwhisper.engine.find_spec", lambda _: None)
    with pytest.raises(InvalidOption, match=r"whispercore\[faster-whisper\]"):
        FasterWhisper(ct2_micro, sha256="0" * 64)


def test_whispers_own_file_is_refused(micro_path: Path) -> None:
    model = evolve(ModelStore(Settings.from_environment()).get("micro"), engine="faster-whisper")
    engine = FasterWhisper(model.path, sha256=model.sha256, threads=1, isolation="none")
    with pytest.raises(ModelDamaged):
        engine.load()


def test_the_longest_prompt_leaves_room(ct2_micro: Path) -> None:
    engine = FasterWhisper(ct2_micro, sha256="0" * 64, threads=1, isolation="none")
    window = Window(index=0, start_s=0.0, samples=samples("clip01-en.wav").tobytes())
    (decoded,) = engine.decode([window], Options(language="en", prompt="many words " * 200), Control())
    assert len(decoded.segments) <= 100
    engine.unload()
