"""A trail of its own in a file, by a clock that stands still."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from attrs import field, frozen
from sqlalchemy import text

from tests.sqlite import sqlite_at
from whispercore.audit.event import AuditEvent
from whispercore.audit.key import AuditKey
from whispercore.audit.trail import Audit, Watcher
from whispercore.audit.verify import Verified, verify
from whispercore.database.session import Database
from whispercore.ids import Uuid7Ids
from whispercore.people.caller import Caller, RequestInfo
from whispercore.testing import FakeClock

ALICE = Caller(
    user_id="u1",
    username="alice",
    scopes=frozenset(),
    via="token",
    request=RequestInfo(address="192.0.2.7", user_agent="curl/8", request_id="r1"),
)


def event(action: str = "create a job") -> AuditEvent:
    return AuditEvent(event_type="job_created", action=action, resource_type="job", resource_id="j1")


@frozen
class Installation:
    """A data folder, as several processes may have it open."""

    folder: Path
    clock: FakeClock = field(factory=FakeClock)

    @property
    def head_file(self) -> Path:
        return self.folder / "audit-head.json"

    @property
    def key(self) -> AuditKey:
        return AuditKey(self.folder / "audit.key")

    def database(self) -> Database:
        return Database(f"sqlite+aiosqlite:///{self.folder / 'whispercore.db'}", clock=self.clock)

    def audit(self, database: Database, watcher: Watcher | None = None) -> Audit:
        return Audit(
            database,
            clock=self.clock,
            ids=Uuid7Ids(self.clock),
            key=self.key,
            head_file=self.head_file,
            watcher=watcher,
        )

    async def verified(self, database: Database, known: int = 0) -> Verified:
        audit = self.audit(database)
        return await verify(database, audit.key, audit.head_file, known=known)


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    return Installation(tmp_path)


@pytest.fixture
async def database(installation: Installation, tmp_path: Path) -> AsyncIterator[Database]:
    sqlite_at(tmp_path / "whispercore.db")
    async with installation.database() as database:
        yield database


@pytest.fixture
async def audit(installation: Installation, database: Database) -> AsyncIterator[Audit]:
    audit = installation.audit(database)
    await audit.open()
    yield audit
    await audit.close()


async def execute(database: Database, *statements: str) -> None:
    """What somebody does who can write to the database."""
    async with database.write() as tx:
        for statement in statements:
            await tx.execute(text(statement))


async def fill(audit: Audit, count: int) -> None:
    for number in range(count):
        async with audit.database.write() as tx:
            await audit.append(tx, ALICE, event(f"act {number + 1}"))
