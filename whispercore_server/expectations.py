"""Clients that wait to be asked for a body (``Expect: 100-continue``): they are asked once they are let in.

aiohttp would ask at once, and have gigabytes sent that are refused anyway.
"""

from __future__ import annotations

from typing import Final

from aiohttp import HttpVersion11, web

_ASKED: Final = web.RequestKey("asked_for_body", bool)


async def asked_later(http: web.Request) -> None:
    """The expect handler of our routes: nothing is answered before somebody wants the body."""
    del http


def is_waiting(http: web.Request) -> bool:
    """Whether the client has a body, and waits to be asked for it. Other expectations than this one count as none."""
    expects = http.headers.get("Expect")
    if expects is None or expects.strip().lower() != "100-continue":
        return False
    return http.version >= HttpVersion11 and http.body_exists and _ASKED not in http


async def ask_for_body(http: web.Request) -> None:
    """Have the body sent, if the client waits for that."""
    if is_waiting(http):
        http[_ASKED] = True
        await http.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        http.writer.output_size = 0  # the answer itself has not begun


def close_if_unasked(http: web.Request, response: web.StreamResponse) -> None:
    """End the connection with an answer in place of the body: else nobody knows whether a body follows or a request."""
    if is_waiting(http):
        response.force_close()
        response.headers["Connection"] = "close"
