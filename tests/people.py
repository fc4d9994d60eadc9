"""All that has to do with people, put together as one process has it, by a clock that stands still."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from attrs import asdict, frozen
from sqlalchemy import select

from whispercore.audit.key import AuditKey
from whispercore.audit.trail import Audit
from whispercore.clock import Clock
from whispercore.database import tables
from whispercore.database.session import Database
from whispercore.ids import Uuid7Ids
from whispercore.people import people
from whispercore.people.caller import Caller
from whispercore.people.entry import Entered
from whispercore.people.passwords import Passwords
from whispercore.people.token_key import TokenKey

TOKEN_KEY = "what all processes of one test sign tokens with"  # noqa: S105
PASSWORD = "securePassword123"  # noqa: S105 (the documented example)


@frozen(kw_only=True)
class People(people.People):
    """The same as one process has it, with where it is kept and noted."""

    database: Database
    audit: Audit

    @classmethod
    def at(cls, database: Database, passwords: Passwords, clock: Clock, folder: Path | None = None) -> People:
        """Those of a process that has its secrets in this folder."""
        ids = Uuid7Ids(clock)
        audit = Audit(database, clock=clock, ids=ids, key=AuditKey(None if folder is None else folder / "audit.key"))
        token_key = TokenKey(text=TOKEN_KEY) if folder is None else TokenKey(folder / "token.key")
        made = people.People.of(database, audit, passwords=passwords, token_key=token_key, ids=ids)
        return cls(database=database, audit=audit, **asdict(made, recurse=False))

    async def enter(self, username: str = "ada", *, by_cookie: bool = False) -> Entered:
        """Log in, with the usual password."""
        return await self.entry.login(Caller.nobody(), username, PASSWORD, by_cookie=by_cookie)

    async def caller(self, entered: Entered) -> Caller:
        """Who he is for the server."""
        if entered.cookie is not None:
            return await self.recognition.by_cookie(entered.cookie)
        return await self.tokens.authenticate(token_of(entered))

    async def noted(self, *kinds: str) -> Sequence[str]:
        """Who did what, oldest first."""
        await self.audit.flush()
        events = tables.audit_events.c
        query = select(events.event_type, events.username, events.outcome).order_by(events.position)
        rows = await self.database.rows(query)
        return [f"{row.username or ''} {row.event_type} {row.outcome}".strip() for row in rows if row[0] in kinds]

    async def close(self) -> None:
        await super().close()
        await self.audit.close()


def token_of(entered: Entered) -> str:
    assert entered.access is not None
    return entered.access.token


def refresh_token_of(entered: Entered) -> str:
    assert entered.refresh_token is not None
    return entered.refresh_token
