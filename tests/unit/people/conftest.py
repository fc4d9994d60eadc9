"""People in a database of their own, by a clock that stands still."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.databases import opened
from tests.people import PASSWORD, People
from tests.remembering_hasher import remember
from whispercore.database.session import Database
from whispercore.people.keys import Keys
from whispercore.people.passwords import Passwords
from whispercore.people.tokens import Tokens
from whispercore.people.users import User, Users
from whispercore.testing import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def database(database_url: str, clock: FakeClock) -> AsyncIterator[Database]:
    async with opened(database_url, clock) as database:
        yield database


@pytest.fixture
def passwords() -> Iterator[Passwords]:
    passwords = Passwords()
    remember(passwords)
    yield passwords
    passwords.close()


@pytest.fixture
async def people(database: Database, passwords: Passwords, clock: FakeClock, tmp_path: Path) -> AsyncIterator[People]:
    people = People.at(database, passwords, clock, tmp_path)
    yield people
    await people.close()


@pytest.fixture
async def elsewhere(
    database: Database, passwords: Passwords, clock: FakeClock, tmp_path: Path
) -> AsyncIterator[People]:
    """The same, as another process has it."""
    people = People.at(database, passwords, clock, tmp_path)
    yield people
    await people.close()


@pytest.fixture
def users(people: People) -> Users:
    return people.users


@pytest.fixture
def tokens(people: People) -> Tokens:
    return people.tokens


@pytest.fixture
def keys(people: People) -> Keys:
    return people.keys


@pytest.fixture
async def ada(users: Users) -> User:
    return await users.register("ada", PASSWORD)
