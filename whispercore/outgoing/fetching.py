"""Recordings that are fetched from an address which somebody named."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from http import HTTPStatus
from pathlib import PurePosixPath
from typing import Final

import aiohttp
from yarl import URL

from whispercore.errors import FetchFailed, InvalidOption, TooLarge
from whispercore.files.files import Files
from whispercore.files.manifest import Staged
from whispercore.files.names import name_in
from whispercore.outgoing import calls
from whispercore.outgoing.addresses import checked_url
from whispercore.screening.rule import BLOCKING_SCORE, reasons, risk_score
from whispercore.screening.uploads import Specimen, screened

_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_MOST_REDIRECTS: Final = 5
_PIECE_BYTES: Final = 1 << 18
_READ_S: Final = 30.0
_PASSING: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
_PAGES: Final = frozenset({"text/html", "application/xhtml+xml"})
_UNCHANGED: Final = frozenset({"", "identity"})


class Fetcher:
    """Fetches recordings into the staging area.

    Args:
        files: Where they go.
        allow_internal: Whether addresses that are not of the internet may be called.
        limit_bytes: The largest recording.
        total_s: Seconds that one may take.
        screens: Whether what looks like an attack is refused.
    """

    def __init__(
        self, files: Files, *, allow_internal: bool, limit_bytes: int, total_s: float = 3600.0, screens: bool = True
    ) -> None:
        self._files = files
        self._allow_internal = allow_internal
        self._limit_bytes = limit_bytes
        self._total_s = total_s
        self._screens = screens

    def checked(self, url: str) -> str:
        """An address that may be fetched from, as far as it can be told before.

        Raises:
            InvalidOption: It is none of the web.
        """
        return str(checked_url(url, option="url", allow_internal=self._allow_internal))

    async def fetch(self, url: str) -> Staged:
        """What is there. It has to be kept, or discarded.

        Args:
            url: An address that was ``checked``.

        Raises:
            FetchFailed: There is nothing, not from there, not in time, or what looks like an attack.
            TooLarge: It is larger than allowed.
            StorageFull: There is no room for it.
        """
        host = URL(url).host or ""
        try:
            async with calls.session(
                allow_internal=self._allow_internal, read_s=_READ_S, total_s=self._total_s
            ) as session:
                return await self._follow(session, checked_url(url, option="url", allow_internal=self._allow_internal))
        except InvalidOption as error:
            raise FetchFailed(name=host, found=error.reason, passing=False) from error
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise FetchFailed(name=host, found=calls.reason(error), passing=calls.may_pass(error)) from error

    async def _follow(self, session: aiohttp.ClientSession, url: URL) -> Staged:
        for _ in range(_MOST_REDIRECTS + 1):
            async with session.get(url, allow_redirects=False) as answer:
                if answer.status in _REDIRECTS:
                    url = self._next(url, answer)
                    continue
                return await self._taken(url, answer)
        raise FetchFailed(name=url.host or "", found=f"it redirects more than {_MOST_REDIRECTS} times", passing=False)

    def _next(self, url: URL, answer: aiohttp.ClientResponse) -> URL:
        """Where an answer leads on to; that is judged like any address that a stranger names."""
        try:
            there = url.join(URL(answer.headers.get("Location", "")))
        except ValueError:
            raise FetchFailed(name=url.host or "", found="it redirects to nowhere", passing=False) from None
        return checked_url(there, option="url", allow_internal=self._allow_internal)

    async def _taken(self, url: URL, answer: aiohttp.ClientResponse) -> Staged:
        host = url.host or ""
        if answer.status != HTTPStatus.OK:
            raise FetchFailed(
                name=host, found=f"it answered with status {answer.status}", passing=answer.status in _PASSING
            )
        if answer.headers.get("Content-Encoding", "").strip().lower() not in _UNCHANGED:
            raise FetchFailed(name=host, found="it sends a compressed answer that nobody asked for", passing=False)
        if answer.content_type in _PAGES:
            raise FetchFailed(name=host, found="it answered with a page, and not with a recording", passing=False)
        if (answer.content_length or 0) > self._limit_bytes:
            raise TooLarge(self._limit_bytes)
        specimen = Specimen(_name(url, answer), answer.content_type)
        async with aclosing(_pieces(answer)) as pieces:
            staged = await self._files.stage(
                specimen.watched(pieces),
                name=specimen.name,
                content_type=answer.content_type,
                limit_bytes=self._limit_bytes,
            )
        found = screened("url", specimen) if self._screens else []
        if risk_score(found) >= BLOCKING_SCORE:
            await self._files.discard(staged)
            why = "; ".join(reasons(found))
            raise FetchFailed(name=host, found=f"what it sent looks like an attack ({why})", passing=False)
        return staged


async def _pieces(answer: aiohttp.ClientResponse) -> AsyncGenerator[bytes, None]:
    async for piece in answer.content.iter_chunked(_PIECE_BYTES):
        yield piece


def _name(url: URL, answer: aiohttp.ClientResponse) -> str:
    """What the sender calls it, or the last part of its address."""
    return name_in(answer.headers.get("Content-Disposition", "")) or name_of(str(url))


def name_of(url: str) -> str:
    """What a recording is called by its address."""
    return PurePosixPath(URL(url).path).name or URL(url).host or "recording"
