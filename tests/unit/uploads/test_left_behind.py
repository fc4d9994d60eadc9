"""Uploads that somebody was finalizing who is no more."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from datetime import timedelta
from pathlib import Path

import pytest

from tests.live import settings_for
from whispercore.database.page import Slice
from whispercore.errors import Conflict
from whispercore.files.parts import Parts
from whispercore.testing import FakeClock
from whispercore.testing.making_jobs import ANN
from whispercore.uploads.finalizing import LEASE
from whispercore.uploads.session import NewUpload, Session, State
from whispercore_server.ports import Ports

CHUNK_BYTES = 1 << 16
CHUNKS = 2


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def ports(database_url: str, tmp_path: Path, clock: FakeClock) -> AsyncIterator[Ports]:
    ports = Ports.of(settings_for(tmp_path / "data", database_url=database_url), clock=clock)
    async with ports.opened():
        yield ports


@pytest.fixture
async def left(ports: Ports) -> Session:
    """An upload with its first chunk, which has just been claimed by somebody who is killed now."""
    new = NewUpload(
        filename="a.wav", content_type="audio/wav", size_bytes=CHUNKS * CHUNK_BYTES, chunk_bytes=CHUNK_BYTES
    )
    session = await ports.uploads.sessions.begin(new, ANN)
    await send(ports, session, 0)
    assert await ports.uploads.finalizing._claimed(session.id, "killed")
    return session


async def send(ports: Ports, session: Session, number: int) -> None:
    async def content() -> AsyncGenerator[bytes, None]:
        yield bytes(CHUNK_BYTES)

    await ports.uploads.chunks.receive(session.id, number, ANN, content())


async def states(ports: Ports, session: Session) -> list[State]:
    """In which it is found, beside the one that it tells of itself."""
    told = (await ports.uploads.sessions.owned(session.id, ANN)).state
    found = [state for state in State if (await ports.uploads.sessions.listed(ANN, (state,), Slice(0, 10))).total]
    return [told, *found]


async def cancel(ports: Ports, session: Session) -> None:
    await ports.uploads.sessions.cancel(session.id, ANN)


async def send_next(ports: Ports, session: Session) -> None:
    await send(ports, session, 1)


@pytest.mark.parametrize("act", [send_next, cancel])
async def test_it_goes_on_once_the_lease_is_over(
    ports: Ports, clock: FakeClock, left: Session, act: Callable[[Ports, Session], Awaitable[None]]
) -> None:
    clock.advance(LEASE.total_seconds() - 1)
    assert await states(ports, left) == [State.ASSEMBLING] * 2
    with pytest.raises(Conflict, match=r"assembling|finalized"):
        await act(ports, left)
    clock.advance(1)
    assert await states(ports, left) == [State.ACTIVE] * 2
    await act(ports, left)
    now = await ports.uploads.sessions.owned(left.id, ANN)
    assert (now.state, now.received_chunks) in {(State.ACTIVE, CHUNKS), (State.CANCELLED, 1)}


async def test_it_expires_and_leaves_nothing_behind(ports: Ports, clock: FakeClock, left: Session) -> None:
    staging = ports.settings.data / "files" / "staging"
    clock.advance(timedelta(days=30).total_seconds())
    assert await states(ports, left) == [State.EXPIRED] * 2
    assert [one.name for one in staging.iterdir()] == [left.id]
    assert await ports.uploads.sweep(clock.now()) == 1
    assert await states(ports, left) == [State.EXPIRED] * 2
    assert list(staging.iterdir()) == []


async def test_nobody_gives_up_what_is_being_finalized(ports: Ports, clock: FakeClock, left: Session) -> None:
    clock.advance(timedelta(days=30).total_seconds())
    assert await ports.uploads.finalizing._claimed(left.id, "somebody")
    assert await ports.uploads.sweep(clock.now()) == 0
    assert await states(ports, left) == [State.ASSEMBLING] * 2


async def test_what_is_cancelled_is_erased_by_the_next_start(
    ports: Ports, clock: FakeClock, left: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever cancels it is killed between its rows and its bytes."""

    async def killed(*_: object) -> None:
        raise KeyError

    clock.advance(LEASE.total_seconds())
    with monkeypatch.context() as patched:
        patched.setattr(Parts, "remove", killed)
        with pytest.raises(KeyError):
            await cancel(ports, left)
    staging = ports.settings.data / "files" / "staging"
    assert [one.name for one in staging.iterdir()] == [left.id]
    async with Ports.of(ports.settings, clock=clock).opened():
        assert list(staging.iterdir()) == []
