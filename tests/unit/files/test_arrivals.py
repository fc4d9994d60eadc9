"""Files that are coming in under an id that their sender chose, as other processes see them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import UTC, datetime

import pytest
from attrs import evolve

from tests.unit.files.bytes_of_files import THREE_PARTS, kept, sample, stored
from tests.waiting import until
from whispercore.audio.joined import opened
from whispercore.database.session import Database
from whispercore.errors import Conflict
from whispercore.events import LocalEvents
from whispercore.files.arrivals import _RENEW_S, ALIVE, Arrival, Arrivals
from whispercore.files.blobs import Blobs
from whispercore.files.files import Files
from whispercore.files.sweep import Swept
from whispercore.ids import Uuid7Ids
from whispercore.people.caller import Caller
from whispercore.testing import FakeClock

ANN = Caller(user_id="ann", username="ann", scopes=frozenset())
BOB = Caller(user_id="bob", username="bob", scopes=frozenset())
ID = "0190c5a4-0000-7000-8000-000000000000"
_AT_ONCE = 8


@pytest.fixture
def arrivals(database: Database, clock: FakeClock) -> Arrivals:
    return Arrivals(database, LocalEvents(), clock=clock, ids=Uuid7Ids(clock))


@pytest.fixture
def elsewhere(database: Database, clock: FakeClock) -> Arrivals:
    """Those of another process, which hears of nothing by itself."""
    return Arrivals(database, LocalEvents(), clock=clock, ids=Uuid7Ids(clock))


async def told_again(arrivals: Arrivals, clock: FakeClock) -> None:
    """Let so much time pass that it is told how much has come."""
    with arrivals._events.subscribe(ID) as subscription:
        while True:
            clock.advance(_RENEW_S)
            with suppress(TimeoutError):  # it was not asleep yet
                async with asyncio.timeout(1):
                    return await subscription.moved()


async def told(arrivals: Arrivals, clock: FakeClock, received_bytes: int) -> None:
    """The same until it is so much, or it is gone."""
    while (found := await arrivals.find(ID, ANN)) is not None and found.received_bytes != received_bytes:
        await told_again(arrivals, clock)


async def test_how_much_has_come_is_told_to_its_owner(
    arrivals: Arrivals, elsewhere: Arrivals, clock: FakeClock
) -> None:
    async with arrivals.arriving(ID, ANN, 100) as receipt:
        assert await elsewhere.find(ID, ANN) == Arrival(file_id=ID, size_bytes=100, received_bytes=0)
        receipt.received(40)
        await told(arrivals, clock, 40)
        found = await elsewhere.find(ID, ANN)
        assert found is not None
        assert found.progress == 0.4
        assert await elsewhere.find(ID, BOB) is None
        assert await elsewhere.find(ID, evolve(BOB, is_admin=True)) == found
        receipt.received(80)
        await told(arrivals, clock, 120)
        found = await elsewhere.find(ID, ANN)
        assert found is not None
        assert found.progress == 0.99, "more than was announced, and it is not there yet"
    assert await elsewhere.find(ID, ANN) is None


async def test_a_size_that_nobody_knows_gives_no_progress(arrivals: Arrivals) -> None:
    async with arrivals.arriving(ID, ANN, None):
        found = await arrivals.find(ID, ANN)
        assert found is not None
        assert found.progress == 0.0


async def test_of_two_receivers_of_one_id_each_has_its_own_place(  # noqa: PLR0917 (fixtures come as they are named)
    arrivals: Arrivals,
    elsewhere: Arrivals,
    files: Files,
    database: Database,
    blobs: Blobs,
    clock: FakeClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The first stands still for so long that its row counts for nothing, and goes on when the second is done."""
    first, second = sample(THREE_PARTS), sample(THREE_PARTS)[::-1]

    async def stands_still(*_: object) -> bool:
        return True

    monkeypatch.setattr(arrivals, "_tell", stands_still)
    async with arrivals.arriving(ID, ANN, None), files.staging(name="first", file_id=ID) as stage:
        await stage.write(memoryview(first)[:-1])
        clock.advance(ALIVE.total_seconds())
        async with elsewhere.arriving(ID, BOB, None):
            await kept(files, database, second, BOB.user_id, file_id=ID)
        await stage.write(memoryview(first)[-1:])
        staged = await stage.finish()
        assert await stored(files, staged) == first
        async with files.local_copy(staged) as parts:
            with opened(parts.paths, parts.seal) as file:
                assert file.read() == first
        with pytest.raises(Conflict, match="kept already"):
            async with database.write() as tx:
                await files.keep(tx, staged, ANN.user_id)
        await files.discard(staged)
    assert await blobs.folders("staging") == ()
    assert await files.sweep(datetime.now(UTC)) == Swept()
    assert (await files.get(ID)).owner_id == BOB.user_id
    assert await stored(files, ID) == second


