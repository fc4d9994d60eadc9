"""How long events are kept. What is left after pruning can be verified as before."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from whispercore.audit.event import AuditEvent
from whispercore.audit.head import Head
from whispercore.audit.trail import Audit
from whispercore.audit.verify import AS_STORED, is_as_written
from whispercore.database.tables import audit_events
from whispercore.errors import Conflict
from whispercore.people.caller import Caller

_AT_ONCE: Final = 1000
"""Events in one transaction, so that it is short."""


async def prune(audit: Audit, before: datetime, caller: Caller) -> int:
    """Drop the events that are older, from the beginning up to the first that is not.

    Each part is verified first, and the signed head moves with it in the same transaction: it knows the hash that the
    oldest event which is kept has to follow.

    Args:
        audit: The trail.
        before: When.
        caller: Who has it done; nobody for the server itself.

    Returns:
        How many were dropped.

    Raises:
        Conflict: They were changed. Nobody destroys the evidence of that; look with ``whispercore audit verify``.
    """
    dropped, more = 0, True
    while more:
        async with audit.database.write() as tx:
            count = await _part(audit, tx, before)
            if count and not dropped:
                await audit.append(tx, caller, _pruned(before))
        dropped += count
        more = count == _AT_ONCE
    return dropped


async def _part(audit: Audit, tx: AsyncConnection, before: datetime) -> int:
    head = await audit.chain.head(tx)
    if head is None:
        raise Conflict("the head of the trail is not as it was signed")
    newer = select(func.min(audit_events.c.position)).where(audit_events.c.at >= before)
    keep = (await tx.execute(newer)).scalar_one()
    last = min(head.last if keep is None else keep - 1, head.first + _AT_ONCE - 1)
    if last < head.first:
        return 0
    rows = (await tx.execute(AS_STORED.where(audit_events.c.position <= last).order_by(audit_events.c.position))).all()
    previous = head.first_previous_hash
    for position, row in enumerate(rows, head.first):
        if row.position != position or row.previous_hash != previous or not is_as_written(row):
            raise Conflict(f"the trail was changed at event {position}")
        previous = row.hash
    if len(rows) != last - head.first + 1:
        raise Conflict(f"the trail was changed: events are missing before event {last}")
    await tx.execute(delete(audit_events).where(audit_events.c.position <= last))
    moved = Head(first=last + 1, first_previous_hash=previous, last=head.last, last_hash=head.last_hash)
    await audit.chain.put_head(tx, moved)
    return len(rows)


def _pruned(before: datetime) -> AuditEvent:
    return AuditEvent(
        event_type="audit_pruned",
        action="drop old events",
        severity="medium",
        resource_type="audit_trail",
        details={"before": before.isoformat()},
    )
