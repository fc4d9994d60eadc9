"""Noting: with the act or not at all; a moment later; from several processes; until the plug is pulled."""

from __future__ import annotations

import asyncio
import json
import shutil
import signal
import sys
from asyncio.subprocess import PIPE
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from sqlalchemy import Row, select
from sqlalchemy.ext.asyncio import AsyncConnection

from tests.unit.audit.conftest import ALICE, Installation, event, execute, fill
from tests.waiting import until
from whispercore.audit.chain import Written
from whispercore.audit.event import EVENT_TYPES, AuditEvent
from whispercore.audit.noted import ALIKE, MOST
from whispercore.audit.retention import prune
from whispercore.audit.trail import FLUSH_S, Audit
from whispercore.database.session import Database
from whispercore.database.tables import audit_events
from whispercore.errors import InvalidOption, Unavailable
from whispercore.people.caller import RequestInfo

ROOT = Path(__file__).parents[3]


async def rows(audit: Audit) -> Sequence[Row[Any]]:
    return await audit.database.rows(select(audit_events).order_by(audit_events.c.position))


async def test_an_event_says_who_did_what_when_from_where_and_how_it_ended(audit: Audit) -> None:
    async with audit.database.write() as tx:
        await audit.append(
            tx,
            ALICE,
            AuditEvent(
                event_type="role_change",
                action="make an administrator",
                severity="high",
                outcome="failure",
                resource_type="user",
                resource_id="u2",
                details={"from": "user", "times": 2, "ok": False, "share": 0.5},
                risk_score=4,
                blocked=True,
                response_status=403,
            ),
        )
    (row,) = await rows(audit)
    assert (row.user_id, row.username, row.via) == ("u1", "alice", "token")
    assert (row.address, row.user_agent, row.request_id) == ("192.0.2.7", "curl/8", "r1")
    assert (row.event_type, row.severity, row.outcome, row.action) == (
        "role_change",
        "high",
        "failure",
        "make an administrator",
    )
    assert (row.resource_type, row.resource_id, row.risk_score, row.blocked) == ("user", "u2", 4, True)
    assert (row.response_status, row.occurrences, row.position) == (403, 1, 1)
    assert json.loads(row.details) == {"from": "user", "times": 2, "ok": False, "share": 0.5}
    assert row.at == audit.database.now()


async def test_an_act_that_is_undone_leaves_no_event(audit: Audit, installation: Installation) -> None:
    await fill(audit, 1)
    with pytest.raises(ZeroDivisionError):
        async with audit.database.write() as tx:
            await audit.append(tx, ALICE, event("undone"))
            raise ZeroDivisionError
    await fill(audit, 1)
    assert [row.action for row in await rows(audit)] == ["act 1", "act 1"]
    assert (await installation.verified(audit.database)).is_whole


HOSTILE = [
    "\0",
    "\ud800",
    "a" * 1_000_000,
    "\x1b[31mred",
    "\u202egpj.exe",
    "line\nline",
    "é" * 700,
    "",
    "\U0001d54f\U000e0041",
]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
async def test_a_hostile_text_is_kept_readable_and_short(text: str, audit: Audit, installation: Installation) -> None:
    caller = evolve(ALICE, username=text, request=RequestInfo(address=text, user_agent=text, request_id=text))
    noted = AuditEvent(
        event_type="suspicious_input",
        action=text,
        resource_type=text,
        resource_id=text,
        details={text: text, "number": float("nan")},
    )
    audit.note(caller, noted)
    await audit.flush()
    (row,) = await rows(audit)
    for found in (row.action, row.username, row.user_agent, row.resource_id):
        assert found is None or (found.isprintable() and len(found) <= 5000)
    assert "NaN" not in row.details
    assert (await installation.verified(audit.database)).is_whole


# ---------------------------------------------------------------- noting


async def test_what_was_noted_is_written_together_within_a_moment(audit: Audit, installation: Installation) -> None:
    for number in range(3):
        audit.note(ALICE, event(f"noted {number}"))
    assert await rows(audit) == []
    await until(lambda: installation.clock.sleepers > 0)
    installation.clock.advance(FLUSH_S)
    while len(await rows(audit)) < 3:  # noqa: ASYNC110 (what it waits for sets no event)
        await asyncio.sleep(0)
    assert [row.action for row in await rows(audit)] == ["noted 0", "noted 1", "noted 2"]