async def test_an_id_is_for_one_file(arrivals: Arrivals, elsewhere: Arrivals, files: Files, database: Database) -> None:
    async def nothing() -> AsyncIterator[bytes]:
        yield b"x"

    for caller in (ANN, BOB):
        async with arrivals.arriving(ID, ANN, 1):
            with pytest.raises(Conflict, match="taken"):
                async with elsewhere.arriving(ID, caller, 1):
                    pass
            assert await arrivals.find(ID, ANN) is not None, "the first one was disturbed"
    staged = await files.stage(nothing(), name="a", file_id=ID)
    assert staged.id == ID
    async with database.write() as tx:
        await files.keep(tx, staged, ANN.user_id)
    with pytest.raises(Conflict, match="taken"):
        async with arrivals.arriving(ID, ANN, 1):
            pass
    async with database.write() as tx:
        await files.delete(tx, ID)
    with pytest.raises(Conflict, match="taken"):  # what came in now would be erased with it
        async with arrivals.arriving(ID, ANN, 1):
            pass
    await files.erase(ID)
    async with arrivals.arriving(ID, ANN, 1):
        pass


@pytest.mark.usefixtures("blobs")
@pytest.mark.parametrize("blobs", ["disk", "memory"], indirect=True)  # with SQLite, and with PostgreSQL
async def test_of_many_at_once_one_has_the_id(arrivals: Arrivals, elsewhere: Arrivals) -> None:
    refused = asyncio.Semaphore(0)

    async def send(place: Arrivals) -> bool:
        try:
            async with place.arriving(ID, ANN, 1):
                for _ in range(_AT_ONCE - 1):
                    await refused.acquire()
        except Conflict:
            refused.release()
            return False
        return True

    for _ in range(5):
        goes_on = await asyncio.gather(*(send((arrivals, elsewhere)[number % 2]) for number in range(_AT_ONCE)))
        assert goes_on.count(True) == 1


async def test_a_receiver_that_is_gone_counts_for_nothing(
    arrivals: Arrivals, elsewhere: Arrivals, clock: FakeClock
) -> None:
    async with arrivals.arriving(ID, ANN, 1) as lost:
        clock._passed_s += ALIVE.total_seconds()
        assert await elsewhere.find(ID, ANN) is None
        async with elsewhere.arriving(ID, ANN, 2):
            await told_again(arrivals, clock)
            await until(lambda: lost.is_lost)
            with pytest.raises(Conflict):
                lost.received(1)
            found = await elsewhere.find(ID, ANN)
            assert found is not None
            assert found.size_bytes == 2


async def test_a_file_that_stands_still_is_still_coming(
    arrivals: Arrivals, elsewhere: Arrivals, clock: FakeClock
) -> None:
    async with arrivals.arriving(ID, ANN, 1):
        begun = clock.now()
        while clock.now() < begun + 2 * ALIVE:
            await told_again(arrivals, clock)
        assert await elsewhere.find(ID, ANN) is not None


async def test_rows_that_count_for_nothing_are_swept(arrivals: Arrivals, clock: FakeClock, database: Database) -> None:
    from sqlalchemy import func, select

    from whispercore.database.tables import arrivals as rows

    async def left() -> int:
        return int((await database.rows(select(func.count()).select_from(rows)))[0][0])

    async with arrivals.arriving(ID, ANN, 1):
        await arrivals.sweep()
        assert await left() == 1
        clock._passed_s += ALIVE.total_seconds()
        await arrivals.sweep()
        assert await left() == 0


async def test_a_follower_waits_for_it_to_begin_and_sees_its_end(arrivals: Arrivals, clock: FakeClock) -> None:
    begun = asyncio.Event()

    async def follow() -> AsyncIterator[int]:
        async for one in arrivals.follow(ID, ANN, patience_s=5.0):
            begun.set()
            yield one.received_bytes

    async def seen() -> list[int]:
        return [one async for one in follow()]

    following = asyncio.create_task(seen())
    await asyncio.sleep(0)
    async with arrivals.arriving(ID, ANN, 10) as receipt:
        await begun.wait()
        receipt.received(5)
        await told(arrivals, clock, 5)
    assert await following == [0, 5]


async def test_a_follower_does_not_wait_for_ever(arrivals: Arrivals) -> None:
    assert [one async for one in arrivals.follow(ID, ANN)] == []
