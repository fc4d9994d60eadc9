"""Whether transcribing works. Trying an engine takes long, so it is done beside, and what it showed is told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Final, Protocol

from attrs import define, field, frozen

from whispercore.clock import Clock
from whispercore.engines.pool import EnginePool
from whispercore.errors import EngineStalled
from whispercore.measures.services import Degraded, Starting
from whispercore.models.catalogue import MICRO
from whispercore.models.store import ModelFile, ModelStore

FIRST_S: Final = 5.0
"""How soon after a start an engine is tried if nobody asks sooner: the start itself needs the processors."""
GIVES_WAY_S: Final = 0.1
"""How long a trial waits that a question has begun, so that the answer is there first."""
EVERY_S: Final = 60.0
"""How often it is looked whether a trial is due."""
HOLDS_S: Final = 300.0
"""How long a trial holds that went well."""
FAILED_S: Final = 5.0
"""How long one holds that failed, where somebody asks."""
LIMIT_S: Final = 20.0
"""How long a trial may take."""


class Tried(Protocol):
    """As much of an engine as a trial needs."""

    def load(self) -> None:
        """Be ready to transcribe. Blocks."""
        ...

    def unload(self) -> None:
        """End, also while it is loading."""
        ...


def small_engine(model: ModelFile) -> Tried:
    """whisper.cpp in a child of its own."""
    from whispercore.engines.whispercpp.engine import WhisperCpp  # noqa: PLC0415 (only where engines are tried)

    return WhisperCpp(model.path, sha256=model.sha256, threads=1)


@frozen
class _Outcome:
    failure: Exception | None
    at: datetime
    at_s: float


@define
class WhisperProbe:
    """Looks whether the default model can be used, and tells whether an engine can be had.

    Args:
        models: The models of this machine.
        default_model: The one that jobs get when they name none.
        engines: The engines of this process; where one is loaded, none has to be tried.
        clock: Says when a trial is too old.
        make: Makes an engine for a trial.
        limit_s: How long a trial may take.
        gives_way_s: How long one waits that a question has begun.
    """

    models: ModelStore
    default_model: str
    engines: EnginePool
    clock: Clock
    make: Callable[[ModelFile], Tried] = small_engine
    limit_s: float = LIMIT_S
    gives_way_s: float = GIVES_WAY_S
    _outcome: _Outcome | None = field(default=None, init=False)
    _trial: asyncio.Task[None] | None = field(default=None, init=False)

    @property
    def checked_at(self) -> datetime | None:
        """When an engine was last tried, or seen at work; None before."""
        return self._outcome.at if self._outcome is not None else None

    async def __call__(self) -> str:
        """How transcribing is, as far as it is known; a trial that is due is begun and not waited for.

        Raises:
            Starting: No trial has ended yet.
            Degraded: The default model is not on this machine; others may be.
            WhispercoreError: The model is damaged, or no engine could be started.
        """
        missing = not await asyncio.to_thread(self.models.is_here, self.default_model)
        if not missing:
            await asyncio.to_thread(self.models.named, self.default_model)
        self._look(failed_s=FAILED_S, after_s=self.gives_way_s)
        outcome, loaded = self._outcome, self.engines.loaded
        if outcome is not None and outcome.failure is not None:
            raise outcome.failure.with_traceback(None)  # else it grows with each who asks
        if missing:
            raise Degraded(f"the model {self.default_model} is not on this machine")
        if outcome is None:
            raise Starting("an engine is being tried")
        return f"{loaded} loaded" if loaded else "it can be loaded"

    async def run(self) -> None:
        """Try an engine whenever it is due, until cancelled."""
        await self.clock.sleep(FIRST_S)
        while True:
            self._look(failed_s=EVERY_S, after_s=0.0)
            await self.clock.sleep(EVERY_S)

    async def close(self) -> None:
        """End a trial that is under way."""
        if self._trial is not None:
            self._trial.cancel()
            await asyncio.wait((self._trial,))

    def _look(self, *, failed_s: float, after_s: float) -> None:
        if self.engines.loaded:
            self._settle(None)
        elif (self._trial is None or self._trial.done()) and self._is_due(failed_s):
            self._trial = asyncio.create_task(self._try(after_s), name="engine trial")

    def _is_due(self, failed_s: float) -> bool:
        if self._outcome is None:
            return True
        age_s = self.clock.monotonic() - self._outcome.at_s
        return age_s >= (HOLDS_S if self._outcome.failure is None else failed_s)

    def _settle(self, failure: Exception | None) -> None:
        self._outcome = _Outcome(failure, self.clock.now(), self.clock.monotonic())

    async def _try(self, after_s: float) -> None:
        await asyncio.sleep(after_s)
        try:
            await self._loaded_once()
        except Exception as error:  # noqa: BLE001 (it is told to whoever asks)
            self._settle(error)
        else:
            self._settle(None)

    async def _loaded_once(self) -> None:
        """Load a small model and let it go, also when this is cancelled.

        Raises:
            WhispercoreError: It cannot be loaded, or not within the limit.
        """
        engine = await asyncio.to_thread(lambda: self.make(self.models.named(MICRO.name)))
        loading = asyncio.create_task(asyncio.to_thread(engine.load))
        try:
            done, _ = await asyncio.wait((loading,), timeout=self.limit_s)
        finally:
            await asyncio.to_thread(engine.unload)
            await asyncio.gather(loading, return_exceptions=True)
        if not done:
            raise EngineStalled("the engine", self.limit_s)
        await loading
