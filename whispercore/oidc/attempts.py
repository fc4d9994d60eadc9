"""Sign-ins that are under way, where all servers on a database see them: each ends once, in the browser it began in."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from attrs import field, frozen
from sqlalchemy import delete, insert

from whispercore.clock import Clock
from whispercore.database.session import Database
from whispercore.database.tables import sign_ins
from whispercore.errors import NotAuthenticated
from whispercore.people.digest import digest

LASTS: Final = timedelta(minutes=10)
"""How long somebody may take at the provider."""


@frozen(kw_only=True)
class Attempt:
    """What is remembered of a sign-in until somebody comes back from the provider."""

    nonce: str = field(repr=False)
    """In the ID token that is made for it."""
    verifier: str = field(repr=False)
    """Of PKCE."""
    redirect_url: str
    """Where he comes back to."""
    next: str | None
    """The page that he goes on to; None for an answer to a program."""
    by_cookie: bool
    """Whether he gets a cookie in place of tokens."""
    session_id: str | None = None
    """That of a user who links his account, and is in."""


class Attempts:
    """Remembers them.

    Args:
        database: Where.
        clock: By whose time they expire.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def begin(self, attempt: Attempt, *, state: str, browser: str) -> None:
        """Remember one.

        Args:
            attempt: What is to be known of it.
            state: What the provider hands back.
            browser: What only the browser has in which it began.
        """
        row = {
            "state_hash": digest(state).hex(),
            "browser_hash": digest(browser).hex(),
            "nonce": attempt.nonce,
            "verifier": attempt.verifier,
            "redirect_url": attempt.redirect_url,
            "next": attempt.next,
            "by_cookie": attempt.by_cookie,
            "session_id": attempt.session_id,
            "expires_at": self._clock.now() + LASTS,
        }
        async with self._database.write() as tx:
            await tx.execute(insert(sign_ins), row)

    async def take(self, *, state: str, browser: str | None) -> Attempt:
        """One that comes back, for the only time. That of another browser stays where it is.

        Raises:
            NotAuthenticated: There is none, or it began in another browser, was taken before or took too long.
        """
        mine = delete(sign_ins).where(
            sign_ins.c.state_hash == digest(state).hex(), sign_ins.c.browser_hash == digest(browser or "").hex()
        )
        async with self._database.write() as tx:
            row = (await tx.execute(mine.returning(*sign_ins.c))).one_or_none()
        if row is None or row.expires_at <= self._clock.now():
            raise NotAuthenticated(
                "this sign-in did not begin in this browser, is over already, or took too long; begin it again"
            )
        return Attempt(
            nonce=row.nonce,
            verifier=row.verifier,
            redirect_url=row.redirect_url,
            next=row.next,
            by_cookie=row.by_cookie,
            session_id=row.session_id,
        )

    async def sweep(self, now: datetime) -> None:
        """Forget those that nobody came back from."""
        async with self._database.write() as tx:
            await tx.execute(delete(sign_ins).where(sign_ins.c.expires_at <= now))
