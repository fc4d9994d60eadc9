"""What was another one's, taken over by this installation: what the commands do."""

from __future__ import annotations

from whispercore.audit.event import AuditEvent
from whispercore.files.owner import take_over
from whispercore.key_fingerprints import check_key
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


async def adopt_keys(settings: ServerSettings) -> None:
    """Have the audit key and the token key that are here be those of this installation; what is not there is made.

    Raises:
        InvalidOption: There is no installation, or a key cannot be read.
        CannotStart: The database cannot be used.
        DatabaseUnreachable: It cannot be reached.
    """
    event = AuditEvent(
        event_type="keys_adopted",
        action="take other keys for the audit trail and for tokens",
        severity="high",
        resource_type="installation",
    )
    async with opened(settings, adopt_keys=True) as accounts:
        ports = accounts.ports
        await check_key(ports.database, ports.token_key)
        async with ports.database.write() as tx:
            await ports.audit.append(tx, OPERATOR, event)
