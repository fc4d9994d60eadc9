"""Recordings that another database knew, taken over by this one: what the command does."""

from __future__ import annotations

from whispercore.audit.event import AuditEvent
from whispercore.files.owner import take_over
from whispercore_server.accounts import opened
from whispercore_server.auditing import OPERATOR
from whispercore_server.settings import ServerSettings
from whispercore_server.storage import blobs_of, check_storage


async def adopt_recordings(settings: ServerSettings) -> None:
    """Have the store of recordings be that of this database, and of no other any more.

    Raises:
        InvalidOption: There is no installation, or the store cannot be used.
        CannotStart: The database cannot be used.
        DatabaseUnreachable: It cannot be reached.
        Unavailable: The store does not answer.
    """
    event = AuditEvent(
        event_type="recordings_adopted",
        action="take over the store of recordings",
        severity="high",
        resource_type="store",
        resource_id=settings.s3_bucket if settings.bucket is not None else "disk",
    )
    await check_storage(settings)
    async with opened(settings) as accounts:
        ports = accounts.ports
        await take_over(ports.database, blobs_of(settings))
        async with ports.database.write() as tx:
            await ports.audit.append(tx, OPERATOR, event)
