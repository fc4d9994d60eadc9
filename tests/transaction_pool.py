"""A proxy before a PostgreSQL that gives its connection to somebody else after each transaction, as PgBouncer may."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from attrs import define, field

from tests.postgres import Postgres

_USER = b"whispercore"
_VERSION = 196608
_OFFERS = (80877103, 80877104)
"""Of TLS and GSSAPI, which are refused."""


@define
class _Pool:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    greeting: bytes
    """What the server says to whoever comes in."""
    turn: asyncio.Lock = field(factory=asyncio.Lock)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while int.from_bytes((await _body(reader))[:4]) in _OFFERS:
                writer.write(b"N")
            writer.write(self.greeting)
            while (message := await _message(reader))[:1] != b"X":
                async with self.turn:
                    await self._transaction(message, reader, writer)
        writer.close()

    async def _transaction(self, message: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            self.writer.write(message)
            if message[:1] in {b"Q", b"S"}:
                while (answer := await _message(self.reader))[:1] != b"Z":
                    writer.write(answer)
                writer.write(answer)
                if answer[5:6] == b"I":
                    return
            message = await _message(reader)


@asynccontextmanager
async def transaction_pool(postgres: Postgres, database: str) -> AsyncIterator[str]:
    """The address of the database behind such a proxy, until the block ends."""
    reader, writer = await asyncio.open_unix_connection(str(postgres.folder / ".s.PGSQL.5432"))
    hello = _VERSION.to_bytes(4) + b"user\0" + _USER + b"\0database\0" + database.encode() + b"\0\0"
    writer.write((len(hello) + 4).to_bytes(4) + hello)
    greeting = b""
    while (said := await _message(reader))[:1] != b"Z":
        greeting += said
    pool = _Pool(reader, writer, greeting + said)
    server = await asyncio.start_server(pool.serve, "127.0.0.1", 0)
    try:
        yield f"postgresql+psycopg://{_USER.decode()}@127.0.0.1:{server.sockets[0].getsockname()[1]}/{database}"
    finally:
        server.close()
        await server.wait_closed()
        writer.close()


async def _message(reader: asyncio.StreamReader) -> bytes:
    kind = await reader.readexactly(1)
    length = await reader.readexactly(4)
    return kind + length + await reader.readexactly(int.from_bytes(length) - 4)


async def _body(reader: asyncio.StreamReader) -> bytes:
    return await reader.readexactly(int.from_bytes(await reader.readexactly(4)) - 4)
