"""Calls to an OpenAI-compatible server that turns speech into text, from threads that wait for the answer."""

from __future__ import annotations

import asyncio
import concurrent.futures
import logging
import random
import threading
from collections.abc import Callable, Coroutine, Sequence
from http import HTTPStatus
from typing import Any, Final, TypeVar

import aiohttp
import tenacity
from attrs import frozen

from whispercore.contract.wire import loads, patiently
from whispercore.errors import Cancelled, EngineAway, EngineFailed
from whispercore.outgoing import calls
from whispercore.outgoing.addresses import checked_url
from whispercore.outgoing.retry_after import retry_after_s

Fields = Sequence[tuple[str, str]]

_AGAIN: Final = frozenset({408, 409, 425, 429, 500, 502, 503, 504})
_MOST_ANSWER_BYTES: Final = 16 << 20
_SHOWN: Final = 300
"""Characters of a server's own words that are told back."""
_STOP_S: Final = 10.0
_log = logging.getLogger(__name__)
_T = TypeVar("_T")


def backoff_s(attempts: int) -> float:
    """Seconds to wait after so many failed attempts: 0.5, 1, 2, ... up to 30, and up to half as much by chance."""
    wait_s = min(30.0, 2.0 ** min(attempts - 2, 5))
    return wait_s * (1 + random.random() / 2)  # noqa: S311 - spreads load, hides nothing


@frozen(kw_only=True)
class Patience:
    """How long a server is waited for."""

    attempts: int = 5
    """How often a call is made, where another may fare better."""
    answer_s: float = 600.0
    """Seconds for the answer to one attempt."""
    longest_wait_s: float = 60.0
    """The longest time that a server may ask us to stay away; a call that is to wait longer fails at once."""
    wait_s: Callable[[int], float] = backoff_s
    """Seconds to wait after so many failed attempts, where the server does not say."""


