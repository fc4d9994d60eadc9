"""What all tests share: the recordings and their transcripts, the bundled model, and nobody left behind."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from benchmarks.ct2_model import converted
from tests.databases import (  # noqa: F401 (they are fixtures)
    _shared,
    database_url,
    postgres,
    postgres_template,
    postgres_url,
)
from whispercore.engines.pool import EnginePool
from whispercore.models.catalogue import MICRO_PATH
from whispercore.models.store import ModelFile, ModelStore
from whispercore.settings import Settings

# How quick a busy machine is at making examples says nothing of what is tested.
settings.register_profile("whispercore", deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("whispercore")


def pytest_configure(config: pytest.Config) -> None:
    """Looking for garbage as often as usual takes a sixth of the time.

    With several processes, tests of a module stay in one, with the servers that they share, until another has nothing
    more to do.
    """
    gc.set_threshold(20_000, 10, 10)
    if config.getoption("dist", None) == "load":
        config.option.dist = "worksteal"


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What may take longer than most begins first, so that at the end no process waits for another one."""
    items.sort(key=lambda item: item.get_closest_marker("timeout") is None)


def pytest_collection_finish() -> None:
    """What was imported and collected stays, so nobody need look through it again."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True, scope="session")
def _no_network_and_no_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Tests neither download nor touch the models of whoever runs them."""
    patch = pytest.MonkeyPatch()
    patch.setenv("WHISPERCORE_MODELS", str(tmp_path_factory.mktemp("models")))
    patch.setenv("WHISPERCORE_OFFLINE", "1")
    patch.setenv("WHISPERCORE_DECODER_READY", "0")  # most servers here are asked for little, and end soon
    patch.delenv("WHISPERCORE_MODEL", raising=False)
    # Bytecode is kept as installations keep it: hundreds of processes start here, and each would compile all of it.
    patch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    # No proxy stands before servers of this machine: looking for one takes a fifth of the time of a request.
    patch.setattr("requests.sessions.get_environ_proxies", lambda *_, **__: {})
    yield
    patch.undo()


@pytest.fixture(scope="session")
def audio() -> Path:
    """The folder of recordings."""
    return Path(__file__).parent / "audio"


@pytest.fixture(scope="session")
def micro_path() -> Path:
    return MICRO_PATH


@pytest.fixture(scope="session")
def micro() -> ModelFile:
    return ModelStore(Settings.from_environment()).get("micro")


@pytest.fixture(scope="session")
def ct2_micro(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundled model as faster-whisper reads it."""
    return converted(MICRO_PATH, tmp_path_factory.mktemp("ct2") / "micro")


@pytest.fixture
def pool() -> Iterator[EnginePool]:
    with EnginePool() as pool:
        yield pool
