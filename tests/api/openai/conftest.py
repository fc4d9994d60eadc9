"""OpenAI's own client, of either kind, and servers whose engine does as a test says."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import openai
import pytest
from attrs import evolve, frozen

from tests.api.conftest import APIS, MakeServer
from tests.live import Live
from tests.visitor import Visitor
from whispercore.engines.engine import Control, Decoded, Options, Window
from whispercore.testing import ScriptedEngine
from whispercore_server.plugin import Plugin


@frozen
class OpenAi:
    """The client of the package ``openai``; the sync one works in a thread."""

    client: Any

    async def call(self, make: Callable[[Any], Any]) -> Any:
        """What a call gives."""
        return await asyncio.to_thread(make, self.client) if self._is_sync else await make(self.client)

    async def events(self, make: Callable[[Any], Any]) -> list[Any]:
        """All events of a stream."""
        if self._is_sync:
            return await asyncio.to_thread(lambda: list(make(self.client)))
        return [one async for one in await make(self.client)]

    @property
    def _is_sync(self) -> bool:
        return isinstance(self.client, openai.OpenAI)


@asynccontextmanager
async def openai_client(kind: str, url: str, key: str) -> AsyncIterator[OpenAi]:
    """A client of a kind, ``async`` or ``sync``, that tries nothing again."""
    options: dict[str, Any] = {"base_url": f"{url}/v1", "api_key": key, "max_retries": 0}
    if kind == "sync":
        with openai.OpenAI(**options) as client:
            yield OpenAi(client)
    else:
        async with openai.AsyncOpenAI(**options) as client_:
            yield OpenAi(client_)


@pytest.fixture
async def speech(kind: str, newcomer: Visitor) -> AsyncIterator[OpenAi]:
    """Somebody who has no jobs yet, with OpenAI's client."""
    async with openai_client(kind, newcomer.server.url, newcomer.token) as client:
        yield client


@pytest.fixture
def clip(audio: Path) -> Path:
    return audio / "clip01-en.wav"


class Held(ScriptedEngine):
    """Hears its script up to a window, and of that one nothing until it is cancelled."""

    def __init__(self, window: int = 0) -> None:
        super().__init__()
        self._window = window
        self.holds = threading.Event()
        self.was_stopped = threading.Event()

    def decode(self, windows: Sequence[Window], options: Options, control: Control) -> list[Decoded]:
        if windows[0].index >= self._window:
            self.holds.set()
            control.on_cancel(self.was_stopped.set)
            self.was_stopped.wait(60)
            control.check()
        return super().decode(windows, options, control)


def of_engine(engine: ScriptedEngine) -> tuple[Plugin, ...]:
    """All plugins, with this engine in place of the usual one."""
    return (*APIS[:-1], evolve(APIS[-1], engines={"whisper-cpp": engine}))


@pytest.fixture
def scripted(make_server: MakeServer) -> Callable[[ScriptedEngine], Live]:
    """Starts a server with this engine."""
    return lambda engine: make_server(plugins=of_engine(engine))
