"""Threads that read from SQLite, a whole query at a time: from its statement to its rows.

A transaction goes back and forth between the event loop and its connection's thread. A query that stands by itself
would spend more time on that than on most of our statements, so here a thread does all of it in one go.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from sqlalchemy import URL, Select

from whispercore.database.sqlite import reading, refusals
from whispercore.database.store import Rows


class Readers:
    """Reads from a file. Queries are served in the order they come.

    Args:
        url: The database's.
        size: How many threads there may be, each with a connection; they begin when they are needed.
    """

    def __init__(self, url: URL, *, size: int) -> None:
        self.engine = reading(url, size=size)
        """What makes their connections."""
        self._threads = ThreadPoolExecutor(size, thread_name_prefix="reader")

    async def rows(self, statement: Select[*tuple[Any, ...]], values: Mapping[str, Any] | None) -> Rows:
        """The rows of a query. When the caller is cancelled, it is read to its end and nobody hears of it.

        Args:
            statement: The query.
            values: Of its ``bindparam``s.

        Raises:
            Unavailable: Another process holds the database.
        """
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._read, statement, values)

    async def close(self) -> None:
        """End the threads, once they have read what they were asked for, and their connections."""
        await asyncio.to_thread(self._threads.shutdown)
        self.engine.dispose()

    def _read(self, statement: Select[*tuple[Any, ...]], values: Mapping[str, Any] | None) -> Rows:
        with refusals(), self.engine.connect() as connection:
            return connection.execute(statement, values).all()
