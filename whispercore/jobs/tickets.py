"""The tickets that procrastinate keeps in PostgreSQL: that there is something to do, of a kind, but not what.

procrastinate makes the connections here, and some of its habits are changed. What it asks while the database is away it
asks again, where it would end its worker, but for its last words. What it is told of while it looks makes it look once
more, where it would forget that; so its looking from time to time is needed for tickets only that are for later. And a
worker that was taken for dead, as when the database was away for longer than others had patience, is there again.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, Final, LiteralString

import psycopg
from procrastinate import App, PsycopgConnector
from procrastinate.connector import Notify
from procrastinate.exceptions import ConnectorException
from procrastinate.sql import queries
from psycopg.errors import ForeignKeyViolation, RaiseException, ReadOnlySqlTransaction
from psycopg_pool import PoolClosed
from sqlalchemy import URL
from tenacity import RetryCallState, retry, retry_if_exception_type, wait_fixed

from whispercore.database.limited_connection import LimitedConnection
from whispercore.database.postgres import QUIET_S, listening, options

TICKET: Final = "whispercore.ticket"
"""The name of the task."""
AGAIN_S: Final = 1.0
"""Until the database is asked again that was away."""
_NAME: Final = "whispercore tickets"
"""Of its connections."""
_CONNECTIONS: Final = 4
_PATIENCE_S: Final = 5.0
"""How long it waits for a connection before it looks whether to wait on."""
_LAST_WORDS_S: Final = 2.0
"""What a worker that ends says is said within this, or others see to it."""
_SOMETHING: Final = json.dumps({"type": "job_inserted", "job_id": 0})
_THERE: Final = """
    INSERT INTO procrastinate_workers (id) OVERRIDING SYSTEM VALUE VALUES (%(worker_id)s)
    ON CONFLICT (id) DO UPDATE SET last_heartbeat = now()
"""
_log = logging.getLogger(__name__)


def tickets_app(url: URL) -> App:
    """What procrastinate calls an application; nothing is opened yet.

    Args:
        url: Of the PostgreSQL.
    """
    return App(connector=TicketConnector(url))


def queue_of(kind: str) -> str:
    """The queue of the tickets for jobs of a kind. It says whose it is: others may use procrastinate in this place."""
    return f"{TICKET}.{kind}"


def _is_away(error: BaseException | None) -> bool:
    cause = error.__cause__ if error is not None else None
    gone = isinstance(cause, psycopg.OperationalError | ReadOnlySqlTransaction) and not isinstance(cause, PoolClosed)
    return isinstance(error, ConnectorException) and gone


def _is_worth_waiting(state: RetryCallState) -> bool:
    connector: TicketConnector = state.args[0]
    return not connector.leaving and state.outcome is not None and _is_away(state.outcome.exception())


_patiently = retry(retry=_is_worth_waiting, wait=wait_fixed(AGAIN_S))
_unceasingly = retry(retry=retry_if_exception_type(psycopg.Error), wait=wait_fixed(AGAIN_S))


class TicketConnector(PsycopgConnector):
    """Connections of procrastinate's own: at most four, and one that listens.

    Args:
        url: Of the PostgreSQL.
    """

    def __init__(self, url: URL) -> None:
        self._url = url
        self._heard = 0
        self.leaving = False
        """Whether its worker ends, and waits for no database any more."""
        super().__init__(
            conninfo=url.set(drivername="postgresql").render_as_string(hide_password=False),
            min_size=1,
            max_size=_CONNECTIONS,
            timeout=_PATIENCE_S,
            kwargs=options(url, _NAME),
            connection_class=LimitedConnection,
        )

    @_patiently
    async def execute_query_async(self, query: LiteralString, **arguments: Any) -> None:
        """Nothing comes of it."""
        said = _THERE if query == queries["update_heartbeat"] else query
        with suppress(TimeoutError):
            try:
                async with asyncio.timeout(_LAST_WORDS_S if self.leaving else None):
                    await super().execute_query_async(said, **arguments)
            except ConnectorException as error:
                removed = query == queries["finish_job"] and isinstance(error.__cause__, RaiseException)
                if not removed and not (self.leaving and _is_away(error)):
                    raise

    @_patiently
    async def execute_query_all_async(self, query: LiteralString, **arguments: Any) -> list[dict[str, Any]]:
        """All rows."""
        rows: list[dict[str, Any]] = await super().execute_query_all_async(query, **arguments)
        return rows

    @_patiently
    async def execute_query_one_async(self, query: LiteralString, **arguments: Any) -> dict[str, Any]:
        """One row. Whoever is given no ticket looks again if he was told of one meanwhile."""
        while True:
            heard = self._heard
            try:
                row: dict[str, Any] = await super().execute_query_one_async(query, **arguments)
            except ConnectorException as error:
                if query != queries["fetch_job"] or not isinstance(error.__cause__, ForeignKeyViolation):
                    raise
                await super().execute_query_async(_THERE, worker_id=arguments["worker_id"])
                continue
            if query != queries["fetch_job"] or row["id"] is not None or heard == self._heard:
                return row

    @_unceasingly
    async def listen_notify(self, on_notification: Notify, channels: Iterable[str]) -> None:
        """Tell of new tickets, and once at the beginning: some may have come while nobody listened."""
        async with listening(self._url, *channels, name=_NAME) as connection:
            await self._tell(on_notification, "", _SOMETHING)
            while True:
                async for one in connection.notifies(timeout=QUIET_S):
                    await self._tell(on_notification, one.channel, one.payload)
                await connection.execute("SELECT 1")

    async def _tell(self, on_notification: Notify, channel: str, payload: str) -> None:
        self._heard += 1
        await on_notification(channel=channel, payload=payload)