class Refused(Exception):
    """The server answered that it will not.

    Args:
        reason: Why, with the server's name.
        status: Of HTTP.
        param: The field of the request that it blames.
    """

    def __init__(self, reason: str, *, status: int, param: str | None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.status = status
        self.param = param


@frozen(kw_only=True)
class _Fault:
    message: str | None = None
    param: str | None = None


@frozen(kw_only=True)
class _Refusal:
    error: _Fault | str | None = None


class _Again(Exception):
    """Another attempt may fare better."""

    def __init__(self, reason: str, after_s: float = 0.0) -> None:
        super().__init__(reason)
        self.reason = reason
        self.after_s = after_s


class SpeechServer:
    """One server. Calls block their thread, and may run in several at once.

    Its address comes from whoever runs this program, so internal ones are allowed; where the server redirects to is
    its own idea, so that is not followed, and the key goes nowhere else.

    Args:
        url: Where its paths begin, for instance ``https://api.openai.com/v1``.
        key: Sent as a bearer token; in no error and no log.
        patience: How long it is waited for.

    Raises:
        InvalidOption: The address is none of the web.
    """

    def __init__(self, url: str, *, key: str | None = None, patience: Patience | None = None) -> None:
        self._url = checked_url(url, option="openai_url", allow_internal=True)
        self._key = key
        self._patience = patience if patience is not None else Patience()
        self._lock = threading.Lock()
        self._running: _Loop | None = None

    @property
    def host(self) -> str:
        """What it is called in errors: its host, and its port where that is not the usual one."""
        return self._url.host_port_subcomponent or ""

    def post(
        self, path: str, fields: Fields, sound: bytes, *, on_cancel: Callable[[Callable[[], None]], Callable[[], None]]
    ) -> bytes:
        """What the server answers to a recording.

        Args:
            path: Behind its address, for instance ``audio/transcriptions``.
            fields: The fields of the form.
            sound: A WAV file.
            on_cancel: Has a function called when the call is to be stopped, and returns what undoes that.

        Raises:
            Refused: It will not.
            EngineAway: It cannot be reached, or is too busy.
            EngineFailed: It answers what is too long.
            Cancelled: The call was stopped.
        """
        with self._lock:
            if self._running is None:
                self._running = _Loop()
            running = self._running
            future = running.begin(self._post(running, path, fields, sound))  # a loop that is closed begins nothing

        def stop() -> None:
            _ = future.cancel()

        undo = on_cancel(stop)
        try:
            return future.result()
        except concurrent.futures.CancelledError:
            raise Cancelled from None
        finally:
            undo()

    def close(self) -> None:
        """End all calls. The next one begins anew."""
        with self._lock:
            running, self._running = self._running, None
        if running is not None:
            running.close()

    async def _post(self, running: _Loop, path: str, fields: Fields, sound: bytes) -> bytes:
        again = tenacity.AsyncRetrying(
            retry=tenacity.retry_if_exception(self._may_pass),
            wait=self._wait_s,
            stop=tenacity.stop_after_attempt(self._patience.attempts),
            before_sleep=self._note,
            reraise=True,
        )
        try:
            return await again(self._attempt, running, path, fields, sound)
        except _Again as error:
            raise EngineAway(f"{self.host}: {error.reason}") from None

    def _may_pass(self, error: BaseException) -> bool:
        return isinstance(error, _Again) and error.after_s <= self._patience.longest_wait_s

    def _wait_s(self, state: tenacity.RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome is not None else None
        asked = error.after_s if isinstance(error, _Again) else 0.0
        return asked or self._patience.wait_s(state.attempt_number)

    def _note(self, state: tenacity.RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome is not None else None
        _log.warning("%s: attempt %d failed and is made again: %s", self.host, state.attempt_number, error)

    async def _attempt(self, running: _Loop, path: str, fields: Fields, sound: bytes) -> bytes:
        form = aiohttp.FormData()
        for name, value in fields:
            form.add_field(name, value)
        form.add_field("file", sound, filename="sound.wav", content_type="audio/wav")
        headers = {"Authorization": f"Bearer {self._key}"} if self._key else {}
        timeout = aiohttp.ClientTimeout(total=self._patience.answer_s, sock_connect=calls.CONNECT_S)
        try:
            async with running.session().post(
                self._url / path, data=form, headers=headers, timeout=timeout, allow_redirects=False
            ) as answer:
                body = await self._body(answer)
                if answer.status == HTTPStatus.OK:
                    return body
                raise self._refusal(answer, body)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise _Again(calls.reason(error)) from error

    async def _body(self, answer: aiohttp.ClientResponse) -> bytes:
        body = bytearray()
        async for piece in answer.content.iter_chunked(1 << 16):
            body += piece
            if len(body) > _MOST_ANSWER_BYTES:
                raise EngineFailed(f"{self.host} answered with more than {_MOST_ANSWER_BYTES >> 20} MB")
        return bytes(body)

    def _refusal(self, answer: aiohttp.ClientResponse, body: bytes) -> Exception:
        message, param = _fault(body)
        said = f"{message or answer.reason or 'no reason'}"[:_SHOWN]
        if self._key:
            said = said.replace(self._key, "***")
        if answer.status in _AGAIN:
            after_s = retry_after_s(answer.headers.get("Retry-After"))
            wait = f"; it wants to be asked again in {after_s:.0f} s" if after_s > self._patience.longest_wait_s else ""
            return _Again(f"status {answer.status}: {said}{wait}", after_s)
        if HTTPStatus.MULTIPLE_CHOICES <= answer.status < HTTPStatus.BAD_REQUEST:
            said = "it redirects to another address, which is not followed"
        return Refused(f"{self.host}: status {answer.status}: {said}", status=answer.status, param=param)


class _Loop:
    """An event loop in its own thread, with a session in it."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._session: aiohttp.ClientSession | None = None
        self._thread = threading.Thread(target=self._loop.run_forever, name="whispercore-openai", daemon=True)
        self._thread.start()

    def session(self) -> aiohttp.ClientSession:
        """For those who run in the loop."""
        if self._session is None:
            self._session = calls.session(allow_internal=True, read_s=calls.CONNECT_S, total_s=calls.CONNECT_S)
        return self._session

    def begin(self, work: Coroutine[Any, Any, _T]) -> concurrent.futures.Future[_T]:
        """Do something in the loop."""
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def close(self) -> None:
        """Cancel what runs, and end the thread."""
        self.begin(self._end()).result(_STOP_S)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_STOP_S)
        self._loop.close()

    async def _end(self) -> None:
        mine = asyncio.all_tasks() - {asyncio.current_task()}
        for task in mine:
            task.cancel()
        await asyncio.gather(*mine, return_exceptions=True)
        if self._session is not None:
            await self._session.close()


def _fault(body: bytes) -> tuple[str | None, str | None]:
    """The message of OpenAI's error body, and the field that it blames."""
    try:
        error = patiently(loads(body), _Refusal).error
    except ValueError:
        return None, None
    return (error.message, error.param) if isinstance(error, _Fault) else (error, None)
