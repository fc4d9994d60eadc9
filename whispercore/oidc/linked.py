"""The identities at providers by which somebody comes in: he sees them, and takes away what he does not want."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from attrs import frozen
from sqlalchemy import Row, delete, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from whispercore.audit.event import AuditEvent
from whispercore.audit.trail import Audit
from whispercore.database.page import Page, Slice
from whispercore.database.session import Database
from whispercore.database.tables import identities, users
from whispercore.errors import Conflict, NotFound
from whispercore.people.caller import Caller
from whispercore.people.digest import digest

_LETTERS: Final = 32
"""Of an id."""
_LAST: Final = "there is no other way into this account: link another identity, or be given a password, before"


@frozen(kw_only=True)
class LinkedIdentity:
    """Who somebody is at a provider."""

    issuer: str
    subject: str
    created_at: datetime
    """When it was linked."""
    last_used_at: datetime
    lets_in: bool
    """Whether it is of the provider that people sign in with; one of another, as of one before it, lets nobody in."""

    @property
    def id(self) -> str:
        """What addresses can name it by: issuers are addresses themselves, and subjects any text."""
        return digest(f"{self.issuer}\n{self.subject}").hex()[:_LETTERS]


class LinkedIdentities:
    """Those of an installation.

    Args:
        issuer: The provider that people sign in with.
        database: Where they are.
        audit: Where it is noted who took one away.
    """

    def __init__(self, issuer: str, database: Database, audit: Audit) -> None:
        self._issuer = issuer
        self._database = database
        self._audit = audit

    async def listed(self, caller: Caller, part: Slice) -> Page[LinkedIdentity]:
        """The caller's, the newest first."""
        mine = identities.c.user_id == caller.user_id
        newest = identities.c.created_at.desc(), identities.c.issuer, identities.c.subject
        query = select(identities).where(mine).order_by(*newest).limit(part.limit).offset(part.offset)
        async with self._database.read() as tx:
            rows = (await tx.execute(query)).all()
            total = (await tx.execute(select(func.count()).select_from(identities).where(mine))).scalar_one()
        return Page(tuple(map(self._of, rows)), total)

    async def unlink(self, caller: Caller, identity_id: str) -> None:
        """Take one of the caller's away. Sessions that were begun by it go on.

        Raises:
            NotFound: There is none, or it is somebody else's.
            Conflict: It is the only way into his account.
        """
        async with self._database.write() as tx:
            # Who takes away two at once has them counted one after the other.
            mine = select(identities).where(identities.c.user_id == caller.user_id)
            ordered = mine.order_by(identities.c.issuer, identities.c.subject).with_for_update()
            found = [self._of(row) for row in await tx.execute(ordered)]
            unlinked = next((one for one in found if one.id == identity_id), None)
            if unlinked is None:
                raise NotFound("identity", identity_id)
            others = [one for one in found if one.lets_in and one != unlinked]
            if unlinked.lets_in and not others and not await _has_password(tx, caller.user_id):
                raise Conflict(_LAST)
            await tx.execute(
                delete(identities).where(
                    identities.c.issuer == unlinked.issuer, identities.c.subject == unlinked.subject
                )
            )
            await self._audit.append(tx, caller, _unlinked(caller.user_id, unlinked))

    def _of(self, row: Row[*tuple[object, ...]]) -> LinkedIdentity:
        return LinkedIdentity(
            issuer=row.issuer,
            subject=row.subject,
            created_at=row.created_at,
            last_used_at=row.last_used_at,
            lets_in=row.issuer == self._issuer,
        )


async def _has_password(tx: AsyncConnection, user_id: str) -> bool:
    return (await tx.execute(select(users.c.password_hash).where(users.c.id == user_id))).scalar_one() is not None


def _unlinked(user_id: str, identity: LinkedIdentity) -> AuditEvent:
    return AuditEvent(
        event_type="identity_unlinked",
        action="unlink an account from a provider",
        severity="medium",
        resource_type="user",
        resource_id=user_id,
        details={"issuer": identity.issuer, "subject": identity.subject},
    )
