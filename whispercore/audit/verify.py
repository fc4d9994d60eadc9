"""Whether anything in the trail was changed, taken out, put in or cut off."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any, Final

from attrs import define, field, frozen
from sqlalchemy import Integer, Row, select, type_coerce
from sqlalchemy.ext.asyncio import AsyncConnection

from whispercore.audit.chain import head_of
from whispercore.audit.head import EMPTY, Head
from whispercore.audit.head_file import HeadFile
from whispercore.audit.key import AuditKey
from whispercore.audit.mirror import contradiction
from whispercore.audit.row import hash_of
from whispercore.database.session import Database
from whispercore.database.tables import audit_events, audit_head

_AT_ONCE: Final = 1000
AS_STORED: Final = select(
    *(type_coerce(column, Integer) if column.name in ("at", "blocked") else column for column in audit_events.c)
)
"""Rows with what the database has, whether or not it makes sense."""
MOST_FINDINGS: Final = 100
"""So many are told; what comes after the first is rarely news."""


@frozen(kw_only=True)
class Verified:
    """What was found."""

    events: int
    """How many were looked at."""
    first: int
    last: int
    """Positions by the head."""
    findings: tuple[str, ...]
    """What is wrong now."""
    recorded: tuple[str, ...]
    """What was wrong before, as the trail itself says."""

    @property
    def is_whole(self) -> bool:
        """Whether nothing is wrong, and never was."""
        return not self.findings and not self.recorded


async def verify(database: Database, key: AuditKey, file: HeadFile | None, *, known: int = 0) -> Verified:
    """Look at every event.

    Args:
        database: Where the trail is.
        key: What its head is signed with.
        file: The copy of its head; None when there is none, as for a database in memory.
        known: Breaks that the trail recorded up to this position are known, and not told again.
    """
    copied: Head | None = None
    findings: list[str] = []
    if file is not None:
        try:
            copied = file.read(key.secret())
        except ValueError as error:
            findings.append(str(error))
            file = None
    async with database.read() as tx:
        if file is not None and (wrong := await contradiction(tx, copied, file)) is not None:
            findings.append(wrong)
        row = (await tx.execute(select(audit_head))).one_or_none()
        head = EMPTY if row is None else head_of(row)
        if row is not None and not head.signed_by(key.secret(), row.signature):
            findings.append("the head of the trail is not as it was signed")
        walk = _Walk(head=head, findings=findings, known=known, position=head.first - 1, hash=head.first_previous_hash)
        async for event in _events(tx):
            walk.pass_by(event)
        walk.end(has_head=row is not None)
    return Verified(
        events=walk.events,
        first=head.first,
        last=head.last,
        findings=tuple(findings[:MOST_FINDINGS]),
        recorded=tuple(walk.recorded[:MOST_FINDINGS]),
    )


async def _events(tx: AsyncConnection) -> AsyncIterator[Row[Any]]:
    after: int | None = None
    while True:
        statement = AS_STORED.order_by(audit_events.c.position).limit(_AT_ONCE)
        rows = (
            await tx.execute(statement if after is None else statement.where(audit_events.c.position > after))
        ).all()
        for row in rows:
            yield row
        if len(rows) < _AT_ONCE:
            return
        after = rows[-1].position


def is_as_written(event: Row[Any]) -> bool:
    """Whether a row of ``AS_STORED`` still has what its hash was made of."""
    columns = dict(event._mapping)  # noqa: SLF001 (SQLAlchemy's public name for it)
    if columns["blocked"] not in (0, 1):
        return False
    try:
        return hash_of(columns) == str(event.hash)
    except (TypeError, ValueError):  # bytes, or no number: SQLite keeps whatever somebody puts there
        return False


@define(kw_only=True)
class _Walk:
    """Goes along the chain."""

    head: Head
    findings: list[str]
    known: int
    position: int
    """Of the event that was passed last, and its hash."""
    hash: str
    events: int = 0
    recorded: list[str] = field(factory=list)

    def pass_by(self, event: Row[Any]) -> None:
        """Look at the next event."""
        self.events += 1
        at = event.position
        if at < self.head.first or at > self.head.last:
            self.findings.append(
                f"event {at} is outside the trail, which goes from {self.head.first} to {self.head.last}"
            )
        elif at != self.position + 1:
            self.findings.append(_gap(self.position + 1, at - 1))
        elif event.previous_hash != self.hash:
            self.findings.append(f"event {at} does not follow the one before it: one of them was put there or changed")
        if not is_as_written(event):
            self.findings.append(f"event {at} was changed")
        elif event.event_type == "audit_broken" and at > self.known:
            self.recorded.append(f"event {at}: {json.loads(event.details)['reason']}")
        self.position, self.hash = at, event.hash

    def end(self, *, has_head: bool) -> None:
        """Look at the end of the chain."""
        if not has_head:
            if self.events:
                self.findings.append("the head of the trail is gone")
            return
        if self.position < self.head.last:
            self.findings.append(_gap(self.position + 1, self.head.last))
        elif self.position == self.head.last and self.hash != self.head.last_hash:
            self.findings.append(f"event {self.position} is not the one that the head ends with")


def _gap(first: int, last: int) -> str:
    return f"event {first} is missing" if first == last else f"events {first} to {last} are missing"
