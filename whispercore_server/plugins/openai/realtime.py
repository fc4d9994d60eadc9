"""Answers of ``api.openai.realtime``."""

from __future__ import annotations

import asyncio
import base64
import binascii
import logging
from collections.abc import Iterable
from datetime import timedelta
from http import HTTPStatus
from typing import Final

from attrs import define, evolve, field

from whispercore.api.openai import realtime as api
from whispercore.api.openai.realtime import (
    ConnectRealtime,
    FromRealtime,
    Realtime,
    RealtimeError,
    ToRealtime,
    realtime_error,
)
from whispercore.api.openai.realtime_session import Session, SessionAudio
from whispercore.contract.status import status_of
from whispercore.database.undisturbed import undisturbed
from whispercore.errors import (
    InternalError,
    InvalidOption,
    InvalidRequest,
    ModelNotAvailable,
    NotFound,
    Unavailable,
    WhispercoreError,
)
from whispercore.people.caller import Caller
from whispercore_server.live_sessions import Held
from whispercore_server.plugin import Socket, serves
from whispercore_server.plugins.openai.client_secrets import laid_down
from whispercore_server.plugins.openai.items import EventIds, Items
from whispercore_server.plugins.openai.realtime_session import Wanted
from whispercore_server.ports import Ports

_log = logging.getLogger(__name__)
_INVALID: Final = "invalid_request_error"


@define
class RealtimeHandlers:
    """Transcribes sound while it is spoken, for programs that were written for OpenAI."""

    ports: Ports

    @serves(Realtime.connect)
    async def connect(self, request: ConnectRealtime, caller: Caller, socket: Socket[FromRealtime, ToRealtime]) -> None:
        """One session; it ends with its connection."""
        ids = EventIds(self.ports.ids.new())
        connection: _Connection | None = None
        try:
            wanted = await Wanted.first(request.model, self.ports, laid_down(caller))
            connection = _Connection(self.ports, caller, socket, ids, wanted)
            await connection.run()
        except WhispercoreError as error:
            if status_of(error) == HTTPStatus.INTERNAL_SERVER_ERROR:
                _log.error("realtime session %s failed", ids.session_id, exc_info=error)
                error = InternalError()
            shown = realtime_error(error)
            for message in connection.items.failed(shown) if connection is not None and connection.items else ():
                await socket.send(message)
            await socket.send(api.SomethingFailed(event_id=ids.event(), error=shown))


