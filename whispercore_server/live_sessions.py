"""Live sessions of this process. They outlive a connection that breaks, for a while."""

from __future__ import annotations

import asyncio
import collections
import logging
from collections.abc import AsyncIterator, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from typing import Any, Final, Literal

from attrs import define, field, frozen

from whispercore.clock import Clock
from whispercore.engines.pool import EnginePool
from whispercore.errors import Conflict, NotFound, Unavailable, WhispercoreError
from whispercore.ids import Ids
from whispercore.live.activity import THRESHOLD, detector
from whispercore.live.opening import start
from whispercore.live.options import LiveOptions
from whispercore.live.session import LiveSession
from whispercore.live.sound import Sound
from whispercore.live.utterances import Pauses
from whispercore.people.caller import Caller
from whispercore.tasks.live_recording import LiveRecording, LiveRecordings
from whispercore.tasks.options import TranscribeOptions
from whispercore_server.settings import ServerSettings

Reason = Literal["finished", "limit", "abandoned", "shutdown"]

_AHEAD_S: Final = 2.0
"""Sound may come in so much before its time, by the rate that is allowed: clients send in bursts."""
_LAST_S: Final = 5.0
"""At shutdown a session has so long to transcribe what came in."""
_log = logging.getLogger(__name__)


@frozen(kw_only=True)
class NewSession:
    """What a session is opened with."""

    options: TranscribeOptions
    """Its model can be used here."""
    sound: Sound
    partials: bool = True
    pauses: Pauses | None = field(factory=Pauses)
    """Which of them end utterances; None where only their sender does."""
    threshold: float = THRESHOLD
    """Probability from which it is a voice, 0 to 1."""
    store: bool = False
    """Whether it is kept as a job."""


@define(eq=False)
class Held:
    """A session and what is known of it here."""

    id: str
    caller: Caller
    session: LiveSession
    options: TranscribeOptions
    recording: LiveRecording | None
    over: asyncio.Event = field(factory=asyncio.Event)
    """Set once it is closed, and kept if that was asked for."""
    reason: Reason | None = None
    """Why it ended; None while it takes sound."""
    job_id: str | None = None
    failure: Exception | None = None
    """Why it could not be kept."""
    left: asyncio.Event | None = None
    """Of the connection that has it: set when another one takes it over."""
    connected: asyncio.Lock = field(factory=asyncio.Lock)
    """Held by the connection that has it."""
    waiting: asyncio.Task[None] | None = None
    """For a connection, after a cut."""
    due_s: float = 0.0
    """When the sound that came in is due, by the rate that is allowed."""
    _ending: asyncio.Task[None] | None = None

    async def end(self, reason: Reason) -> None:
        """No more sound comes in. Returns when all that came in is transcribed; a second end is the first.

        It ends even when whoever asked for it is cancelled.
        """
        if self._ending is None:
            self.reason = reason
            self._ending = asyncio.create_task(self.session.finish())
        await asyncio.shield(self._ending)


