"""What stands between a caller and the handlers, besides admission: limits, screening, audit."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

from aiohttp import web

from whispercore.contract.endpoint import Operation
from whispercore.contract.plan import Sources
from whispercore.errors import WhispercoreError
from whispercore.people.caller import Caller

Moment = Literal["arrived", "recognised", "admitted", "taken", "read"]
"""When a guard looks at a request; the names of its methods."""


class Guard:
    """Looks at each request at several moments. Whatever it raises is the answer; by itself it does nothing.

    Guards are asked in their order, one after the other, and keep what they know of a request in ``web.RequestKey``s.
    """

    def looks(self, moment: Moment, operation: Operation) -> bool:
        """Whether it has anything to do at that moment with requests of an endpoint: decided once for each endpoint.

        As it is here, it does at all moments whose methods it has.
        """
        del operation
        return getattr(type(self), moment) is not getattr(Guard, moment)

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


def looking(guards: Iterable[Guard], moment: Moment, operation: Operation) -> tuple[Any, ...]:
    """The methods of those guards that have something to do."""
    return tuple(getattr(guard, moment) for guard in guards if guard.looks(moment, operation))
