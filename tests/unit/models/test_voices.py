"""The models that tell voices apart: downloaded, checked, and found again."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from whispercore.errors import ChecksumMismatch, InvalidOption, ModelDamaged, ModelMissing, UnknownModel
from whispercore.models.pace import Pace
from whispercore.models.voices import VOICE_MODELS, VoiceModel, VoiceModels
from whispercore.settings import Settings

from .hub import Act, Hub, leftovers

NAME = "voices"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(models_dir=tmp_path / "models")


@pytest.fixture
def models(settings: Settings, hub: Hub) -> VoiceModels:
    return made(settings, hub)


def made(settings: Settings, hub: Hub) -> VoiceModels:
    hub.body = bytes(range(256)) * 40
    model = VoiceModel(
        name=NAME,
        part="embedding",
        url=f"{hub.url}/voices.onnx",
        size_bytes=len(hub.body),
        sha256=hashlib.sha256(hub.body).hexdigest(),
        note="",
    )
    pace = Pace(attempts=3, connect_s=2, stall_s=2)
    return VoiceModels(settings, catalogue={NAME: model}, pace=pace)


def test_what_is_published() -> None:
    for name, model in VOICE_MODELS.items():
        assert name == model.name
        assert len(model.sha256) == 64
        assert model.url.startswith("https://huggingface.co/")
        assert model.url.endswith(".onnx")
        assert "/resolve/main/" not in model.url, "a revision that nobody can change"
    assert {model.part for model in VOICE_MODELS.values()} == {"segmentation", "embedding"}


def test_the_default_is_one_of_them() -> None:
    settings = Settings()
    assert VoiceModels(settings).embedding(settings.voice_model) == "3dspeaker-eres2net-base"
    assert VoiceModels(settings).segmentation == "pyannote-segmentation-3.0"


def test_one_is_downloaded_when_it_is_needed(models: VoiceModels, settings: Settings, hub: Hub) -> None:
    assert not models.is_here(NAME)
    seen: list[int] = []
    path = models.get(NAME, on_progress=lambda done, _: seen.append(done))
    assert path.read_bytes() == hub.body
    assert seen[-1] == len(hub.body)
    assert models.get(NAME) == path
    assert len(hub.asked) == 1
    assert leftovers(settings.models_dir) == {"voices.onnx", "voices.json"}
    assert [(one.name, one.state) for one in models.list()] == [(NAME, "downloaded")]


def test_what_is_not_what_was_published_is_refused(models: VoiceModels, settings: Settings, hub: Hub) -> None:
    hub.always = Act(corrupt=True)
    with pytest.raises(ChecksumMismatch):
        models.get(NAME)
    assert leftovers(settings.models_dir) == set()


def test_a_file_that_changed_is_found_out(models: VoiceModels, hub: Hub) -> None:
    path = models.get(NAME)
    path.write_bytes(hub.body[::-1])
    with pytest.raises(ModelDamaged, match=r"models pull voices --force"):
        models.get(NAME)
    assert models.pull(NAME, force=True).read_bytes() == hub.body


def test_a_file_that_was_put_there_is_read_once(models: VoiceModels, settings: Settings, hub: Hub) -> None:
    settings.models_dir.mkdir()
    (settings.models_dir / "voices.onnx").write_bytes(hub.body)
    models.get(NAME)
    assert (settings.models_dir / "voices.json").is_file()
    assert hub.asked == []


def test_offline(settings: Settings, hub: Hub, tmp_path: Path) -> None:
    models = made(Settings(models_dir=settings.models_dir, offline=True), hub)
    with pytest.raises(ModelMissing):
        models.get(NAME)
    with pytest.raises(ModelMissing):
        models.verify(NAME)
    other, right = tmp_path / "other.onnx", tmp_path / "right.onnx"
    other.write_bytes(b"another")
    right.write_bytes(hub.body)
    with pytest.raises(ChecksumMismatch):
        models.add(NAME, other)
    with pytest.raises(ModelDamaged, match="cannot be read"):
        models.add(NAME, tmp_path / "none")
    assert models.add(NAME, right).read_bytes() == hub.body
    assert models.verify(NAME) == hashlib.sha256(hub.body).hexdigest()
    models.remove(NAME)
    assert leftovers(settings.models_dir) == set()
    with pytest.raises(InvalidOption, match="nothing to remove"):
        models.remove(NAME)


@pytest.mark.parametrize("name", ["", "none", "../voices", "/etc/passwd"])
def test_other_names_are_unknown(models: VoiceModels, name: str) -> None:
    for call in (models.get, models.pull, models.verify, models.remove, models.is_here):
        with pytest.raises(UnknownModel):
            call(name)
