"""Changing the master key. No recording is touched: only the secret keys of people and workers are sealed anew.

The new key is on the disk before anything is sealed to it, and all are sealed to it in one transaction. Whatever breaks
off, the next start finds both keys, and takes the one that the database needs.
"""

from __future__ import annotations

import asyncio

from attrs import frozen

from whispercore.audit.event import AuditEvent
from whispercore.audit.trail import Audit
from whispercore.database.session import Database
from whispercore.encryption.key_pairs import KeyPairs
from whispercore.encryption.master_key import MasterKey
from whispercore.errors import InvalidOption
from whispercore.people.caller import Caller


@frozen(kw_only=True)
class Rotated:
    """What was done."""

    recipient: str
    """The public half of the new key."""
    secrets: int
    """How many secret keys are sealed to it."""


async def rotate(
    database: Database, old: MasterKey, new: MasterKey | None = None, *, audit: Audit | None = None, caller: Caller
) -> Rotated:
    """Seal all secret keys to another master key. A server that is at work goes on.

    Args:
        database: Where they are.
        old: The key of now.
        new: The one to come, where it is kept; if not given, it takes the place of the old one in its file.
        audit: Where it is noted.
        caller: Who wants it.

    Raises:
        InvalidOption: The old one is in no file, so the new one needs another place.
        WrongMasterKey: The old one is not that of this installation.
    """
    pairs = KeyPairs(database, old)
    await pairs.workers()
    following = new if new is not None else old.next()
    if following is None:
        raise InvalidOption("--to", "the master key is in no file here, so name one for the new key")
    async with database.write() as tx:
        secrets = await pairs.reseal(tx, old, following)
        recipient = await asyncio.to_thread(following.recipient)
        if audit is not None:
            await audit.append(tx, caller, _rotated(recipient, secrets))
    if new is None:
        await pairs.settle()
    return Rotated(recipient=recipient, secrets=secrets)


def _rotated(recipient: str, secrets: int) -> AuditEvent:
    return AuditEvent(
        event_type="master_key_rotated",
        action="seal all secret keys to another master key",
        severity="high",
        resource_type="master_key",
        resource_id=recipient,
        details={"secrets": secrets},
    )
