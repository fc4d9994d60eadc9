"""``serve`` and ``work`` as coroutines; as commands they are tried in ``tests/unit/cli``."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.live import settings_for
from whispercore_server.runner import Runner
from whispercore_server.serving import Tell, serve, work
from whispercore_server.settings import ServerSettings


class _Stops:
    """Notes what the collector is spared once all is there, and asks to stop."""

    def __init__(self) -> None:
        self.spared = 0

    def admin_key(self, key: str) -> None:
        """Nobody uses it."""

    def listening(self, url: str) -> None:
        """The server is ready."""
        assert url
        self.working()

    def working(self) -> None:
        """So is the worker."""
        self.spared = gc.get_freeze_count()
        os.kill(os.getpid(), signal.SIGTERM)

    def stopping(self) -> None:
        """It heard the signal."""

    def giving_up(self, after_s: int) -> None:
        """It ends in order here."""


@pytest.fixture(autouse=True)
def _thawed() -> Iterator[None]:
    gc.unfreeze()
    yield
    gc.unfreeze()


@pytest.mark.parametrize("run", [serve, work])
def test_what_lives_as_long_as_the_process_is_spared_collections(
    tmp_path: Path, run: Callable[[ServerSettings, Tell], Coroutine[Any, Any, None]]
) -> None:
    """To look through all modules took 80 ms, in which the event loop answered nobody."""
    tell = _Stops()
    asyncio.run(run(settings_for(tmp_path), tell))
    assert tell.spared > len(gc.get_objects()) / 2


def test_who_is_being_answered_has_most_of_the_time_for_ending(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    had_s: list[float] = []

    class Noting(Runner):
        def __init__(self, *args: Any, shutdown_timeout: float, **options: Any) -> None:
            had_s.append(shutdown_timeout)
            super().__init__(*args, shutdown_timeout=shutdown_timeout, **options)

    monkeypatch.setattr("whispercore_server.serving.Runner", Noting)
    asyncio.run(serve(settings_for(tmp_path, stop_within_s=90), _Stops()))
    assert had_s == [pytest.approx(60)]