class LiveSessions:
    """Opens sessions, and finds them again.

    Args:
        settings: How many, how long, how fast.
        engines: What they listen with.
        recordings: Keeps those that are to be kept.
        clock: By whose time.
        ids: Names them.
    """

    def __init__(
        self, settings: ServerSettings, *, engines: EnginePool, recordings: LiveRecordings, clock: Clock, ids: Ids
    ) -> None:
        self._settings = settings
        self._engines = engines
        self._recordings = recordings
        self._clock = clock
        self._ids = ids
        self._listening = ThreadPoolExecutor(1, "live activity")
        self._held: dict[str, Held] = {}
        self._opening: collections.Counter[str] = collections.Counter()
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False

    async def open(self, new: NewSession, caller: Caller) -> Held:
        """A new session.

        Raises:
            Conflict: The caller has as many as he may.
            ModelError: The model cannot be had.
            EngineError: The engine cannot be had.
            StorageFull: There is no room to keep it.
            Unavailable: The server is about to end.
        """
        if self._closed:
            raise Unavailable("the server is about to end")
        most, owner = self._settings.live_sessions, caller.user_id
        if self._opening[owner] + sum(one.caller.user_id == owner and not one.over.is_set() for one in self) >= most:
            raise Conflict(f"no more than {most} live sessions of one user can be open")
        self._opening[owner] += 1
        try:
            held = await self._opened(new, caller)
        finally:
            self._opening -= collections.Counter({owner: 1})  # which keeps no zeros
        if self._closed:  # meanwhile
            await held.session.close()
            raise Unavailable("the server is about to end")
        self._held[held.id] = held
        _ = self._spawn(self._attend(held))
        return held

    def find(self, session_id: str, caller: Caller) -> Held:
        """A session of the caller's, which may be over since a moment ago.

        Raises:
            NotFound: He has none of this id.
        """
        held = self._held.get(session_id)
        if held is None or held.caller.user_id != caller.user_id:
            raise NotFound("live session", session_id)
        return held

    @asynccontextmanager
    async def attached(self, held: Held) -> AsyncIterator[asyncio.Event]:
        """Be the connection of a session, once the one that was it before has left: its event is set.

        So what the other one was just taking in is counted when this one tells its client where to go on.
        """
        if held.left is not None:
            held.left.set()
        if held.waiting is not None:
            held.waiting.cancel()
        held.left = mine = asyncio.Event()
        try:
            async with held.connected:
                yield mine
        finally:
            if held.left is mine:
                held.left = None
                if held.reason is None and not held.over.is_set() and not self._closed:
                    held.waiting = self._spawn(self._abandon(held))

    async def take(self, held: Held, data: bytes) -> None:
        """Take sound in, as fast as is allowed and the engine can follow; what comes after the end is passed over.

        Raises:
            WhispercoreError: What ended the session.
        """
        if held.reason is not None:
            return
        now = self._clock.monotonic()
        held.due_s = max(now, held.due_s) + len(data) / (self._settings.live_kb_per_s << 10)
        await held.session.feed(data)
        if held.due_s - now > _AHEAD_S:
            await self._clock.sleep(held.due_s - now - _AHEAD_S)
        if held.session.heard_s >= self._settings.live_minutes * 60:
            await held.end("limit")

    async def leave(self, held: Held) -> None:
        """End a session at once, with what waits for the engine: nobody comes back for it."""
        held.reason = held.reason or "abandoned"
        await held.session.close()
        await held.over.wait()

    async def close(self) -> None:
        """End all sessions, each with what came in; then no more are opened."""
        self._closed = True
        ending = [asyncio.ensure_future(held.end("shutdown")) for held in self if not held.over.is_set()]
        if ending:
            await asyncio.wait(ending, timeout=_LAST_S)
        for one in ending:
            one.cancel()
        await asyncio.gather(*ending, return_exceptions=True)
        for held in self:
            if not held.session.is_finished:
                await held.session.close()
            await held.over.wait()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._listening.shutdown(wait=False)  # nothing asks it any more

    # ------------------------------------------------------------ a session's life

    def __iter__(self) -> Iterator[Held]:
        return iter(tuple(self._held.values()))

    async def _opened(self, new: NewSession, caller: Caller) -> Held:
        sound: Sound = new.sound
        recording: LiveRecording | None = None
        if new.store:
            sound = recording = await self._recordings.record(sound, began_at=self._clock.now())
        pauses = new.pauses if new.pauses is not None else Pauses()
        try:
            session = await start(
                new.options.model,
                sound=sound,
                activity=await asyncio.to_thread(detector, new.threshold) if new.pauses is not None else None,
                options=LiveOptions(
                    decoding=new.options.decoding,
                    hallucinations=new.options.hallucinations,
                    partials=new.partials,
                    pauses=pauses,
                ),
                engine=new.options.engine,
                settings=self._settings.for_jobs,
                pool=self._engines,
                threads=self._listening,
            )
        except BaseException:
            await sound.close()
            raise
        return Held(id=self._ids.new(), caller=caller, session=session, options=new.options, recording=recording)

    async def _attend(self, held: Held) -> None:
        """Bring a session to its end, keep it, and forget it when nobody can come back for it."""
        try:
            async with asyncio.timeout(self._settings.live_minutes * 60):
                await held.session.wait()
        except TimeoutError:
            with suppress(Exception):  # whoever reads its events is told
                await held.end("limit")
        try:
            await self._conclude(held)
            await self._clock.sleep(self._settings.live_grace_s)
        finally:
            self._held.pop(held.id, None)

    async def _conclude(self, held: Held) -> None:
        try:
            if held.recording is not None and held.session.is_finished:
                keep = self._recordings.keep
                job = await keep(held.recording, held.session.transcript, held.options, held.caller)
                held.job_id = job.id
        except Exception as error:  # noqa: BLE001 (whoever waits for the end is told)
            held.failure = error
            _log.warning("live session %s could not be kept", held.id, exc_info=error)
        finally:
            try:
                await held.session.close()
            finally:
                held.over.set()

    async def _abandon(self, held: Held) -> None:
        await self._clock.sleep(self._settings.live_grace_s)
        try:
            await held.end("abandoned")
        except WhispercoreError as error:
            _log.info("live session %s ended with an error after a cut", held.id, exc_info=error)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task
