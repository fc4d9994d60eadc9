"""When sessions were last used."""

from __future__ import annotations

from datetime import datetime

import pytest
from sqlalchemy import select

from tests.people import People
from whispercore.database import tables
from whispercore.errors import Unavailable
from whispercore.people.seen import EVERY_S
from whispercore.people.users import User
from whispercore.testing import FakeClock


async def last_used(people: People) -> list[datetime]:
    return [row.last_used_at for row in await people.database.rows(select(tables.sessions.c.last_used_at))]


async def test_a_row_is_written_once_a_minute(people: People, ada: User, clock: FakeClock) -> None:
    session_id = (await people.enter()).session_id
    began = clock.now()
    for _ in range(5):
        clock.advance(10)
        people.seen.note(session_id)
    assert people.seen._writing is None
    assert await last_used(people) == [began]
    clock.advance(EVERY_S)
    people.seen.note(session_id)
    assert people.seen._writing is not None
    await people.seen._writing
    assert await last_used(people) == [clock.now()]
    people.seen.note("a session that is gone")
    await people.seen.close()


async def test_nothing_is_lost_while_the_database_is_busy(
    people: People, ada: User, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    session_id = (await people.enter()).session_id
    clock.advance(100)
    people.seen.note(session_id)
    with monkeypatch.context() as patch:

        def busy() -> None:
            raise Unavailable("busy")

        patch.setattr(people.database, "write", busy)
        await people.seen.close()
    assert await last_used(people) != [clock.now()]
    await people.seen.close()
    assert await last_used(people) == [clock.now()]
