"""One server for all tests of the APIs, the people who use it, and servers of other kinds for single tests."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Protocol

import pytest

from tests.both_clients import Both, both
from tests.browser import Browser
from tests.live import Live, live, settings_for
from tests.plugins.demo_plugin import PLUGIN as DEMO
from tests.speech import samples, write_wav
from tests.visitor import Visitor, administrator, registered, stranger
from whispercore_server.plugin import Plugin
from whispercore_server.plugins.files_v1 import PLUGIN as FILES_V1
from whispercore_server.plugins.openai import PLUGIN as OPENAI
from whispercore_server.plugins.transcriber import PLUGIN as TRANSCRIBER
from whispercore_server.plugins.v1 import PLUGIN as V1

APIS = (TRANSCRIBER, FILES_V1, OPENAI, V1)
"""All plugins of this distribution."""


@pytest.fixture(scope="session", autouse=True)
def _patient_probes() -> Iterator[None]:
    """On a busy machine a healthy server may take longer than a probe waits for it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("whispercore_server.plugins.transcriber.health._LIMIT_S", 60.0)
        yield


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """A server with the real engine. Tests leave no running jobs behind."""
    with live(settings_for(tmp_path_factory.mktemp("server")), plugins=(*APIS, DEMO)) as server:
        yield server


@pytest.fixture(scope="session")
def admin(server: Live) -> Visitor:
    return administrator(server)


@pytest.fixture(scope="session")
def alice(server: Live) -> Visitor:
    """All whose jobs are completed ones."""
    return registered(server)


@pytest.fixture(scope="session")
def bob(server: Live) -> Visitor:
    return registered(server)


@pytest.fixture
def newcomer(server: Live) -> Visitor:
    """Somebody who has no jobs yet."""
    return registered(server)


@pytest.fixture(scope="session")
def nobody(server: Live) -> Visitor:
    return stranger(server)


@pytest.fixture(scope="session")
def completed(alice: Visitor, audio: Path) -> dict[str, Any]:
    """A completed job of Alice's, to be looked at only."""
    job = alice.finished(alice.job(audio / "clip01-en.wav", language="en", words="true"))
    assert job["status"] == "completed"
    return job


@pytest.fixture(scope="session")
def minutes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recording that takes several windows."""
    return write_wav(tmp_path_factory.mktemp("minutes") / "minutes.wav", samples("talk.wav")[: 70 * 16_000])


@pytest.fixture(params=["async", "sync"])
def kind(request: pytest.FixtureRequest) -> str:
    """Of the typed client."""
    return str(request.param)


@pytest.fixture
async def client(kind: str, newcomer: Visitor) -> AsyncIterator[Both]:
    """Either client, of somebody who has no jobs yet."""
    async with both(kind, newcomer.server.url, token=newcomer.token) as client:
        yield client


@pytest.fixture
async def alices(kind: str, alice: Visitor) -> AsyncIterator[Both]:
    """Either client, of Alice: to look at what is completed."""
    async with both(kind, alice.server.url, token=alice.token) as client:
        yield client


@pytest.fixture
def browser(server: Live) -> Iterator[Browser]:
    with Browser(server) as browser:
        yield browser


class MakeServer(Protocol):
    """Starts a server that ends with the test."""

    def __call__(self, *, worker: bool = True, plugins: Sequence[Plugin] = APIS, **changes: Any) -> Live: ...


@pytest.fixture
def make_server(tmp_path: Path) -> Iterator[MakeServer]:
    with ExitStack() as stack:

        def make(*, worker: bool = True, plugins: Sequence[Plugin] = APIS, **changes: Any) -> Live:
            settings = settings_for(tmp_path / "data", **changes)
            return stack.enter_context(live(settings, plugins=plugins, worker=worker))

        yield make
