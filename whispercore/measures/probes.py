"""How each service is asked."""

from __future__ import annotations

import asyncio
import math
import os
import secrets
import ssl
from collections.abc import Callable
from contextlib import suppress
from typing import Final
from urllib.parse import unquote, urlsplit

from attrs import define, field
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from whispercore.clock import Clock
from whispercore.database.migrating import OURS
from whispercore.database.session import Database
from whispercore.engines.pool import EnginePool
from whispercore.errors import StorageError, StorageFull
from whispercore.files.blobs import Blobs
from whispercore.files.files import Files
from whispercore.jobs.queue import Queue
from whispercore.measures.services import Degraded, NotConfigured
from whispercore.models.catalogue import MICRO
from whispercore.models.store import ModelFile, ModelStore

_VERSION: Final = text(f"SELECT version_num FROM {OURS.version_table}")  # noqa: S608 (our own table)


async def schema_version(tx: AsyncConnection) -> str:
    """The version of our tables."""
    return str((await tx.execute(_VERSION)).scalar_one())


@define
class DatabaseProbe:
    """Reads from the database, and looks whether its file is still the one that is open."""

    database: Database

    async def __call__(self) -> str:
        """Its version.

        Raises:
            OSError: Its file is gone: what is written now is lost with the process.
        """
        path = self.database.path
        if path is not None and not await asyncio.to_thread(path.is_file):
            raise FileNotFoundError(f"the file {path.name} is gone, and all that is written with it")
        async with self.database.read() as tx:
            return f"schema {await schema_version(tx)}"


@define
class StorageProbe:
    """Writes a little blob, reads it, and removes it."""

    files: Files
    blobs: Blobs

    async def __call__(self) -> str:
        """How much room there is.

        Raises:
            StorageFull: There is no room for recordings.
            StorageError: What was read is not what was written.
        """
        if not await self.files.has_room():
            raise StorageFull
        key, data = f"probe/{secrets.token_hex(8)}", os.urandom(64)
        await self.blobs.put(key, data, mode="overwrite")
        try:
            if await self.blobs.get(key) != data:
                raise StorageError("what is read is not what was written")
        finally:
            await self.blobs.delete([key])
        free_bytes = await self.blobs.free_bytes()
        return "it takes and gives" if free_bytes is None else f"{free_bytes / (1 << 30):,.1f} GB free"


@define
class WorkerProbe:
    """Looks whether workers were seen of late."""

    queue: Queue

    async def __call__(self) -> str:
        """How many.

        Raises:
            OSError: None was.
        """
        count = await self.queue.workers()
        if not count:
            raise ConnectionError("no worker is there")
        return f"{count} worker{'s' if count > 1 else ''}"


@define
class RedisProbe:
    """Says PING to a Redis server, in its own words."""

    url: str | None

    async def __call__(self) -> str:
        """That it answers.

        Raises:
            NotConfigured: There is none.
            OSError: It does not answer as it should.
        """
        if self.url is None:
            raise NotConfigured
        parts = urlsplit(self.url)
        context = ssl.create_default_context() if parts.scheme == "rediss" else None
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port or 6379, ssl=context)
        try:
            if parts.password:
                names = [unquote(parts.username)] if parts.username else []
                await _said(reader, writer, "AUTH", *names, unquote(parts.password))
            if await _said(reader, writer, "PING") != "PONG":
                raise ConnectionError("it does not answer as Redis does")
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()
        return "it answers"


async def _said(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *words: str) -> str:
    parts = [f"*{len(words)}\r\n".encode()]
    parts += [b"$%d\r\n%s\r\n" % (len(word.encode()), word.encode()) for word in words]
    writer.write(b"".join(parts))
    line = (await reader.readline()).decode(errors="replace").strip()
    if not line.startswith("+"):
        # Not its own words: they might quote what was sent.
        raise ConnectionError("it refuses" if line.startswith("-") else "it does not answer as Redis does")
    return line[1:]


def try_engine(model: ModelFile) -> None:
    """Load a small model in a child of its own. Blocks.

    Raises:
        WhispercoreError: The engine cannot be had.
    """
    from whispercore.engines.whispercpp.engine import WhisperCpp  # noqa: PLC0415 (only where engines are tried)

    engine = WhisperCpp(model.path, sha256=model.sha256, threads=1)
    try:
        engine.load()
    finally:
        engine.unload()


TRIED_S: Final = 300.0
"""How long a trial of the engine holds that went well."""
FAILED_S: Final = 5.0
"""How long one holds that failed."""


@define
class WhisperProbe:
    """Looks whether the default model can be used, and the engine be had.

    Args:
        models: The models of this machine.
        default_model: The one that jobs get when they name none.
        engines: The engines of this process; where one is loaded, it needs no trial.
        clock: Says when a trial is too old.
        attempt: Tries the engine.
    """

    models: ModelStore
    default_model: str
    engines: EnginePool
    clock: Clock
    attempt: Callable[[ModelFile], None] = try_engine
    _tried_s: float | None = field(default=None, init=False)
    _failure: Exception | None = field(default=None, init=False)
    _trial: asyncio.Task[None] | None = field(default=None, init=False)

    async def __call__(self) -> str:
        """How the engine is.

        Raises:
            Degraded: The default model is not on this machine; others may be.
            WhispercoreError: The model is damaged, or the engine cannot be started.
        """
        missing = not await asyncio.to_thread(self.models.is_here, self.default_model)
        if not missing:
            await asyncio.to_thread(self.models.named, self.default_model)
        loaded = self.engines.loaded
        if not loaded:
            await self._tried()
        if missing:
            raise Degraded(f"the model {self.default_model} is not on this machine")
        return f"{loaded} loaded" if loaded else "it can be loaded"

    async def _tried(self) -> None:
        """The result of a trial holds for a while. A good one is told once more while the next is under way."""
        age_s = self.clock.monotonic() - self._tried_s if self._tried_s is not None else math.inf
        if age_s > (TRIED_S if self._failure is None else FAILED_S):
            if self._trial is None or self._trial.done():
                self._trial = asyncio.create_task(self._try(), name="engine trial")
            if self._tried_s is None or self._failure is not None:
                await asyncio.shield(self._trial)
        if self._failure is not None:
            raise self._failure

    async def _try(self) -> None:
        failure: Exception | None = None
        try:
            model = await asyncio.to_thread(self.models.named, MICRO.name)
            await asyncio.to_thread(self.attempt, model)
        except Exception as error:  # noqa: BLE001 (it is told to whoever asks)
            failure = error
        self._failure, self._tried_s = failure, self.clock.monotonic()

    async def close(self) -> None:
        """Wait for a trial that is under way."""
        if self._trial is not None and not self._trial.done():
            await asyncio.wait((self._trial,))
