"""Getting a client the token that it needs: once for all calls that wait for it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from whispercore.api.transcriber.auth import Auth, LoggedIn, Login, RefreshTokens
from whispercore.clock import Clock
from whispercore.contract.endpoint import Operation
from whispercore.errors import Conflict, NotAuthenticated
from whispercore_client.account import Account
from whispercore_client.shared import SharedWork

Ask = Callable[[Operation, Any], Awaitable[LoggedIn]]
"""Makes a call without credentials."""


class Renewal:
    """Logs in and refreshes. Belongs to one event loop.

    Args:
        account: As whom.
    """

    def __init__(self, account: Account) -> None:
        self._account = account
        self._work = SharedWork("renewing a token")

    async def token(self, ask: Ask, clock: Clock, *, stale: str | None = None) -> str:
        """A token to call with.

        Args:
            ask: Makes the calls that get one.
            clock: By whose time it expires.
            stale: One that was refused.

        Raises:
            NotAuthenticated: There is none to be had: the password is wrong, or the session is over.
        """
        known = self._account.access_token(clock.monotonic())
        if known is not None and known != stale:
            return known
        await self._work.done(lambda: self._renew(ask, clock))
        renewed = self._account.access_token(clock.monotonic())
        if renewed is None:
            raise NotAuthenticated("the client logged out in the meantime")
        return renewed

    async def close(self) -> None:
        """Wait for nothing any more."""
        await self._work.close()

    async def _renew(self, ask: Ask, clock: Clock) -> None:
        account = self._account
        if account.refresh_token is not None:
            try:
                entered = await ask(Auth.refresh, RefreshTokens(refresh_token=account.refresh_token))
            except (NotAuthenticated, Conflict):
                account.forget_tokens()
                if account.password is None:
                    raise
            else:
                account.took(entered, clock.monotonic())
                return
        if account.username is None or account.password is None:
            raise NotAuthenticated("the session is over: log in again, and make a new client")
        if account.is_refused:
            raise NotAuthenticated("the user name or the password was refused before; make a new client")
        try:
            entered = await ask(Auth.login, Login(username=account.username, password=account.password))
        except NotAuthenticated:
            account.is_refused = True
            raise
        account.took(entered, clock.monotonic())
