"""The chain in the database: events are put behind its head, which is signed anew."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from attrs import define, field
from sqlalchemy import bindparam, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from whispercore.audit.event import AuditEvent
from whispercore.audit.head import EMPTY, Head
from whispercore.audit.row import Row, chained
from whispercore.database.alone import alone
from whispercore.database.tables import audit_events, audit_head
from whispercore.people.caller import Caller

Written = Mapping[str, Any]
"""The columns of an event as they were written."""

_INSERT = insert(audit_events)
_HEAD = select(audit_head).where(audit_head.c.id == 1).with_for_update()
_NEWEST = select(func.max(audit_events.c.position))
_MOVE = update(audit_head).where(audit_head.c.id == 1)
_MOVE_IF_AS_EXPECTED = _MOVE.where(
    *(audit_head.c[name] == bindparam(f"expected_{name}") for name in ("first", "last", "last_hash", "signature"))
)


@define(kw_only=True)
class Chain:
    """Writes events, one behind the other. All that is done here is done in a transaction that is given.

    Args:
        secret: Gives the key that the head is signed with.
        make: Makes a row of an event.
    """

    secret: Callable[[], bytes]
    make: Callable[[Caller, AuditEvent], Row]
    _expected: Head | None = field(init=False, default=None)
    """As this process left it. Most often it is still so, and need not be read."""

    async def extend(self, tx: AsyncConnection, rows: Sequence[Row]) -> Sequence[Written]:
        """Put events behind the head. Whoever else writes here waits for the end of the transaction.

        A head that we did not sign is not trusted: the trail goes on behind what is there, and says so for ever.
        """
        if not rows:
            return ()
        expected, self._expected = self._expected, None
        if expected is not None:
            written, head = _chained(expected, rows)
            moved = await self._move(tx, head, expected)
        else:
            written, head, moved = (), EMPTY, False
        if not moved:
            begin, broken = await self._read(tx)
            written, head = _chained(begin, [broken, *rows] if broken is not None else rows)
            await tx.execute(_MOVE, head.columns(self.secret()))
        await tx.execute(_INSERT, written)
        self._expected = head
        return written

    async def head(self, tx: AsyncConnection) -> Head | None:
        """The head; None when it is not as we signed it. Whoever else writes waits for the end of the transaction."""
        found = (await tx.execute(_HEAD)).one_or_none()
        if found is None:
            return EMPTY
        head = head_of(found)
        return head if head.signed_by(self.secret(), found.signature) else None

    async def adopt(self, tx: AsyncConnection) -> None:
        """Sign the head that is there, whoever signed it before."""
        found = (await tx.execute(_HEAD)).one_or_none()
        if found is not None:
            await self.put_head(tx, head_of(found))

    async def put_head(self, tx: AsyncConnection, head: Head) -> None:
        """Sign a head and make it the one that counts."""
        await tx.execute(_MOVE, head.columns(self.secret()))
        self._expected = head

    async def _move(self, tx: AsyncConnection, head: Head, expected: Head) -> bool:
        secret = self.secret()
        before = {f"expected_{name}": value for name, value in expected.columns(secret).items()}
        del before["expected_first_previous_hash"]  # it is in the signature
        return (await tx.execute(_MOVE_IF_AS_EXPECTED, {**head.columns(secret), **before})).rowcount == 1

    async def _read(self, tx: AsyncConnection) -> tuple[Head, Row | None]:
        """The head; where it cannot be trusted, one for what is there, and the event that says so."""
        found = (await tx.execute(_HEAD)).one_or_none()
        if found is None:
            await alone(tx, "audit head")
            found = (await tx.execute(_HEAD)).one_or_none()
        if found is None:
            await tx.execute(insert(audit_head), {"id": 1, **EMPTY.columns(self.secret())})
            return await self._remains(tx, "the head of the trail is gone")
        head = head_of(found)
        if not head.signed_by(self.secret(), found.signature):
            return await self._remains(tx, "the head of the trail is not as it was signed")
        newest = (await tx.execute(_NEWEST)).scalar_one() or head.first - 1
        if newest > head.last:
            return await self._remains(tx, "there are events behind the head of the trail")
        if newest < head.last:
            return head, self.make(Caller.nobody(), broken_event("the newest events are gone", newest))
        return head, None

    async def _remains(self, tx: AsyncConnection, reason: str) -> tuple[Head, Row | None]:
        position = audit_events.c.position
        first, last = (await tx.execute(select(func.min(position), func.max(position)))).one()
        if first is None:
            return EMPTY, None
        rows = {row.position: row for row in await tx.execute(select(audit_events).where(position.in_((first, last))))}
        head = Head(first=first, first_previous_hash=rows[first].previous_hash, last=last, last_hash=rows[last].hash)
        return head, self.make(Caller.nobody(), broken_event(reason, last))


def broken_event(reason: str, position: int) -> AuditEvent:
    """The event that says that the trail was found changed.

    Args:
        reason: What is wrong.
        position: Of the last event before it that is there.
    """
    return AuditEvent(
        event_type="audit_broken",
        action="go on behind a trail that was changed",
        severity="critical",
        outcome="failure",
        resource_type="audit_trail",
        resource_id=str(position),
        details={"reason": reason},
        risk_score=10,
    )


def head_of(row: Any) -> Head:
    """The head in a row of ``audit_head``."""
    return Head(first=row.first, first_previous_hash=row.first_previous_hash, last=row.last, last_hash=row.last_hash)


def _chained(head: Head, rows: Sequence[Row]) -> tuple[Sequence[dict[str, Any]], Head]:
    written: list[dict[str, Any]] = []
    position, previous = head.last, head.last_hash
    for row in rows:
        position += 1
        written.append(chained(row, position, previous))
        previous = written[-1]["hash"]
    return written, Head(
        first=head.first, first_previous_hash=head.first_previous_hash, last=position, last_hash=previous
    )
