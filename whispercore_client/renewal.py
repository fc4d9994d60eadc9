"""Getting a client the token that it needs: once for all calls that wait for it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from whispercore.api.transcriber.auth import Auth, LoggedIn, Login, RefreshTokens
from whispercore.clock import Clock
from whispercore.contract.endpoint import Operation
from whispercore.errors import Conflict, NotAuthenticated
from whispercore_client.account import Account

Ask = Callable[[Operation, Any], Awaitable[LoggedIn]]
"""Makes a call without credentials."""


class Renewal:
    """Logs in and refreshes. Belongs to one event loop.

    Args:
        account: As whom.
    """

    def __init__(self, account: Account) -> None:
        self._account = account
        self._task: asyncio.Task[None] | None = None

    async def token(self, ask: Ask, clock: Clock, *, stale: str | None = None) -> str:
        """A token to call with. Whoever is cancelled while he waits for one spoils it for nobody else.

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
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._renew(ask, clock), name="renewing a token")
            self._task.add_done_callback(_seen)
        await asyncio.shield(self._task)
        renewed = self._account.access_token(clock.monotonic())
        if renewed is None:
            raise NotAuthenticated("the client logged out in the meantime")
        return renewed

    async def close(self) -> None:
        """Wait for nothing any more."""
        if self._task is not None and not self._task.done():
            self._task.cancel()
            await asyncio.wait((self._task,))

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


def _seen(task: asyncio.Task[None]) -> None:
    if not task.cancelled():
        task.exception()  # those who waited may have been cancelled
