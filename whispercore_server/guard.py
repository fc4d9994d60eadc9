"""What stands between a caller and the handlers, besides admission: limits, screening, audit."""

from __future__ import annotations

from aiohttp import web

from whispercore.contract.endpoint import Operation
from whispercore.contract.plan import Sources
from whispercore.errors import WhispercoreError
from whispercore.people.caller import Caller


class Guard:
    """Looks at each request at several moments. Whatever it raises is the answer; by itself it does nothing.

    Guards are asked in their order, one after the other, and keep what they know of a request in ``web.RequestKey``s.
    """

    async def arrived(self, http: web.Request, operation: Operation) -> None:
        """The headers are here, and nobody has looked at the credentials yet."""

    async def recognised(self, http: web.Request, operation: Operation, caller: Caller) -> None:
        """The caller is known; nobody has looked yet whether he may do this."""

    async def admitted(self, http: web.Request, operation: Operation, caller: Caller) -> None:
        """The caller is known and may do this; the body was not read yet."""

    async def taken(self, http: web.Request, operation: Operation, caller: Caller, sources: Sources) -> None:
        """The body is here, and was not compared with the declaration yet. Of raw endpoints: path and query only."""

    async def read(self, http: web.Request, operation: Operation, caller: Caller, request: object) -> None:
        """The request was read and fits its declaration; the handler comes next. Not called for raw endpoints."""

    async def refused(self, http: web.Request, error: WhispercoreError) -> None:
        """It is answered with this error, or with the one that is raised here.

        Called for every error, those of guards and of unknown paths included.
        """
