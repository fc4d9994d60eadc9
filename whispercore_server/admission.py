"""Who is let in: credentials to a caller, and whether he may do what an endpoint is for."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final, Never

from aiohttp import web
from attrs import evolve, frozen

from whispercore.contract.endpoint import Channel, Operation
from whispercore.errors import NotAuthenticated, NotFound, NotPermitted, RequestError
from whispercore.people.auth import Auth, Credentials
from whispercore.people.caller import Caller
from whispercore.people.scopes import ADMIN
from whispercore_server.cookies import SessionCookies
from whispercore_server.request_info import REQUEST_INFO
from whispercore_server.streams import offered_protocols

RECHECK_S: Final = 2.0
"""How often it is looked whether a caller may still have an answer that goes on, or send what he goes on to send."""
_SCHEME: Final = "bearer "


@frozen
class Admission:
    """Lets callers in.

    Args:
        auth: Says who they are.
        cookies: Those of browsers' sessions.
    """

    auth: Auth
    cookies: SessionCookies

    async def recognise(self, http: web.Request, operation: Operation) -> Caller:
        """The caller of a request.

        Raises:
            NotAuthenticated: The endpoint is not open to everybody, and nobody knows who this is.
            NotPermitted: His API key is not for the address that he comes from.
        """
        if operation.scope is not None:
            return await self._authenticated(http, operation)
        if operation.recognises:
            with suppress(NotAuthenticated, NotPermitted):
                return await self._authenticated(http, operation)
        return Caller.nobody(http[REQUEST_INFO])

    async def permit(self, http: web.Request, operation: Operation, caller: Caller) -> None:
        """Let a caller do what an endpoint is for.

        Raises:
            NotPermitted: He lacks its scope, or came with an API key where a person is asked for.
        """
        del http
        if operation.scope is not None and not caller.may(operation.scope):
            raise NotPermitted(operation.scope)
        if operation.person_only and caller.via == "key" and not caller.is_admin:
            raise NotPermitted("to act as a person: log in, an API key will not do")

    async def recheck(self, http: web.Request, operation: Operation, caller: Caller) -> None:
        """Look whether a request that was admitted still would be: much can happen while it goes on.

        Raises:
            NotAuthenticated: His session, his token or his key is over, or his account was closed.
            NotPermitted: He has lost the right, or is no administrator any more.
        """
        if operation.scope is None:
            return
        now = await self._authenticated(http, operation, again=True)
        await self.permit(http, operation, now)
        if caller.is_admin and not now.is_admin:  # what he was given as one may be others'
            raise NotPermitted(ADMIN)

    async def watch(
        self,
        http: web.Request,
        operation: Operation,
        caller: Caller,
        still: Callable[[], Awaitable[object]] | None = None,
    ) -> Never:
        """Recheck now and then, until that raises.

        Args:
            http: The request.
            operation: What it is for.
            caller: Who was admitted.
            still: Looks whether he may still have the very thing that he is given, and raises if not.

        Raises:
            NotAuthenticated: See ``recheck``.
            NotPermitted: See ``recheck``.
            NotFound: It is not there any more, for him at least.
        """
        if operation.scope is None and still is None:  # nothing was asked of him that he could lose
            await asyncio.Event().wait()
        while True:
            await asyncio.sleep(RECHECK_S)
            try:
                await self.recheck(http, operation, caller)
                if still is not None:
                    await still()
            except (NotAuthenticated, NotPermitted, NotFound):
                raise
            except RequestError:  # a database that does not answer says nothing of him: the next time
                continue

    async def _authenticated(self, http: web.Request, operation: Operation, *, again: bool = False) -> Caller:
        caller = await self.auth.authenticate(self._credentials(http, operation, again=again))
        return evolve(caller, request=http[REQUEST_INFO])

    def _credentials(self, http: web.Request, operation: Operation, *, again: bool) -> Credentials:
        bearer = None
        given = http.headers.getall("Authorization", [])
        if len(given) > 1:
            raise NotAuthenticated("there are several Authorization headers")
        if given:
            if not given[0].lower().startswith(_SCHEME):
                raise NotAuthenticated("the Authorization header has to be 'Bearer' and a token or an API key")
            bearer = given[0][len(_SCHEME) :].strip()
        elif isinstance(operation, Channel) and operation.key_protocol is not None:
            bearer = _key_among(offered_protocols(http), operation.key_protocol)
        return Credentials(
            bearer=bearer,
            api_key=http.headers.get("X-API-Key"),
            cookie=self.cookies.read(http),
            request=http[REQUEST_INFO],
            for_live=isinstance(operation, Channel) and operation.takes_client_secrets,
            again=again,
        )


def _key_among(protocols: list[str], prefix: str) -> str | None:
    """The API key that one of the offered subprotocols is."""
    return next((one.removeprefix(prefix) for one in protocols if one.startswith(prefix)), None)
