"""Nothing in the trail is changed, taken out, put in or cut off unseen."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from tests.databases import opened
from tests.unit.audit.conftest import ALICE, Installation, event, execute, fill
from whispercore.audit.event import AuditEvent
from whispercore.audit.key import AuditKey
from whispercore.audit.row import hash_of
from whispercore.audit.trail import Audit
from whispercore.audit.verify import AS_STORED, verify
from whispercore.clock import SystemClock
from whispercore.database.session import Database
from whispercore.database.tables import audit_events, audit_head
from whispercore.ids import Uuid7Ids
from whispercore.testing import FakeClock


async def test_a_trail_that_nobody_touched_is_whole(installation: Installation, audit: Audit) -> None:
    await fill(audit, 5)
    await audit.close()
    found = await installation.verified(audit.database)
    assert found.is_whole
    assert (found.events, found.first, found.last) == (5, 1, 5)


async def test_an_empty_trail_is_whole(installation: Installation, audit: Audit) -> None:
    assert (await installation.verified(audit.database)).is_whole


COLUMNS = {column.name for column in audit_events.c} - {"position", "previous_hash", "hash"}


@pytest.mark.parametrize("column", sorted(COLUMNS))
async def test_each_column_is_under_the_hash(column: str, installation: Installation, audit: Audit) -> None:
    await fill(audit, 3)
    await execute(audit.database, f"UPDATE audit_events SET {column} = '7' WHERE position = 2")  # noqa: S608
    assert "event 2 was changed" in (await installation.verified(audit.database)).findings


TAMPERED = {
    "a changed event": (
        ["UPDATE audit_events SET username = 'mallory' WHERE position = 4"],
        "event 4 was changed",
    ),
    "bytes where a text was": (["UPDATE audit_events SET action = x'00ff' WHERE position = 4"], "event 4 was changed"),
    "a text where the time was": (["UPDATE audit_events SET at = 'noon' WHERE position = 4"], "event 4 was changed"),
    "two events exchanged": (
        [
            "UPDATE audit_events SET position = 99 WHERE position = 3",
            "UPDATE audit_events SET position = 3 WHERE position = 4",
            "UPDATE audit_events SET position = 4 WHERE position = 99",
        ],
        "event 3 was changed",
    ),
    "an event taken out": (["DELETE FROM audit_events WHERE position = 4"], "event 4 is missing"),
    "several taken out": (
        ["DELETE FROM audit_events WHERE position IN (3, 4, 5)"],
        "events 3 to 5 are missing",
    ),
    "the last ones cut off": (
        ["DELETE FROM audit_events WHERE position > 4"],
        "events 5 to 6 are missing",
    ),
    "the first ones cut off": (["DELETE FROM audit_events WHERE position < 3"], "events 1 to 2 are missing"),
    "an end cut off, and the head with it": (
        [
            "DELETE FROM audit_events WHERE position > 4",
            "UPDATE audit_head SET last = 4, last_hash = (SELECT hash FROM audit_events WHERE position = 4)",
        ],
        "the head of the trail is not as it was signed",
    ),
    "a beginning cut off, and the head with it": (
        [
            "DELETE FROM audit_events WHERE position < 3",
            "UPDATE audit_head SET first = 3",
            "UPDATE audit_head SET first_previous_hash = (SELECT previous_hash FROM audit_events WHERE position = 3)",
        ],
        "the head of the trail is not as it was signed",
    ),
    "the head taken away": (["DELETE FROM audit_head"], "the head of the trail is gone"),
    "everything taken away": (["DELETE FROM audit_events", "DELETE FROM audit_head"], "an older state was put back"),
    "an event put behind the end": (
        ["UPDATE audit_events SET position = 9 WHERE position = 6"],
        "event 9 is outside the trail",
    ),
}


@pytest.mark.parametrize("how", TAMPERED)
async def test_what_was_done_to_it_is_found(how: str, installation: Installation, audit: Audit) -> None:
    statements, finding = TAMPERED[how]
    await fill(audit, 6)
    await audit.close()
    await execute(audit.database, *statements)
    findings = (await installation.verified(audit.database)).findings
    assert any(one.startswith(finding) for one in findings), findings


async def test_an_event_with_a_hash_of_its_own_does_not_fit_in(installation: Installation, audit: Audit) -> None:
    """Whoever forges the hash of an event too has to forge all that follow, and cannot sign the head."""
    await fill(audit, 3)
    async with audit.database.write() as tx:
        rows = [dict(row._mapping) for row in await tx.execute(AS_STORED.order_by(audit_events.c.position))]
        previous = rows[1]["previous_hash"]
        rows[1]["username"] = "mallory"
        for row in rows[1:]:
            row["previous_hash"] = previous
            row["hash"] = previous = hash_of(row)
            changed: dict[str, Any] = {name: row[name] for name in ("username", "previous_hash", "hash")}
            await tx.execute(audit_events.update().where(audit_events.c.position == row["position"]).values(**changed))
    assert (await installation.verified(audit.database)).findings == ("event 3 is not the one that the head ends with",)


async def test_a_head_that_another_key_signed_is_none(installation: Installation, audit: Audit) -> None:
    await fill(audit, 2)
    await audit.close()
    other = AuditKey(text="another key that somebody chose")
    findings = (await verify(audit.database, other, audit.head_file)).findings
    assert findings[-1] == "the head of the trail is not as it was signed"


# ---------------------------------------------------------------- older states put back


async def test_an_older_database_put_back_is_found(installation: Installation, tmp_path: Path) -> None:
    """All in it fits together, down to the signature; only the file beside it knows better."""
    await appended(installation, 3)
    shutil.copy(installation.folder / "whispercore.db", tmp_path / "older")
    await appended(installation, 2)
    for file in installation.folder.glob("whispercore.db*"):
        file.unlink()
    shutil.copy(tmp_path / "older", installation.folder / "whispercore.db")
    async with installation.database() as database:
        (finding,) = (await installation.verified(database)).findings
    assert "from event 1 to 3" in finding
    assert "from 1 to 5" in finding


async def test_the_trail_tells_of_an_older_state_for_ever(installation: Installation, tmp_path: Path) -> None:
    """Also when the server has gone on since, and wrote more than was lost."""
    await appended(installation, 3)
    shutil.copy(installation.folder / "whispercore.db", tmp_path / "older")
    await appended(installation, 2)
    for file in installation.folder.glob("whispercore.db*"):
        file.unlink()
    shutil.copy(tmp_path / "older", installation.folder / "whispercore.db")
    await appended(installation, 7)
    async with installation.database() as database:
        found = await installation.verified(database)
        assert found.findings == ()
        assert not found.is_whole
        (told,) = found.recorded
        assert told.startswith("event 4: an older state was put back")
        assert (await installation.verified(database, known=4)).is_whole


async def test_a_machine_that_joins_others_has_no_copy_yet(postgres_url: str, tmp_path: Path) -> None:
    clock, key = FakeClock(), AuditKey(tmp_path / "audit.key")
    async with Database(postgres_url, clock=clock) as database:
        for machine in ("first", "second", "first"):
            folder = tmp_path / machine
            folder.mkdir(exist_ok=True)
            audit = Audit(database, clock=clock, ids=Uuid7Ids(clock), key=key, head_file=folder / "audit-head.json")
            await audit.open()
            await fill(audit, 2)
            await audit.close()
            assert (await verify(database, key, audit.head_file)).is_whole


async def test_a_copy_of_the_head_that_is_gone_is_missed(installation: Installation) -> None:
    await appended(installation, 3)
    installation.head_file.unlink()
    async with installation.database() as database:
        (finding,) = (await installation.verified(database)).findings
    assert finding.endswith("is gone")


@pytest.mark.parametrize(
    "content", ["", "[]", "{", '{"first": "x"}', "null", '{"first":1,"last":0}', "[" * 100_000, "\xff"]
)
async def test_a_copy_of_the_head_that_is_none_is_told(content: str, installation: Installation) -> None:
    await appended(installation, 3)
    installation.head_file.write_text(content, "latin-1")
    async with installation.database() as database:
        assert len((await installation.verified(database)).findings) == 1


async def test_a_copy_that_somebody_changed_is_told(installation: Installation) -> None:
    await appended(installation, 3)
    content = installation.head_file.read_text()
    installation.head_file.write_text(content.replace('"last": 3', '"last": 2'))
    async with installation.database() as database:
        (finding,) = (await installation.verified(database)).findings
    assert finding.endswith("is not as it was signed")


async def test_a_crash_before_the_copy_is_no_loss(installation: Installation, database: Database) -> None:
    """The database may be ahead of the file, as after a process was killed."""
    audit = installation.audit(database)
    await audit.open()
    await fill(audit, 2)
    await audit.close()
    killed = installation.audit(database)
    await fill(killed, 3)
    assert (await installation.verified(database)).is_whole
    again = installation.audit(database)
    await again.open()
    assert '"last": 5' in installation.head_file.read_text()
    await fill(again, 1)
    assert (await installation.verified(database)).is_whole


async def appended(installation: Installation, count: int) -> None:
    """A server that starts, notes some and ends."""
    async with installation.database() as database:
        await database.upgrade()
        audit = installation.audit(database)
        await audit.open()
        await fill(audit, count)
        await audit.close()


# ---------------------------------------------------------------- going on behind a break


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("UPDATE audit_head SET last = 2", "the head of the trail is not as it was signed"),
        ("DELETE FROM audit_head", "the head of the trail is gone"),
        ("DELETE FROM audit_events WHERE position = 3", "the newest events are gone"),
        ("UPDATE audit_head SET signature = 'é'", "the head of the trail is not as it was signed"),
    ],
)
async def test_acts_go_on_behind_a_trail_that_was_changed(
    statement: str, reason: str, installation: Installation, audit: Audit
) -> None:
    """Nobody stops a server by changing its trail; and the break is told by the trail itself."""
    await fill(audit, 3)
    await audit.close()
    await execute(audit.database, statement)
    other = installation.audit(audit.database)
    await fill(other, 2)
    found = await installation.verified(audit.database)
    assert [one.partition(": ")[2] for one in found.recorded] == [reason]
    rows = await audit.database.rows(select(audit_events.c.action).order_by(audit_events.c.position))
    assert [row.action for row in rows][-2:] == ["act 1", "act 2"]


async def test_a_head_of_yesterday_does_not_stop_the_server(installation: Installation, audit: Audit) -> None:
    """Its signature is good, but there are events behind it already."""
    await fill(audit, 2)
    (old,) = await audit.database.rows(select(audit_head))
    await fill(audit, 2)
    await execute(
        audit.database,
        f"UPDATE audit_head SET last = {old.last}, last_hash = '{old.last_hash}', signature = '{old.signature}'",  # noqa: S608
    )
    await fill(audit, 1)
    (told,) = (await installation.verified(audit.database)).recorded
    assert told == "event 5: there are events behind the head of the trail"


async def test_a_restored_trail_is_taken_over_by_decision(installation: Installation, audit: Audit) -> None:
    """As after a restored backup: another key, no copy, and one event that says so."""
    await fill(audit, 3)
    await audit.close()
    (installation.folder / "audit.key").unlink()
    installation.head_file.unlink()
    restored = installation.audit(audit.database)
    await restored.take_over(ALICE, AuditEvent(event_type="backup_restored", action="restore a backup"))
    found = await installation.verified(audit.database)
    assert found.is_whole
    assert found.last == 4


async def test_without_a_file_beside_it_the_chain_alone_counts() -> None:
    key = AuditKey()
    async with opened("sqlite+aiosqlite://") as database:
        audit = Audit(database, clock=SystemClock(), ids=Uuid7Ids(), key=key)
        await audit.open()
        audit.note(ALICE, event())
        await audit.close()
        assert (await verify(database, key, None)).is_whole
