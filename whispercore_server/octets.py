"""Bodies that are bytes and nothing else: read by their handler, once it knows that it wants them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable
from typing import Final, TypeVar

from aiohttp import BodyPartReader, web
from aiohttp.http import HttpProcessingError
from attrs import field, frozen

from whispercore.contract.fields import Octets
from whispercore.errors import InvalidRequest, WrongContentType
from whispercore_server.expectations import ask_for_body

OCTETS: Final = "application/octet-stream"
FORM: Final = "multipart/form-data"
PATIENCE_S: Final = 60.0
"""How long nothing may come before a sender is taken to be gone."""
_PIECE_BYTES: Final = 1 << 18
_T = TypeVar("_T")
AS_IT_IS: Final = frozenset({"", "7bit", "8bit", "binary"})
"""Transfer encodings that change nothing. Others were never for forms (RFC 7578, 4.7)."""


@frozen(eq=False)
class ArrivingOctets(Octets):
    """The body of a request: as it is, or as the only file of a form.

    Args:
        http: The request.
        name: What the file of a form is called.
    """

    http: web.Request = field(kw_only=True, repr=False)
    name: str = field(kw_only=True)

    def __attrs_post_init__(self) -> None:
        if self.http.content_type not in (OCTETS, FORM):
            raise WrongContentType(self.http.headers.get("Content-Type", ""), f"{OCTETS} or {FORM}")

    @property
    def announced_bytes(self) -> int | None:
        """How many there are, if that is known."""
        return self.http.content_length if self.http.content_type == OCTETS else None

    def pieces(self) -> AsyncGenerator[bytes, None]:
        """The bytes.

        Raises:
            InvalidRequest: They break off, or are not what the headers say.
        """
        return _form(self.http, self.name) if self.http.content_type == FORM else body_of(self.http)


async def body_of(http: web.Request) -> AsyncGenerator[bytes, None]:
    """A body as it comes, asked for where the client waits for that.

    Raises:
        InvalidRequest: It stops coming.
    """
    await ask_for_body(http)
    while piece := await _soon(http.content.readany()):
        yield piece


async def _soon(waiting: Awaitable[_T]) -> _T:
    try:
        async with asyncio.timeout(PATIENCE_S):
            return await waiting
    except TimeoutError:
        raise InvalidRequest.one("", f"nothing more of the body came for {PATIENCE_S:.0f} s") from None


async def _form(http: web.Request, name: str) -> AsyncGenerator[bytes, None]:
    await ask_for_body(http)
    found = 0
    try:
        reader = await http.multipart()
        while (part := await _soon(reader.next())) is not None:
            if not isinstance(part, BodyPartReader):
                raise InvalidRequest.one("", "the form has another one in it")
            if part.name != name:
                raise InvalidRequest.one((part.name or "")[:100], "it is unknown here")
            if part.headers.get("Content-Transfer-Encoding", "binary").strip().lower() not in AS_IT_IS:
                raise InvalidRequest.one(name, "it has a Content-Transfer-Encoding; send it as it is")
            found += 1
            while piece := await _soon(part.read_chunk(_PIECE_BYTES)):
                yield piece
    except (ValueError, AssertionError, EOFError, HttpProcessingError) as error:
        raise InvalidRequest.one("", f"the form cannot be read: {str(error) or 'it breaks off'}") from error
    if found != 1:
        raise InvalidRequest.one(name, "it is missing" if not found else f"it is given {found} times")
