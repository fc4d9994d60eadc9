"""Download one model file: resumed after every break, verified before it gets its name."""

from __future__ import annotations

import string
from collections.abc import Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Literal

import aiohttp
import tenacity

from whispercore.errors import ChecksumMismatch, DownloadFailed, ModelDamaged
from whispercore.models import records
from whispercore.models.loop_thread import in_own_loop
from whispercore.models.pace import OnProgress, Pace
from whispercore.models.part import Offer, Part
from whispercore.models.verify import foreign, inspect
from whispercore.outgoing.retry_after import retry_after_s

_CHUNK_BYTES = 1 << 18
_HEAD_BYTES = 64
_SHA256_LENGTH = 64
_LONGEST_NUMBER = 16

_PASSING = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS)
_NETWORK_ERRORS = (aiohttp.ClientError, TimeoutError)
_HOPELESS = (
    aiohttp.InvalidURL,
    aiohttp.NonHttpUrlClientError,
    aiohttp.TooManyRedirects,
    aiohttp.ClientConnectorCertificateError,
    aiohttp.ClientConnectorSSLError,
)
_ELSEWHERE = "look at WHISPERCORE_HUB, and at a proxy in between"
_WORDS = (
    (aiohttp.ConnectionTimeoutError, "no connection within the time limit"),
    (TimeoutError, "the server stopped sending"),
    (aiohttp.ServerDisconnectedError, "the connection broke off"),
    (aiohttp.ClientPayloadError, "the connection broke off"),
    (ConnectionError, "the connection broke off"),
    (aiohttp.TooManyRedirects, "the server redirects in circles"),
    (aiohttp.NonHttpUrlClientError, "this is not an address of the web"),
    (aiohttp.InvalidURL, "this is not an address of the web"),
)


class _Interrupted(Exception):
    """An attempt broke off, and another one may succeed."""

    def __init__(self, reason: str, retry_after_s: float = 0.0) -> None:
        super().__init__(reason)
        self.retry_after_s = retry_after_s


def download(
    url: str,
    target: Path,
    *,
    sha1: str | None = None,
    sha256: str | None = None,
    on_progress: OnProgress | None = None,
    pace: Pace | None = None,
    inspected: bool = True,
) -> records.Record:
    """Download a model, verify it, and put it under its name, with a record beside it.

    It works in a thread of its own, whether or not the caller's thread has a running event loop. When it is
    interrupted, what has arrived stays in ``TARGET.part``, and the next call goes on from there.

    Args:
        url: Where it is.
        target: The file to make, in a folder that exists.
        sha1: The published checksum in hexadecimal, if there is one.
        sha256: The same, for SHA-256. Without either, the one in the server's headers is used, if any.
        on_progress: Called in the download's thread; what it raises ends the download and is raised here.
        pace: How patient to be.
        inspected: Whether it has to be a model of whisper.cpp; False for other files, known by their checksum.

    Raises:
        DownloadFailed: The server cannot be reached, refuses, or breaks off too often.
        ChecksumMismatch: What arrived is not what was published; it was deleted.
        ModelDamaged: What arrived is no model; it was deleted.
        NoSpace: The disk has no room.
    """
    return in_own_loop(
        lambda: fetch(
            url,
            target,
            sha1=sha1,
            sha256=sha256,
            on_progress=on_progress,
            pace=pace or Pace(),
            inspected=inspected,
        )
    )


async def fetch(
    url: str,
    target: Path,
    *,
    sha1: str | None,
    sha256: str | None,
    on_progress: OnProgress | None,
    pace: Pace,
    inspected: bool = True,
) -> records.Record:
    """Do the work of ``download`` in the running loop, blocking it while the disk works."""
    with Part(url, target) as part:
        await _Transfer(part, on_progress, pace, inspected=inspected).run()
        _verify(part, sha1, sha256, inspected=inspected)
        part.sync()
        try:
            record = records.install(part.path, target, sha256=part.digest("sha256"), source="hub", url=url)
        except OSError as error:
            raise DownloadFailed(url, f"{target} cannot be written ({error.strerror})", resumable=False) from error
        part.forget_offer()
        return record


def _verify(part: Part, sha1: str | None, sha256: str | None, *, inspected: bool) -> None:
    algorithm: Literal["sha1", "sha256"] = "sha1" if sha1 and not sha256 else "sha256"
    expected = sha256 or sha1 or part.offer.sha256
    actual = part.digest(algorithm)
    if expected is not None and actual != expected.lower():
        part.discard()
        raise ChecksumMismatch(part.url, expected, actual)
    if not inspected:
        return
    try:
        inspect(part.path)
    except ModelDamaged as error:
        part.discard()
        raise ModelDamaged(part.url, error.reason, _ELSEWHERE) from error