@define(eq=False)
class _Connection:
    """A connection, and the session of ours behind it: another one whenever it is to transcribe otherwise."""

    ports: Ports
    caller: Caller
    socket: Socket[FromRealtime, ToRealtime]
    ids: EventIds
    wanted: Wanted
    _longest: timedelta = field(init=False)
    _expires_at: int = field(init=False)
    items: Items | None = field(default=None, init=False)
    """Of the session that is told of."""
    _held: Held | None = field(default=None, init=False)
    """The session that hears; None until sound comes in."""
    _heard_s: float = field(default=0.0, init=False)
    """How long those before it have heard."""
    _begun: asyncio.Queue[tuple[Held, Items] | None] = field(factory=asyncio.Queue, init=False)
    """What is told of, one after the other; None behind the last."""

    def __attrs_post_init__(self) -> None:
        self._longest = timedelta(minutes=self.ports.settings.live_minutes)
        self._expires_at = int((self.ports.clock.now() + self._longest).timestamp())

    async def run(self) -> None:
        """Until the client goes away, or the session ends. However often it is changed, it lasts no longer than one.

        Raises:
            WhispercoreError: What ended it.
        """
        await self.socket.send(api.SessionCreated(event_id=self.ids.event(), session=self._session))
        receiving, telling = asyncio.ensure_future(self._receive()), asyncio.ensure_future(self._tell())
        lasting = asyncio.ensure_future(self.ports.clock.sleep(self._longest.total_seconds()))
        working = (receiving, telling, lasting)
        try:
            done, _ = await asyncio.wait(working, return_when=asyncio.FIRST_COMPLETED)
            if done == {lasting}:
                await self._expire(receiving, telling)
            for one in done:
                one.result()
        finally:
            await undisturbed(self._end(working))

    async def _end(self, working: Iterable[asyncio.Future[None]]) -> None:
        for one in working:
            one.cancel()
        await asyncio.gather(*working, return_exceptions=True)
        if self._held is not None:
            await self.ports.live.leave(self._held)

    async def _expire(self, receiving: asyncio.Future[None], telling: asyncio.Future[None]) -> None:
        """Take nothing more in, and tell what was said until now."""
        receiving.cancel()
        await asyncio.wait((receiving,))
        if self._held is not None:
            await self._held.end("limit")
        self._begun.put_nowait(None)
        await telling

    @property
    def _session(self) -> Session:
        return Session(
            id=f"sess_{self.ids.session_id}",
            expires_at=self._expires_at,
            audio=SessionAudio(input=self.wanted.input),
            include=self.wanted.include,
        )

    # ------------------------------------------------------------ what comes in

    async def _receive(self) -> None:
        while True:
            try:
                async for message in self.socket:
                    await self._heed(message)
            except InvalidRequest as error:  # it is no event; the next one may be
                await self._refuse(realtime_error(error))
            else:
                return

    async def _heed(self, message: ToRealtime) -> None:
        try:
            match message:
                case api.AppendSound(audio=audio):
                    sound = _decoded(audio)
                    await self.ports.live.take(await self._hearing(), sound)
                case api.CommitSound():
                    await self._commit(message)
                case api.ClearSound():
                    if self._held is not None and self._held.reason is None:
                        await self._held.session.clear()
                    await self.socket.send(api.SoundCleared(event_id=self.ids.event()))
                case api.UpdateSession(session=change):
                    await self._update(await self.wanted.changed(change, self.ports))
        except (InvalidRequest, InvalidOption, NotFound, ModelNotAvailable) as error:
            await self._refuse(evolve(realtime_error(error), event_id=message.event_id))

    async def _hearing(self) -> Held:
        if self._held is None:
            self._held = held = await self.ports.live.open(self.wanted.new(), self.caller)
            items = Items(
                ids=self.ids,
                begins_s=self._heard_s,
                detects_turns=self.wanted.input.turn_detection is not None,
                logprobs=bool(self.wanted.include),
                language=lambda: held.session.language_code,
            )
            self._begun.put_nowait((held, items))
        return self._held

    async def _commit(self, message: ToRealtime) -> None:
        if self._held is None or (self._held.reason is None and not await self._held.session.flush()):
            await self._refuse(
                RealtimeError(
                    type=_INVALID,
                    code="input_audio_buffer_commit_empty",
                    message="there is no sound that could be committed",
                    event_id=message.event_id,
                )
            )

    async def _update(self, wanted: Wanted) -> None:
        """What came in before is transcribed to its end; what comes in is heard by another session of ours."""
        held = self._held
        if wanted != self.wanted and held is not None and held.reason is None:
            await held.end("finished")
            await held.over.wait()
            self._heard_s += held.session.heard_s
            self._held = None
        self.wanted = wanted
        await self.socket.send(api.SessionUpdated(event_id=self.ids.event(), session=self._session))

    async def _refuse(self, error: RealtimeError) -> None:
        await self.socket.send(api.SomethingFailed(event_id=self.ids.event(), error=error))

    # ------------------------------------------------------------ what goes out

    async def _tell(self) -> None:
        while (begun := await self._begun.get()) is not None:
            held, items = begun
            items.previous_id = self.items.previous_id if self.items is not None else None
            self.items = items
            async for one in held.session.events():
                for message in items.told(one.event):
                    await self.socket.send(message)
            if held.reason == "limit":
                break
            if held.reason != "finished":
                raise Unavailable("the server is about to end")
        expired = "the session has lasted as long as one may"
        await self._refuse(RealtimeError(type=_INVALID, code="session_expired", message=expired))


def _decoded(audio: str) -> bytes:
    try:
        return base64.b64decode(audio, validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidRequest.one("audio", f"it is not base64: {error}") from error
