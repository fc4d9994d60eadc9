"""Tokens against forged requests, for servers that want one from every caller (their setting ``csrf = "always"``)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

from whispercore.api.transcriber.admin.csrf import Csrf, CsrfToken, GetCsrfToken
from whispercore.clock import Clock
from whispercore.contract.endpoint import Operation
from whispercore.errors import CsrfTokenInvalid, CsrfTokenMalformed, CsrfTokenRequired
from whispercore_client.shared import SharedWork

HEADER: Final = "X-CSRF-Token"
REFUSALS: Final = (CsrfTokenRequired, CsrfTokenMalformed, CsrfTokenInvalid)
"""Errors that another token may help against."""
Ask = Callable[[Operation, Any], Awaitable[CsrfToken]]
"""Makes a call."""
_MARGIN_S: Final = 30.0
"""A token that is good for less than this is replaced before it is used."""


class CsrfTokens:
    """A client's token: got when the server first asks for one, and kept until it expires. Belongs to one loop."""

    def __init__(self) -> None:
        self._token: str | None = None
        self._good_until_s = 0.0
        self._work = SharedWork("getting a CSRF token")
        self.is_wanted = False
        """Whether the server has asked for one."""

    def at_hand(self, clock: Clock) -> str | None:
        """A token that is good for a while; None when there is none."""
        return self._token if clock.monotonic() < self._good_until_s else None

    async def token(self, ask: Ask, clock: Clock, *, stale: str | None = None) -> str:
        """A token to call with, got once for all calls that wait for it.

        Args:
            ask: Makes the call that gets one.
            clock: By whose time it expires.
            stale: One that was refused.

        Raises:
            WhispercoreError: The server gives none.
        """
        known = self.at_hand(clock)
        if known is not None and known != stale:
            return known
        await self._work.done(lambda: self._get(ask, clock))
        assert self._token is not None
        return self._token

    async def close(self) -> None:
        """Wait for nothing any more."""
        await self._work.close()

    async def _get(self, ask: Ask, clock: Clock) -> None:
        got = await ask(Csrf.token, GetCsrfToken())
        self._good_until_s = clock.monotonic() + max(got.expires_in - _MARGIN_S, got.expires_in / 2)
        self._token = got.csrf_token