class _Transfer:
    """Attempts to complete a part, one after the other."""

    def __init__(self, part: Part, on_progress: OnProgress | None, pace: Pace, *, inspected: bool) -> None:
        self._part = part
        self._inspected = inspected
        self._on_progress = on_progress
        self._pace = pace
        self._furthest = part.position
        self._fruitless = 0

    async def run(self) -> None:
        if self._part.position and self._part.position == self._part.offer.size_bytes:
            return
        timeout = aiohttp.ClientTimeout(total=None, connect=self._pace.connect_s, sock_read=self._pace.stall_s)
        try:
            async with aiohttp.ClientSession(timeout=timeout, trust_env=True, auto_decompress=False) as session:
                await tenacity.AsyncRetrying(
                    retry=tenacity.retry_if_exception_type(_Interrupted),
                    stop=lambda _: self._fruitless >= self._pace.attempts,
                    wait=self._wait_s,
                    reraise=True,
                )(self._attempt, session)
        except _Interrupted as error:
            raise DownloadFailed(self._part.url, str(error)) from error

    def _wait_s(self, state: tenacity.RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        asked = error.retry_after_s if isinstance(error, _Interrupted) else 0.0
        return max(min(asked, self._pace.longest_retry_after_s), self._pace.wait_s(max(1, self._fruitless)))

    async def _attempt(self, session: aiohttp.ClientSession) -> None:
        try:
            await self._request(session)
        except _HOPELESS as error:
            raise DownloadFailed(self._part.url, _words(error), resumable=False) from error
        except _NETWORK_ERRORS as error:
            raise _Interrupted(_words(error)) from error
        finally:
            # A server that always starts over and always breaks off at the same place brings nothing new.
            self._fruitless = 0 if self._part.position > self._furthest else self._fruitless + 1
            self._furthest = max(self._furthest, self._part.position)

    async def _request(self, session: aiohttp.ClientSession) -> None:
        headers = {"Accept-Encoding": "identity"}
        if self._part.position and self._part.offer.etag:
            headers |= {"Range": f"bytes={self._part.position}-", "If-Range": self._part.offer.etag}
        async with session.get(self._part.url, headers=headers) as response:
            chain = (*response.history, response)
            refuse_downgrade(self._part.url, [str(hop.url) for hop in chain])
            self._check_status(response)
            self._begin(response, chain)
            self._part.check_space()
            await self._receive(response)

    def _check_status(self, response: aiohttp.ClientResponse) -> None:
        status = response.status
        if status in {HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT}:
            return
        if status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and self._part.position:
            self._part.restart(Offer())
            raise _Interrupted("the server has fewer bytes than have already arrived")
        said = f"the server answered {status} {response.reason or ''}".rstrip()
        if status in _PASSING or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise _Interrupted(said, retry_after_s(response.headers.get("Retry-After")))
        if status == HTTPStatus.NOT_FOUND:
            said = "the server has no such file (404 Not Found)"
        raise DownloadFailed(self._part.url, said, resumable=False)

    def _begin(self, response: aiohttp.ClientResponse, chain: Sequence[aiohttp.ClientResponse]) -> None:
        offer = read_offer(chain)
        if response.status == HTTPStatus.OK:
            self._part.restart(offer)
            return
        start = _first_byte(response.headers.get("Content-Range", ""))
        if start != self._part.position or offer.etag != self._part.offer.etag:
            self._part.restart(Offer())
            raise _Interrupted("the file has changed at the server")

    async def _receive(self, response: aiohttp.ClientResponse) -> None:
        part, total = self._part, self._part.offer.size_bytes
        async for chunk in response.content.iter_chunked(_CHUNK_BYTES):
            looked_at = self._inspected and part.position == 0 and len(chunk) >= _HEAD_BYTES
            if looked_at and (words := foreign(chunk[:_HEAD_BYTES])):
                part.discard()
                raise ModelDamaged(part.url, words, _ELSEWHERE)
            part.write(chunk)
            if total is not None and part.position > total:
                part.restart(Offer())
                raise _Interrupted(f"the server sends more than the {total:,} bytes that it announced")
            if self._on_progress is not None:
                self._on_progress(part.position, total)
        if total is not None and part.position < total:
            raise _Interrupted(f"the connection broke off after {part.position:,} of {total:,} bytes")


def refuse_downgrade(url: str, hops: Sequence[str]) -> None:
    """Refuse to be led from an encrypted address to one that is not.

    Args:
        url: The address of the model.
        hops: Every address that was visited, in order.

    Raises:
        DownloadFailed: One begins with ``http:`` after one that begins with ``https:``.
    """
    schemes = [hop.partition(":")[0].lower() for hop in hops]
    if "https" in schemes and "http" in schemes[schemes.index("https") :]:
        raise DownloadFailed(url, f"it leads to an address without encryption ({hops[-1]})", resumable=False)


def read_offer(chain: Sequence[aiohttp.ClientResponse]) -> Offer:
    """What the headers of a response, and of the redirects that led to it, say about the file.

    The hub names size and checksum in the redirect; the entity tag of the last response may be any other number.

    Args:
        chain: The responses in order, the last one being the one with the file.
    """
    last = chain[-1]
    linked = [hop.headers for hop in chain if "X-Linked-Etag" in hop.headers]
    etag = last.headers.get("ETag", "")
    named = linked[-1]["X-Linked-Etag"] if linked else etag
    size = linked[-1].get("X-Linked-Size", "") if linked else ""
    whole = last.content_length if last.status == HTTPStatus.OK else None
    return Offer(
        etag=etag if etag.startswith('"') else None,
        size_bytes=int(size) if _is_number(size) else whole,
        sha256=_as_sha256(named),
    )


def _as_sha256(etag: str) -> str | None:
    text = etag.removeprefix("W/").strip('"').lower()
    return text if len(text) == _SHA256_LENGTH and set(text) <= set(string.hexdigits) else None


def _first_byte(content_range: str) -> int | None:
    start = content_range.removeprefix("bytes ").partition("-")[0]
    return int(start) if _is_number(start) else None


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < _LONGEST_NUMBER


def _words(error: BaseException) -> str:
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return f"the name {error.host!r} cannot be resolved; there may be no network"
    if isinstance(error, (aiohttp.ClientConnectorCertificateError, aiohttp.ClientConnectorSSLError)):
        return f"the server's certificate is not trusted ({error})"
    if isinstance(error, aiohttp.ClientConnectorError):
        return f"no connection to {error.host}:{error.port} ({error.os_error.strerror or error.os_error})"
    return next((words for kind, words in _WORDS if isinstance(error, kind)), str(error) or type(error).__name__)
