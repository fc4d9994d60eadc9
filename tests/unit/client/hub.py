"""A real server on loopback that does whatever a test wants, for the tests of both clients."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import orjson
from aiohttp import web
from attrs import Factory, define, field, frozen

from whispercore.clock import SystemClock

Act = Callable[[web.Request], Awaitable[web.StreamResponse]]
NOW = "2026-01-31T12:00:00Z"
DETAIL = {
    "job_id": "j1",
    "status": "completed",
    "filename": "talk.mp3",
    "model": "small",
    "created_at": NOW,
    "progress": 100,
    "attempt": 1,
}
CREATED = {
    "job_id": "j1",
    "status": "queued",
    "filename": "talk.mp3",
    "model": "small",
    "created_at": NOW,
    "estimated_duration": "1 minute",
}


@frozen
class Seen:
    """A request as it arrived."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes = field(repr=False)


@define
class Hub:
    """What the server does next, and what it was asked."""

    url: str = ""
    acts: deque[Act] = Factory(deque)
    seen: list[Seen] = Factory(list)
    knows_csrf: bool = False
    """Else it is not told of those who want a token against forged requests, before what can be sent once only."""

    def then(self, *acts: Act) -> None:
        self.acts.extend(acts)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        if request.path == "/admin/security/csrf-token" and not self.knows_csrf:
            return await shows(404, "<h1>nothing</h1>")(request)
        act = self.acts.popleft() if self.acts else says(599, {"detail": "nothing is left to do", "error_code": "NO"})
        reads = not getattr(act, "leaves_body", False)
        body = await request.read() if reads else b""
        self.seen.append(Seen(request.method, request.raw_path, dict(request.headers), body))
        return await act(request)


def says(status: int, body: Any, headers: dict[str, str] | None = None) -> Act:
    """An answer in JSON."""

    async def act(_: web.Request) -> web.StreamResponse:
        given = {"X-Request-ID": "r1", **(headers or {})}
        return web.Response(status=status, body=orjson.dumps(body), content_type="application/json", headers=given)

    return act


def refuses(status: int, code: str, headers: dict[str, str] | None = None, **details: Any) -> Act:
    """An error in the transcriber's dialect."""
    return says(
        status, {"detail": "in words", "error_code": code, "timestamp": NOW, "request_id": "r1", **details}, headers
    )


def shows(status: int, html: str, headers: dict[str, str] | None = None) -> Act:
    """A page, as proxies show them."""

    async def act(_: web.Request) -> web.StreamResponse:
        return web.Response(status=status, text=html, content_type="text/html", headers=headers)

    return act


async def cuts(request: web.Request) -> web.StreamResponse:
    """The connection ends without an answer."""
    assert request.transport is not None
    request.transport.close()
    return web.Response()


async def stalls(_: web.Request) -> web.StreamResponse:
    """Nothing comes."""
    await asyncio.sleep(30)
    return web.Response()


@define
class Rests:
    """A clock that never lets anybody wait, and notes how long they wanted to."""

    slept: list[float] = Factory(list)

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return SystemClock().monotonic()

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        await asyncio.sleep(0)