async def test_closing_writes_what_waits(installation: Installation, audit: Audit) -> None:
    audit.note(ALICE, event())
    await audit.close()
    assert len(await rows(audit)) == 1
    assert '"last": 1' in installation.head_file.read_text()


async def test_a_storm_is_counted_and_does_not_fill_the_disk(audit: Audit) -> None:
    for number in range(5000):
        caller = evolve(ALICE, request=evolve(ALICE.request, request_id=str(number)))
        audit.note(caller, AuditEvent(event_type="auth_failure", action="log in", outcome="failure"))
    audit.note(ALICE, event("another"))
    await audit.flush()
    found = await rows(audit)
    assert len(found) == ALIKE + 2
    assert sum(row.occurrences for row in found if row.event_type == "auth_failure") == 5000


async def test_what_was_done_to_each_thing_stands_by_itself(audit: Audit) -> None:
    """But not what was refused: ids can be thought up without end."""
    for outcome in ("success", "failure"):
        for number in range(50):
            wanted = AuditEvent(
                event_type="data_export",
                action="export a transcript",
                outcome=outcome,
                resource_type="job",
                resource_id=str(number),
            )
            audit.note(ALICE, wanted)
    await audit.flush()
    found = await rows(audit)
    assert [row.resource_id for row in found if row.outcome == "success"] == list(map(str, range(50)))
    assert len(found) == 50 + ALIKE + 1


async def test_what_comes_too_fast_is_counted_as_lost(audit: Audit) -> None:
    for number in range(MOST + 7):
        audit.note(ALICE, event(f"act {number}"))
    await audit.flush()
    found = await rows(audit)
    assert found[-1].event_type == "audit_lost"
    assert json.loads(found[-1].details) == {"events": 7}
    assert len(found) == MOST + 1


async def test_a_busy_database_loses_nothing(audit: Audit, monkeypatch: pytest.MonkeyPatch) -> None:
    audit.note(ALICE, event("first"))

    def refuse(self: Database) -> None:
        raise Unavailable("another process has been writing for too long", 1)

    with monkeypatch.context() as patched:
        patched.setattr(Database, "write", refuse)
        with pytest.raises(Unavailable):
            await audit.flush()
        audit.note(ALICE, event("second"))
    await audit.flush()
    assert [row.action for row in await rows(audit)] == ["first", "second"]


# ---------------------------------------------------------------- a watcher


