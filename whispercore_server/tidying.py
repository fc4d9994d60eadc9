"""Old things go: of the audit trail and webhooks, sessions, uploads, answers and files that are over, old logins."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta

from sqlalchemy.exc import SQLAlchemyError

from whispercore.audit.retention import prune
from whispercore.errors import RequestError
from whispercore.people.caller import Caller
from whispercore_server.ports import Ports

_log = logging.getLogger(__name__)


@asynccontextmanager
async def tidying(ports: Ports) -> AsyncIterator[None]:
    """Tidy now and as often as the settings say, for as long as the block lasts; ``ports`` have to be open."""
    task = asyncio.create_task(_tidy_on(ports), name="tidying")
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def tidy(ports: Ports) -> None:
    """Drop what is older than it has to be kept.

    Raises:
        Conflict: The audit trail was changed; nothing of it is dropped then.
        StorageFull: The disk is full.
        Unavailable: The database is busy, or the store of recordings is away.
    """
    await ports.lockout.forget()
    await ports.sessions.sweep(ports.clock.now())
    if ports.oidc is not None:
        await ports.oidc.attempts.sweep(ports.clock.now())
    await ports.uploads.sweep(ports.clock.now())
    await ports.arrivals.sweep()
    await ports.answers.sweep()
    await ports.webhook_deliveries.forget()
    await ports.files.sweep(ports.clock.now())
    if ports.settings.audit_days:
        before = ports.clock.now() - timedelta(days=ports.settings.audit_days)
        await prune(ports.audit, before, Caller.nobody())


async def _tidy_on(ports: Ports) -> None:
    while True:
        try:
            await tidy(ports)
        except (RequestError, SQLAlchemyError, OSError) as error:  # the next time, or the one after
            _log.warning("old records are kept for now: %s", error)
        await ports.clock.sleep(ports.settings.cleanup_s)
