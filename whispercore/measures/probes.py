"""How each service is asked; the engine, which takes longer, in ``whisper_probe``."""

from __future__ import annotations

import asyncio
import os
import secrets
import ssl
from contextlib import suppress
from typing import Final
from urllib.parse import unquote, urlsplit

from attrs import define
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from whispercore.database.migrating import OURS
from whispercore.database.session import Database
from whispercore.errors import StorageError, StorageFull
from whispercore.files.blobs import Blobs
from whispercore.files.files import Files
from whispercore.jobs.queue import Queue
from whispercore.measures.services import NotConfigured

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