class Echo:
    """Answers each event about a job with another one."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    async def written(self, tx: AsyncConnection, events: Sequence[Written]) -> Sequence[AuditEvent]:
        del tx
        self.seen += [one["action"] for one in events]
        return [AuditEvent(event_type="incident_opened", action=f"seen {one['action']}") for one in events]


async def test_a_watcher_is_told_in_the_same_transaction(installation: Installation, database: Database) -> None:
    echo = Echo()
    audit = installation.audit(database, echo)
    await fill(audit, 1)
    with pytest.raises(ZeroDivisionError):
        async with database.write() as tx:
            await audit.append(tx, ALICE, event("undone"))
            raise ZeroDivisionError
    assert [row.action for row in await rows(audit)] == ["act 1", "seen act 1"]
    assert echo.seen == ["act 1", "undone"]
    await audit.close()


# ---------------------------------------------------------------- several processes


async def started(folder: Path, count: int) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.noting_process", str(folder), str(count), cwd=ROOT, stdout=PIPE
    )


async def test_two_trails_on_one_database_make_one_chain(installation: Installation, database: Database) -> None:
    """Each remembers how it left the head, and neither believes it."""
    first, second = installation.audit(database), installation.audit(database)
    for _ in range(3):
        await fill(first, 2)
        await fill(second, 1)
    found = await installation.verified(database)
    assert found.is_whole
    assert found.events == 9


async def test_several_processes_append_to_one_chain(installation: Installation) -> None:
    """They start on an empty folder together: one key, one chain."""
    processes = [await started(installation.folder, 40) for _ in range(3)]
    for process in processes:
        await process.communicate()
        assert process.returncode == 0
    async with installation.database() as database:
        found = await installation.verified(database)
        assert found.is_whole, found
        assert found.events == 120


async def test_a_killed_process_loses_nothing_that_it_had_committed(installation: Installation) -> None:
    process = await started(installation.folder, 0)
    assert process.stdout is not None
    while int(await process.stdout.readline()) < 50:
        pass
    process.send_signal(signal.SIGKILL)
    said = [int(line) for line in (await process.stdout.read()).splitlines()]
    await process.wait()
    async with installation.database() as database:
        found = await installation.verified(database)
        assert found.is_whole, found
        assert found.events in (max([50, *said]), max([50, *said]) + 1)
        audit = installation.audit(database)
        await audit.open()
        await fill(audit, 1)
        assert (await installation.verified(database)).is_whole
        await audit.close()


async def test_it_is_verified_and_pruned_while_others_write(installation: Installation) -> None:
    """Nothing is taken for a break that only happened meanwhile."""
    processes = [await started(installation.folder, 0) for _ in range(2)]
    try:
        for process in processes:
            assert process.stdout is not None
            while int(await process.stdout.readline()) < 10:
                pass
        async with Database(f"sqlite+aiosqlite:///{installation.folder / 'whispercore.db'}") as database:
            audit = installation.audit(database)
            for _ in range(8):
                found = await installation.verified(database)
                assert found.is_whole, found
                await prune(audit, database.now() - timedelta(seconds=0.1), ALICE)
            assert (await installation.verified(database)).first > 1
            await audit.close()
    finally:
        for process in processes:
            process.kill()
            await process.communicate()
    async with installation.database() as database:
        assert (await installation.verified(database)).is_whole


# ---------------------------------------------------------------- the rest


async def test_each_type_of_event_has_one_name(audit: Audit) -> None:
    assert len(set(EVENT_TYPES)) == len(EVENT_TYPES)
    for name in EVENT_TYPES:
        audit.note(ALICE, AuditEvent(event_type=name, action="x"))
    await audit.flush()
    assert {row.event_type for row in await rows(audit)} == set(EVENT_TYPES)


async def test_the_files_are_for_their_owner_only(installation: Installation, audit: Audit) -> None:
    await fill(audit, 1)
    await audit.close()
    for name in ("audit.key", "audit-head.json"):
        assert (installation.folder / name).stat().st_mode & 0o777 == 0o600
    assert not list(installation.folder.glob("audit*.*.*"))


async def test_a_running_server_finds_out_what_was_put_back(installation: Installation, audit: Audit) -> None:
    """Rows and head of an earlier moment, signature and all, put back under its feet."""
    await fill(audit, 2)
    await audit.close()
    await execute(audit.database, "CREATE TABLE head_then AS SELECT * FROM audit_head")
    await fill(audit, 2)
    await audit.close()
    await execute(
        audit.database,
        "DELETE FROM audit_events WHERE position > 2",
        "DELETE FROM audit_head",
        "INSERT INTO audit_head SELECT * FROM head_then",
        "DROP TABLE head_then",
    )
    await fill(audit, 5)
    await audit.close()
    (told,) = (await installation.verified(audit.database)).recorded
    assert "is not the one that" in told


async def test_a_machine_without_the_key_that_others_sign_with_is_told(postgres_url: str, tmp_path: Path) -> None:
    """A key of its own would have the trail say that it was changed, whenever the two take turns."""
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    one, two = Installation(tmp_path / "one"), Installation(tmp_path / "two")
    async with Database(postgres_url) as database:
        first = one.audit(database)
        await first.open()
        async with database.write() as tx:
            await first.append(tx, ALICE, event())
        with pytest.raises(InvalidOption, match="WHISPERCORE_AUDIT_KEY alike on all machines"):
            await two.audit(database).open()
        assert not two.key.known(), "none is made"
        shutil.copy(one.folder / "audit.key", two.folder)
        second = two.audit(database)
        await second.open()
        async with database.write() as tx:
            await second.append(tx, ALICE, event())
        assert (await one.verified(database)).findings == ()
        for audit in (first, second):
            await audit.close()
