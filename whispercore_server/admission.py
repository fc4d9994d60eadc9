"""Who is let in: credentials to a caller, and whether he may do what an endpoint is for."""

from __future__ import annotations

from contextlib import suppress

from aiohttp import web
from attrs import evolve, frozen

from whispercore.contract.endpoint import Operation
from whispercore.errors import NotAuthenticated, NotPermitted
from whispercore.people.auth import Auth, Credentials
from whispercore.people.caller import Caller
from whispercore_server.cookies import SessionCookies
from whispercore_server.request_info import REQUEST_INFO

_SCHEME = "bearer "


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
            return await self._authenticated(http)
        if operation.recognises:
            with suppress(NotAuthenticated, NotPermitted):
                return await self._authenticated(http)
        return evolve(Caller.nobody(), request=http[REQUEST_INFO])

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

    async def _authenticated(self, http: web.Request) -> Caller:
        return evolve(await self.auth.authenticate(self._credentials(http)), request=http[REQUEST_INFO])

    def _credentials(self, http: web.Request) -> Credentials:
        bearer = None
        given = http.headers.getall("Authorization", [])
        if len(given) > 1:
            raise NotAuthenticated("there are several Authorization headers")
        if given:
            if not given[0].lower().startswith(_SCHEME):
                raise NotAuthenticated("the Authorization header has to be 'Bearer' and a token or an API key")
            bearer = given[0][len(_SCHEME) :].strip()
        return Credentials(
            bearer=bearer,
            api_key=http.headers.get("X-API-Key"),
            cookie=self.cookies.read(http),
            request=http[REQUEST_INFO],
        )
