"""Sending messages to webhooks: what is due, not too much at once, and nobody's slowness in another's way."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from http import HTTPStatus
from typing import Final

import aiohttp
from sqlalchemy.exc import SQLAlchemyError

from whispercore.clock import Clock, happens
from whispercore.database.undisturbed import undisturbed
from whispercore.errors import InvalidOption, RequestError
from whispercore.outgoing import calls
from whispercore.outgoing.addresses import checked_url
from whispercore.people.token_key import TokenKey
from whispercore.webhooks import signing
from whispercore.webhooks.deliveries import Claimed, Deliveries, Outcome

EVERY_S: Final = 1.0
"""How often it is looked for what is due, also what other processes bring about."""
MOST: Final = 16
"""Messages that one process sends at once."""
TOTAL_S: Final = 15.0
"""How long one may take."""
_MOST_ANSWER_BYTES: Final = 64 << 10
_log = logging.getLogger(__name__)


class Sender:
    """Sends them.

    Args:
        deliveries: Where they are.
        clock: By whose time.
        token_key: One half of what they are signed with.
        allow_internal: Whether addresses that are not of the internet may be called.
    """

    def __init__(self, deliveries: Deliveries, *, clock: Clock, token_key: TokenKey, allow_internal: bool) -> None:
        self._deliveries = deliveries
        self._clock = clock
        self._token_key = token_key
        self._allow_internal = allow_internal
        self._woken = asyncio.Event()
        self._sending: set[asyncio.Task[None]] = set()

    def wake(self) -> None:
        """There may be something to send."""
        self._woken.set()

    async def run(self) -> None:
        """Send what is due, until cancelled. What is on its way then is given back, to be sent again."""
        try:
            while True:
                self._woken.clear()
                try:
                    await self.begin()
                except (RequestError, SQLAlchemyError, OSError) as error:  # a full disk, a busy database: the next time
                    _log.warning("webhooks have to wait: %s", error)
                _ = await happens(self._woken, self._clock, EVERY_S)
        finally:
            for task in self._sending:
                task.cancel()
            await asyncio.gather(*self._sending, return_exceptions=True)

    async def begin(self) -> int:
        """Begin to send what is due, as far as there is room.

        Returns:
            How many messages were begun.
        """
        while await self._deliveries.dispatch():
            pass
        claimed = await self._deliveries.claim(MOST - len(self._sending))
        for one in claimed:
            task = asyncio.create_task(self._send(one), name=f"webhook message {one.id}")
            self._sending.add(task)
            task.add_done_callback(self._sent)
        return len(claimed)

    async def settled(self) -> None:
        """Wait until nothing is on its way."""
        while self._sending:
            await asyncio.wait(self._sending)

    def _sent(self, task: asyncio.Task[None]) -> None:
        self._sending.discard(task)
        self.wake()
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("the %s will be sent again", task.get_name(), exc_info=error)

    async def _send(self, claimed: Claimed) -> None:
        try:
            outcome = await self._post(claimed)
        except asyncio.CancelledError:
            with suppress(RequestError):  # its lease ends by itself
                await undisturbed(self._deliveries.give_back(claimed))
            raise
        await undisturbed(self._deliveries.settle(claimed, outcome))  # what has arrived is not sent again

    async def _post(self, claimed: Claimed) -> Outcome:
        token_key = await asyncio.to_thread(self._token_key.secret)
        body = claimed.body.encode()
        keys = [signing.whole(token_key, half) for half in claimed.halves]
        headers = signing.headers(claimed.id, self._clock.now(), body, keys)
        try:
            url = checked_url(claimed.url, option="url", allow_internal=self._allow_internal)
            async with (
                calls.session(allow_internal=self._allow_internal, read_s=TOTAL_S, total_s=TOTAL_S) as session,
                session.post(url, data=body, headers=headers, allow_redirects=False) as answer,
            ):
                await _thrown_away(answer)
                return _judged(answer.status)
        except InvalidOption as error:
            return Outcome(error=error.reason)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            return Outcome(error=calls.reason(error))
        except ValueError:  # of a resolver or a codec that finds no sense in the host
            return Outcome(error="it is not an address of the web")


async def _thrown_away(answer: aiohttp.ClientResponse) -> None:
    """Let the receiver finish what it says, within reason; whether it took the message, its status has said already."""
    left = _MOST_ANSWER_BYTES
    with suppress(aiohttp.ClientError, TimeoutError, OSError):
        while left > 0 and (piece := await answer.content.read(left)):
            left -= len(piece)


def _judged(status: int) -> Outcome:
    if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        return Outcome(status=status)
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        return Outcome(status=status, error=f"it answered with status {status}, and redirects are not followed")
    return Outcome(status=status, error=f"it answered with status {status}")
