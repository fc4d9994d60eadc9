"""Connections to PostgreSQL that wait for no statement for ever.

A machine that is gone is noticed by the kernel, but one whose processes have stopped, as when its container is paused
or its disk hangs, still acknowledges all that it is sent.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from contextlib import suppress
from typing import Any

import psycopg

from whispercore.database.statement_limit import limit_s

_log = logging.getLogger(__name__)


class LimitedConnection(psycopg.AsyncConnection[Any]):
    """It is lost when the server takes too long for a statement."""

    async def wait(self, *arguments: Any, **options: Any) -> Any:
        """As in psycopg, through which all that is asked of the server goes."""
        within_s = limit_s()
        if within_s is None:
            return await super().wait(*arguments, **options)
        limit = asyncio.get_running_loop().call_later(within_s, self._lose, within_s)
        try:
            return await super().wait(*arguments, **options)
        finally:
            limit.cancel()

    def _lose(self, within_s: float) -> None:
        """Have the driver find that the server is gone, and say so as if it were."""
        _log.error("the database has not answered for %g s: the connection is given up", within_s)
        with suppress(OSError, psycopg.OperationalError), socket.socket(fileno=os.dup(self.pgconn.socket)) as line:
            line.shutdown(socket.SHUT_RDWR)
