"""Models that are loaded before anybody asks for them, so that the first recording does not wait for that."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from typing import Final

from whispercore.engines.calibration import chosen_threads
from whispercore.engines.engine import SAMPLE_RATE, Control, Options, Window
from whispercore.engines.pool import EnginePool
from whispercore.errors import WhispercoreError
from whispercore.models.store import ModelFile, ModelStore
from whispercore.settings import Settings

_SECOND_OF_SILENCE: Final = Window(index=0, start_s=0.0, samples=bytes(4 * SAMPLE_RATE))
_log = logging.getLogger(__name__)


async def warm_up(pool: EnginePool, names: Sequence[str], settings: Settings) -> None:
    """Load models one after the other, as jobs will, and have each compute once, so that its memory is in place.

    They stay loaded for as long as no other model needs the room. What cannot be loaded is told in the log: a job that
    asks for it will say so.

    Args:
        pool: Where they are loaded.
        names: Models on this machine; none is downloaded.
        settings: Those of the jobs.
    """
    store = ModelStore(settings)
    for name in names:
        began_s = time.monotonic()
        try:
            if not await asyncio.to_thread(store.is_here, name):
                _log.warning("the model %s is not warmed up: it is not on this machine", name)
                continue
            await _compute_once(pool, await asyncio.to_thread(store.named, name), settings)
        except (WhispercoreError, OSError) as error:
            _log.warning("the model %s is not warmed up: %s", name, error)
        else:
            _log.info("the model %s is warm after %.1f s", name, time.monotonic() - began_s)


async def _compute_once(pool: EnginePool, model: ModelFile, settings: Settings) -> None:
    control = Control()

    def compute() -> None:
        threads = chosen_threads(model, settings)
        with pool.lease(model, engine=model.engine, threads=threads, settings=settings, keep=True) as lease:
            lease.decode(_SECOND_OF_SILENCE, Options(language="en"), control).result()

    try:
        await asyncio.to_thread(compute)
    finally:
        control.cancel()  # who is cancelled leaves a thread behind, which ends by this, or with the pool
