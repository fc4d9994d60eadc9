"""What live sessions do when they are cut off in the middle of something."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import cast

import numpy as np
import pytest
from attrs import define, field

from tests.live import settings_for
from tests.waiting import until
from whispercore.audio.windows import Samples
from whispercore.clock import SystemClock
from whispercore.engines.pool import EnginePool
from whispercore.errors import StorageFull, Unavailable
from whispercore.ids import Uuid7Ids
from whispercore.jobs.job import Job
from whispercore.live.sound import Pcm16, Sound
from whispercore.people.caller import Caller
from whispercore.tasks.live_recording import LiveRecording, LiveRecordings
from whispercore.tasks.options import TranscribeOptions
from whispercore.testing import ScriptedEngine
from whispercore_server.live_sessions import LiveSessions, NewSession

CALLER = Caller(user_id="ann", username="ann", scopes=frozenset())
FRAME = bytes(3200)


@define(eq=False)
class Held(Pcm16):
    """Takes sound in when the test lets it through, and remembers how much of it."""

    gate: asyncio.Event = field(factory=asyncio.Event)
    waiting: asyncio.Event = field(factory=asyncio.Event)
    taken_bytes: int = 0
    failure: Exception | None = None

    def __attrs_post_init__(self) -> None:
        super().__init__()

    async def samples(self, data: bytes) -> Samples:
        self.taken_bytes += len(data)
        await self._through()
        return await super().samples(data)

    async def rest(self) -> Samples:
        await self._through()
        return np.empty(0, np.float32)

    async def _through(self) -> None:
        self.waiting.set()
        await self.gate.wait()
        if self.failure is not None:
            raise self.failure


@define
class Recordings:
    """Goes wrong when something is to be kept."""

    failure: Exception

    async def record(self, sound: Sound, *, began_at: object) -> Sound:
        del began_at
        return sound

    async def keep(self, *_: object) -> Job:
        raise self.failure


@pytest.fixture
async def sessions(tmp_path: Path) -> AsyncIterator[LiveSessions]:
    settings = settings_for(tmp_path, live_grace_s=0)
    with EnginePool(find=lambda _: ScriptedEngine()) as pool:
        clock = SystemClock()
        recordings = cast("LiveRecordings", Recordings(OSError("the disk is gone")))
        opened = LiveSessions(settings, engines=pool, recordings=recordings, clock=clock, ids=Uuid7Ids(clock))
        yield opened
        await opened.close()
        await until(lambda: not list(opened))


def new(sound: Pcm16, *, store: bool = False) -> NewSession:
    options = TranscribeOptions(model="micro", language="en")
    return NewSession(options=options, sound=sound, partials=False, store=store)


async def test_who_takes_over_begins_when_the_other_one_has_left(sessions: LiveSessions) -> None:
    sound = Held()
    held = await sessions.open(new(sound), CALLER)
    begun = asyncio.Event()
    told: list[int] = []

    async def first() -> None:
        async with sessions.attached(held) as left:
            taking = asyncio.ensure_future(sessions.take(held, FRAME))
            begun.set()
            await left.wait()
            taking.cancel()
            await asyncio.wait((taking,))

    async def second() -> None:
        async with sessions.attached(held):
            told.append(held.session.received_bytes)

    one = asyncio.create_task(first())
    await begun.wait()
    await sound.waiting.wait()
    other = asyncio.create_task(second())
    await asyncio.sleep(0)
    sound.gate.set()
    await asyncio.gather(one, other)
    assert told == [sound.taken_bytes] == [len(FRAME)]


async def test_an_end_is_one_even_when_whoever_asked_for_it_is_gone(sessions: LiveSessions) -> None:
    sound = Held()
    held = await sessions.open(new(sound), CALLER)
    asking = asyncio.create_task(held.end("finished"))
    await sound.waiting.wait()
    asking.cancel()
    await asyncio.wait((asking,))
    sound.gate.set()
    await held.over.wait()
    assert held.session.is_finished
    assert held.reason == "finished"


async def test_what_cannot_be_kept_is_told_whatever_the_reason_and_forgotten(sessions: LiveSessions) -> None:
    held = await sessions.open(new(Pcm16(), store=True), CALLER)
    held.recording = cast("LiveRecording", held.session)
    await held.end("finished")
    await held.over.wait()
    assert isinstance(held.failure, OSError)
    await until(lambda: not list(sessions))


async def test_a_session_whose_sound_cannot_be_kept_ends(sessions: LiveSessions) -> None:
    sound = Held(failure=StorageFull())
    sound.gate.set()
    held = await sessions.open(new(sound), CALLER)
    with pytest.raises(StorageFull):
        await sessions.take(held, FRAME)
    await held.over.wait()
    with pytest.raises(StorageFull):
        await anext(aiter(held.session.events()))


async def test_none_is_opened_while_the_server_ends(sessions: LiveSessions, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = sessions._opened

    async def slowly(*arguments: object) -> object:
        held = await opened(*arguments)  # type: ignore[arg-type]
        await sessions.close()
        return held

    monkeypatch.setattr(sessions, "_opened", slowly)
    with pytest.raises(Unavailable):
        await sessions.open(new(Pcm16()), CALLER)
    assert [task.get_name() for task in asyncio.all_tasks() if "live" in task.get_name()] == []
