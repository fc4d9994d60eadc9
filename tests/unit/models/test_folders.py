"""Models of CTranslate2 in the store: added, verified and removed like files."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import NamedTuple

import pytest

from whispercore.errors import InvalidOption, ModelDamaged, NoSpace, UnknownModel
from whispercore.models.store import ModelStore
from whispercore.settings import Settings

from .hub import Hub, leftovers
from .test_cli import folder, run

__all__ = ["folder"]


class Usage(NamedTuple):
    total: int
    used: int
    free: int


def altered(path: Path) -> None:
    """Another last byte, in a file that looks the same."""
    status = path.stat()
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def test_add_verify_remove(store: ModelStore, settings: Settings, ct2_micro: Path, tmp_path: Path) -> None:
    source = tmp_path / "source"
    shutil.copytree(ct2_micro, source)
    (source / "README.md").write_text("not of the model")
    model = store.add("mine", source)
    assert (model.name, model.engine, model.path) == ("mine", "faster-whisper", settings.models_dir / "mine")
    assert model.sha256 == store.get(ct2_micro).sha256
    assert {path.name for path in model.path.iterdir()} == {path.name for path in ct2_micro.iterdir()}
    assert store.named("mine") == store.verify("mine") == store.pull("mine") == model
    assert [(one.name, one.state) for one in store.list() if one.note == "for faster-whisper"] == [("mine", "added")]
    with pytest.raises(InvalidOption, match="already here"):
        store.add("mine", source)
    altered(model.path / "config.json")
    with pytest.raises(ModelDamaged, match=r"has changed since it came.*models add mine FILE --replace"):
        store.verify("mine")
    assert store.add("mine", source, replace=True) == store.verify("mine") == model
    store.remove("mine")
    assert leftovers(settings.models_dir) == set()
    with pytest.raises(UnknownModel):
        store.remove("mine")
    with pytest.raises(UnknownModel):
        store.verify("mine")


def test_what_looks_changed_is_noticed_when_it_is_used(store: ModelStore, ct2_micro: Path) -> None:
    config = store.add("mine", ct2_micro).path / "config.json"
    config.write_text(config.read_text() + " ")
    with pytest.raises(ModelDamaged, match="has changed since it came"):
        store.named("mine")


def test_files_and_folders_replace_each_other(
    store: ModelStore, settings: Settings, hub: Hub, ct2_micro: Path, model_path: Path
) -> None:
    store.add("demo", ct2_micro)
    with pytest.raises(InvalidOption, match="already here"):
        store.add("demo", model_path)
    file = store.add("demo", model_path, replace=True)
    assert (file.engine, store.verify("demo")) == ("whisper-cpp", file)
    assert leftovers(settings.models_dir) == {"demo.bin", "demo.json"}
    with pytest.raises(InvalidOption, match="already here"):
        store.add("demo", ct2_micro)
    model = store.add("demo", ct2_micro, replace=True)
    assert leftovers(settings.models_dir) == {"demo", "demo.json"}
    assert store.pull("demo") == store.verify("demo") == model
    assert hub.asked == []


def test_one_that_was_put_there(store: ModelStore, settings: Settings, ct2_micro: Path) -> None:
    shutil.copytree(ct2_micro, settings.models_dir / "found")
    assert store.verify("found") == store.named("found")
    altered(settings.models_dir / "found" / "tokenizer.json")
    with pytest.raises(ModelDamaged, match="has changed"):
        store.verify("found")
    store.remove("found")
    assert leftovers(settings.models_dir) == set()


def test_what_is_refused(
    store: ModelStore, settings: Settings, ct2_micro: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    half = tmp_path / "half"
    shutil.copytree(ct2_micro, half)
    (half / "tokenizer.json").unlink()
    for path, why in ((half, r"lacks tokenizer\.json"), (tmp_path / "none", "no such file"), (tmp_path, "CTranslate2")):
        with pytest.raises(ModelDamaged, match=why):
            store.add("mine", path)
    for name in ("micro", "a b", "../x"):
        with pytest.raises(InvalidOption):
            store.add(name, ct2_micro)
    with pytest.raises(UnknownModel):
        store.verify("../models")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10, 9, 1))
    with pytest.raises(NoSpace):
        store.add("mine", ct2_micro)
    assert leftovers(settings.models_dir) == set()


def test_the_command(folder: Path, ct2_micro: Path) -> None:
    assert run("add", "mine", str(ct2_micro)) == f"mine: {folder / 'mine'}\n"
    assert run("verify", "mine").startswith("mine: whole, SHA-256 ")
    assert "for faster-whisper" in run("list")
    assert run("rm", "mine") == "mine is deleted\n"


def test_what_is_downloaded_by_force_replaces_a_folder(store: ModelStore, settings: Settings, ct2_micro: Path) -> None:
    assert store.add("demo", ct2_micro).engine == "faster-whisper"
    assert store.pull("demo", force=True) == store.named("demo")
    assert not (settings.models_dir / "demo").exists()
    assert [one.name for one in store.list() if one.note == "for faster-whisper"] == []


@pytest.mark.parametrize("name", ["seen", "calibrations", "Seen"])
def test_folders_of_the_store_are_no_models(
    name: str, store: ModelStore, settings: Settings, ct2_micro: Path, model_path: Path
) -> None:
    (settings.models_dir / name.lower()).mkdir(parents=True)
    for source in (ct2_micro, model_path):
        with pytest.raises(InvalidOption, match=f"'{name}' is what the store calls a folder of its own"):
            store.add(name, source, replace=True)
    assert [path.name for path in settings.models_dir.iterdir()] == [name.lower()]
