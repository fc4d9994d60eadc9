"""Old things go: of the audit trail and webhooks, sessions, uploads, answers and files that are over, old logins."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Final

from sqlalchemy.exc import SQLAlchemyError

from whispercore.audit.retention import prune
from whispercore.errors import RequestError
from whispercore.people.caller import Caller
from whispercore_server.beside import beside
from whispercore_server.ports import Ports

_RETRY_S: Final = 300.0
"""When what could not be dropped is tried again for the first time; twice as late with each time that follows."""
_log = logging.getLogger(__name__)


@asynccontextmanager
async def tidying(ports: Ports) -> AsyncIterator[None]:
    """Tidy now and as often as the settings say, for as long as the block lasts; ``ports`` have to be open."""
    async with beside(_tidy_on(ports), "tidying"):
        yield


async def tidy(ports: Ports) -> bool:
    """Drop what is older than it has to be kept. What cannot be dropped holds nothing else up.

    Gives whether all of it could be; the log says what could not, such as an audit trail that was changed.
    """
    now = ports.clock.now
    oidc = ports.oidc
    done = True
    for drop in (
        ports.lockout.forget,
        lambda: ports.sessions.sweep(now()),
        *((lambda: oidc.attempts.sweep(now()),) if oidc is not None else ()),
        lambda: ports.uploads.sweep(now()),
        ports.arrivals.sweep,
        ports.answers.sweep,
        ports.webhook_deliveries.forget,
        lambda: ports.files.sweep(now()),
        lambda: _prune(ports),
    ):
        try:
            await drop()
        except (RequestError, SQLAlchemyError, OSError) as error:
            _log.warning("something old is kept for now: %s", error)
            done = False
    return done


async def _prune(ports: Ports) -> None:
    if ports.settings.audit_days:
        before = ports.clock.now() - timedelta(days=ports.settings.audit_days)
        await prune(ports.audit, before, Caller.nobody())


async def _tidy_on(ports: Ports) -> None:
    retry_s = _RETRY_S
    while True:
        if await tidy(ports):
            retry_s, pause_s = _RETRY_S, ports.settings.cleanup_s
        else:
            pause_s, retry_s = min(retry_s, ports.settings.cleanup_s), retry_s * 2
        await ports.clock.sleep(pause_s)
