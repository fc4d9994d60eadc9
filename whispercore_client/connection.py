"""What all copies of a client share: connections, and what was got over them."""

from __future__ import annotations

import asyncio

import aiohttp

from whispercore_client.csrf import CsrfTokens
from whispercore_client.renewal import Renewal
from whispercore_client.server import Server


class Connection:
    """The connections to one server, opened when first used. Belongs to one event loop."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.renewal = Renewal(server.account) if server.account is not None else None
        self.csrf = CsrfTokens()
        self._session: aiohttp.ClientSession | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closed = False

    def session(self) -> aiohttp.ClientSession:
        """The session of the running loop.

        Raises:
            RuntimeError: It is closed, or belongs to another loop.
        """
        if self._closed:
            raise RuntimeError("this client is closed")
        loop = asyncio.get_running_loop()
        if self._session is None:
            self._loop = loop
            self._session = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=None), cookie_jar=aiohttp.DummyCookieJar()
            )
        elif self._loop is not loop:
            raise RuntimeError("this client was used in another event loop; make one for each")
        return self._session

    async def close(self) -> None:
        """Close all connections. Closing twice does nothing."""
        self._closed = True
        if self.renewal is not None:
            await self.renewal.close()
        await self.csrf.close()
        session, self._session = self._session, None
        if session is not None:
            await session.close()
