import json
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from typing import NamedTuple

import pytest
from attrs import evolve
from filelock import FileLock

from whispercore.errors import InvalidOption, ModelDamaged, ModelInUse, ModelMissing, NoSpace, UnknownModel
from whispercore.models import records
from whispercore.models.catalogue import MICRO_PATH
from whispercore.models.pace import Pace
from whispercore.models.store import ModelStore
from whispercore.models.verify import ModelBytes
from whispercore.settings import Settings

from .hub import Act, Hub, leftovers
from .making import make_model, sha256_of, small_shape

ROOT = Path(__file__).parents[3]


class Usage(NamedTuple):
    total: int
    used: int
    free: int


@pytest.fixture
def folder(settings: Settings) -> Path:
    return settings.models_dir


def test_the_bundled_model_needs_nothing(store: ModelStore, folder: Path) -> None:
    model = store.get("micro")
    assert (model.path, model.sha256) == (MICRO_PATH, sha256_of(MICRO_PATH))
    assert store.pull("micro").sha256 == store.verify("micro").sha256 == model.sha256
    assert not folder.exists()


def test_a_published_model_is_downloaded_once(store: ModelStore, hub: Hub, folder: Path) -> None:
    seen: list[int] = []
    model = store.get("demo", on_progress=lambda done, _: seen.append(done))
    assert (model.name, model.path) == ("demo", folder / "demo.bin")
    assert model.sha256 == sha256_of(model.path)
    assert model.info is not None
    assert model.size_bytes == model.info.size_bytes == seen[-1]
    assert store.get("demo") == store.pull("demo") == store.verify("demo") == model
    assert [one.path for one in hub.asked] == ["/ggml-demo.bin"]


def test_force_downloads_again(store: ModelStore, hub: Hub) -> None:
    store.pull("demo")
    store.pull("demo", force=True)
    assert len(hub.asked) == 2


def test_offline(store: ModelStore, settings: Settings, hub: Hub, model_path: Path) -> None:
    offline = ModelStore(evolve(settings, offline=True))
    with pytest.raises(ModelMissing, match="whispercore models pull small"):
        offline.get("small")
    with pytest.raises(UnknownModel):
        offline.get("smal")
    offline.add("small", model_path)
    assert offline.get("small").name == "small"
    with pytest.raises(InvalidOption, match="offline"):
        offline.pull("small", force=True)
    assert hub.asked == []


