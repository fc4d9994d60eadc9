import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from whispercore.models.catalogue import CatalogueModel
from whispercore.models.pace import Pace
from whispercore.models.store import ModelStore
from whispercore.settings import Settings

from .hub import Hub
from .making import make_model


@pytest.fixture(scope="session")
def model_bytes() -> bytes:
    return make_model()


@pytest.fixture
def hub(model_bytes: bytes) -> Iterator[Hub]:
    hub = Hub(model_bytes)
    hub.start()
    yield hub
    hub.stop()


@pytest.fixture
def pace() -> Pace:
    return Pace(connect_s=5, stall_s=0.3, wait_s=lambda _: 0.0)


@pytest.fixture
def settings(tmp_path: Path, hub: Hub) -> Settings:
    return Settings(models_dir=tmp_path / "models", hub=hub.url)


@pytest.fixture
def store(settings: Settings, pace: Pace, model_bytes: bytes) -> ModelStore:
    sha1 = hashlib.sha1(model_bytes, usedforsecurity=False).hexdigest()
    catalogue = {
        "demo": CatalogueModel(name="demo", file_name="ggml-demo.bin", size_mb=1, sha1=sha1, languages="multilingual"),
        "plain": CatalogueModel(name="plain", file_name="ggml-plain.bin", size_mb=1, languages="multilingual"),
    }
    return ModelStore(settings, catalogue=catalogue, pace=pace, lock_timeout_s=0.3)


@pytest.fixture
def model_path(tmp_path: Path, model_bytes: bytes) -> Path:
    path = tmp_path / "own file.bin"
    path.write_bytes(model_bytes)
    return path
