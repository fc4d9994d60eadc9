"""A thread that reads from SQLite, a whole query at a time: from its statement to its rows.

A transaction goes back and forth between the event loop and its connection's thread. A query that stands by itself
would spend more time on that than on most of our statements, so here a thread does all of it in one go. A second such
thread would only wait for the interpreter, and make others wait.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from sqlalchemy import URL, Select

from whispercore.database.sqlite import reading, refusals
from whispercore.database.store import Rows


class Reader:
    """Reads from a file. Queries are served in the order they come, so none should take long.

    Args:
        url: The database's.
    """

    def __init__(self, url: URL) -> None:
        self.engine = reading(url)
        """What makes its connection."""
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="reader")

    async def rows(self, statement: Select[*tuple[Any, ...]], values: Mapping[str, Any] | None) -> Rows:
        """The rows of a query. When the caller is cancelled, it is read to its end and nobody hears of it.

        Args:
            statement: The query.
            values: Of its ``bindparam``s.

        Raises:
            Unavailable: Another process holds the database.
        """
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._read, statement, values)

    async def close(self) -> None:
        """End the thread, once it has read what it was asked for, and its connection."""
        await asyncio.to_thread(self._thread.shutdown)
        self.engine.dispose()

    def _read(self, statement: Select[*tuple[Any, ...]], values: Mapping[str, Any] | None) -> Rows:
        with refusals(), self.engine.connect() as connection:
            return connection.execute(statement, values).all()