def test_paths(store: ModelStore, model_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = store.get(model_path)
    assert (model.name, model.path) == ("own file", model_path)
    assert store.get(str(model_path)) == model
    monkeypatch.chdir(model_path.parent)
    assert store.get("own file.bin").sha256 == model.sha256
    with pytest.raises(ModelDamaged, match="there is no such file"):
        store.get("./none")
    with pytest.raises(UnknownModel):
        store.get("none.bin")
    with pytest.raises(UnknownModel):
        store.named(str(model_path))


def test_a_path_is_hashed_again_only_when_it_changed(
    store: ModelStore, model_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashed: list[Path] = []

    def watch(model: ModelBytes) -> str:
        hashed.append(model.path)
        return sha256_of(model.path)

    monkeypatch.setattr(ModelBytes, "sha256", watch)
    before = store.get(model_path).sha256
    store.get(model_path)
    assert len(hashed) == 1
    model_path.write_bytes(model_path.read_bytes()[:-1] + b"!")
    os.utime(model_path, ns=(1, 1))
    assert store.get(model_path).sha256 != before
    assert len(hashed) == 2


@pytest.mark.parametrize(
    ("name", "similar"), [("dmeo", ("demo",)), ("Micro", ("micro",)), ("demo2", ("demo",)), ("qqqqqq", ())]
)
def test_unknown_names(store: ModelStore, name: str, similar: tuple[str, ...]) -> None:
    with pytest.raises(UnknownModel) as caught:
        store.get(name)
    assert caught.value.similar == similar


def test_large_is_never_another_model(settings: Settings) -> None:
    with pytest.raises(UnknownModel) as caught:
        ModelStore(settings).get("large")
    assert "large-v3" in caught.value.similar


@pytest.mark.parametrize("name", ["", ".", "..", "a b", "é", "-x", "x.part", "x.BIN", "a" * 101, "a\n", "a\0", "Micro"])
def test_names_that_cannot_be_used(store: ModelStore, model_path: Path, folder: Path, name: str) -> None:
    with pytest.raises(InvalidOption, match="cannot be"):
        store.add(name, model_path)
    for act in (store.pull, store.remove, store.verify, store.named):
        with pytest.raises(UnknownModel):
            act(name)
    assert not folder.exists()


@pytest.mark.parametrize("name", ["../x", "/etc/x", "a/b"])
def test_names_with_paths(store: ModelStore, model_path: Path, name: str) -> None:
    with pytest.raises(InvalidOption):
        store.add(name, model_path)
    with pytest.raises(UnknownModel):
        store.named(name)


def test_add(store: ModelStore, model_path: Path, hub: Hub, folder: Path, tmp_path: Path) -> None:
    model = store.add("medium", model_path)
    assert store.get("medium") == model
    assert leftovers(folder) == {"medium.bin", "medium.json"}
    with pytest.raises(InvalidOption, match="already here"):
        store.add("medium", model_path)
    english = tmp_path / "english.bin"
    english.write_bytes(make_model(small_shape(n_vocab=51_864)))
    assert store.add("medium", english, replace=True).sha256 == store.get("medium").sha256 != model.sha256
    info = store.get("medium").info
    assert info is not None
    assert not info.multilingual
    assert store.pull("medium") == store.get("medium")
    assert hub.asked == []


def test_add_refuses_what_is_no_model(store: ModelStore, tmp_path: Path, folder: Path) -> None:
    (tmp_path / "x.bin").write_bytes(b"<html>")
    with pytest.raises(ModelDamaged, match="web page"):
        store.add("x", tmp_path / "x.bin")
    with pytest.raises(ModelDamaged, match="no such file"):
        store.add("x", tmp_path / "none.bin")
    assert not folder.exists()


def test_add_without_room(store: ModelStore, model_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10, 9, 1))
    with pytest.raises(NoSpace):
        store.add("x", model_path)
    assert leftovers(folder) == set()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a device that is always full")
def test_the_disk_fills_up_while_adding(store: ModelStore, model_path: Path, folder: Path) -> None:
    folder.mkdir()
    (folder / ".x.add.tmp").symlink_to("/dev/full")
    with pytest.raises(NoSpace):
        store.add("x", model_path)
    assert leftovers(folder) == set()


def test_remove(store: ModelStore, model_path: Path, folder: Path) -> None:
    store.add("mine", model_path)
    (folder / "mine.bin.part").write_bytes(b"x")
    store.remove("mine")
    assert leftovers(folder) == set()
    with pytest.raises(UnknownModel):
        store.remove("mine")
    with pytest.raises(InvalidOption, match="part of this package"):
        store.remove("micro")
    (folder / "demo.bin.part").write_bytes(b"x")
    store.remove("demo")
    assert leftovers(folder) == set()
    with pytest.raises(InvalidOption, match="nothing to remove"):
        store.remove("demo")


def test_changed_bytes_are_noticed(store: ModelStore, model_path: Path) -> None:
    path = store.add("mine", model_path).path
    status = path.stat()
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    with pytest.raises(ModelDamaged, match="it has changed since it came"):
        store.get("mine")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert store.get("mine").path == path
    with pytest.raises(ModelDamaged, match="it has changed since it came"):
        store.verify("mine")


def test_a_cut_off_file_is_noticed(store: ModelStore, model_path: Path) -> None:
    path = store.add("mine", model_path).path
    os.truncate(path, 500_000)
    with pytest.raises(ModelDamaged, match=r"after 0\.5 of 0\.9 MB; `whispercore models add mine FILE --replace`"):
        store.get("mine")
    path = store.pull("demo").path
    os.truncate(path, 500_000)
    for look in (store.get, store.verify, store.pull):
        with pytest.raises(ModelDamaged, match="; `whispercore models pull demo --force` downloads it again"):
            look("demo")
    assert store.pull("demo", force=True).path == path


def test_another_time_is_no_damage(store: ModelStore, model_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = store.add("mine", model_path)
    os.utime(model.path, ns=(5, 5))
    assert store.get("mine") == model
    monkeypatch.setattr(ModelBytes, "sha256", lambda _: pytest.fail("the record was not renewed"))
    assert store.get("mine") == model
    assert json.loads((model.path.with_suffix(".json")).read_text())["source"] == "added"


@pytest.mark.parametrize("record", [None, "", "[]", '{"size_bytes": "many"}'])
def test_files_without_a_good_record(store: ModelStore, model_path: Path, folder: Path, record: str | None) -> None:
    folder.mkdir()
    shutil.copy(model_path, folder / "mine.bin")
    if record is not None:
        (folder / "mine.json").write_text(record)
    assert store.get("mine").sha256 == sha256_of(model_path)
    assert json.loads((folder / "mine.json").read_text())["source"] == "found"


def test_a_folder_that_cannot_be_written(store: ModelStore, model_path: Path, folder: Path) -> None:
    folder.mkdir()
    shutil.copy(model_path, folder / "mine.bin")
    (folder / ".mine.lock").mkdir()
    assert store.get("mine").sha256 == store.verify("mine").sha256 == sha256_of(model_path)
    with pytest.raises(InvalidOption, match="cannot be written"):
        store.remove("mine")


def test_a_folder_that_cannot_be_made(settings: Settings, model_path: Path) -> None:
    with pytest.raises(InvalidOption, match="WHISPERCORE_MODELS: the folder"):
        ModelStore(evolve(settings, models_dir=model_path / "x")).add("mine", model_path)


def test_somebody_else_holds_the_lock(store: ModelStore, folder: Path, model_path: Path) -> None:
    folder.mkdir()
    with FileLock(folder / ".demo.lock"):
        with pytest.raises(ModelInUse, match="'demo'"):
            store.get("demo")
        with pytest.raises(ModelInUse, match="'demo'"):
            store.add("demo", model_path)
        store.add("other", model_path)


def test_list(store: ModelStore, model_path: Path, folder: Path) -> None:
    store.add("plain", model_path)
    store.add("zebra", model_path)
    store.pull("demo")
    (folder / "broken.bin").write_bytes(b"GGUF")
    (folder / "a b.bin").write_bytes(b"ignored")
    found = {model.name: model for model in store.list()}
    assert [(name, model.state) for name, model in found.items()] == [
        ("micro", "bundled"),
        ("demo", "downloaded"),
        ("plain", "added"),
        ("broken", "damaged"),
        ("zebra", "added"),
    ]
    assert found["zebra"].path == folder / "zebra.bin"
    assert (found["zebra"].languages, found["zebra"].size_bytes) == ("multilingual", model_path.stat().st_size)
    assert "GGUF" in found["broken"].note
    assert not found["broken"].downloaded
    assert found["zebra"].downloaded


def test_list_of_an_empty_store(settings: Settings) -> None:
    models = ModelStore(settings).list()
    assert [model.name for model in models if model.downloaded] == ["micro"]
    assert len(models) == 31


def test_threads_download_once(settings: Settings, store: ModelStore, hub: Hub) -> None:
    patient = ModelStore(settings, catalogue=store._catalogue, pace=Pace(stall_s=5))
    hub.always = Act(pause_s=0.3)
    found: list[str] = []
    threads = [threading.Thread(target=lambda: found.append(patient.get("demo").sha256)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert len(hub.asked) == 1


PULL = """
import sys
from pathlib import Path
from whispercore.models.catalogue import CatalogueModel
from whispercore.models.store import ModelStore
from whispercore.settings import Settings
demo = CatalogueModel(name="demo", file_name="demo.bin", size_mb=1, languages="english")
store = ModelStore(Settings(models_dir=Path(sys.argv[1]), hub=sys.argv[2]), catalogue={"demo": demo})
print(store.get("demo").sha256)
"""


def test_two_processes_download_once(hub: Hub, folder: Path, model_path: Path) -> None:
    hub.always = Act(pause_s=1.0)
    command = [sys.executable, "-c", PULL, str(folder), hub.url]
    processes = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    assert {process.communicate(timeout=60)[0].strip() for process in processes} == {sha256_of(model_path)}
    assert len(hub.asked) == 1


def test_replacing_disturbs_no_reader(settings: Settings, model_path: Path, tmp_path: Path) -> None:
    store = ModelStore(settings)
    english = tmp_path / "english.bin"
    english.write_bytes(make_model(small_shape(n_vocab=51_864)))
    known = {sha256_of(model_path), sha256_of(english)}
    store.add("mine", model_path)
    seen: list[str] = []
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            seen.append(ModelStore(settings).get("mine").sha256)

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(10):
        store.add("mine", (english, model_path)[number % 2], replace=True)
    done.set()
    reader.join()
    assert seen
    assert set(seen) <= known


def test_size_words_and_checksum_are_of_one_file(
    store: ModelStore, model_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Replaced at the worst moment, after it was opened: what is told is all old or all new."""
    english = tmp_path / "english.bin"
    english.write_bytes(make_model(small_shape(n_vocab=51_864)))
    old, new = store.add("mine", model_path), ModelStore(store._settings).get(english)
    opened, waiting = ModelBytes.__init__, [english]

    def swapped_then(model: ModelBytes, path: Path) -> None:
        opened(model, path)
        if waiting and path.name == "mine.bin":
            store.add("mine", waiting.pop(), replace=True)

    monkeypatch.setattr(ModelBytes, "__init__", swapped_then)
    found = store.get("mine")
    assert not waiting
    assert (found.sha256, found.size_bytes, found.info) in [
        (one.sha256, one.size_bytes, one.info) for one in (old, new)
    ]


def test_a_name_that_vanishes_is_noticed(model_path: Path) -> None:
    with ModelBytes(model_path) as model:
        assert model.is_current
        model_path.rename(model_path.with_suffix(".old"))
        assert not model.is_current
        assert model.sha256() == sha256_of(model_path.with_suffix(".old"))


def test_replaced_where_nobody_can_lock(
    store: ModelStore, model_path: Path, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    english = tmp_path / "english.bin"
    english.write_bytes(make_model(small_shape(n_vocab=51_864)))
    store.add("mine", model_path)
    (folder / "mine.json").unlink()
    (folder / ".mine.lock").unlink(missing_ok=True)
    (folder / ".mine.lock").mkdir()
    sha256, waiting = ModelBytes.sha256, [english]

    def swapped_first(model: ModelBytes) -> str:
        if waiting:
            arrived = folder / ".mine.add.tmp"
            shutil.copy(waiting.pop(), arrived)
            records.install(arrived, model.path, sha256=sha256_of(english), source="added")
        return sha256(model)

    monkeypatch.setattr(ModelBytes, "sha256", swapped_first)
    assert store.verify("mine").sha256 == sha256_of(english)


def test_importing_is_light() -> None:
    code = (
        "import sys, whispercore.models.store, whispercore.settings;"
        "print([name for name in ('aiohttp', 'tenacity', 'filelock', 'platformdirs', 'cattrs', 'asyncio', 'numpy',"
        " 'rich') if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
