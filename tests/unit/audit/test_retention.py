"""Old events go; what is left can be verified, and shows where it begins."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from tests.unit.audit.conftest import ALICE, Installation, execute, fill
from whispercore.audit import retention
from whispercore.audit.retention import prune
from whispercore.audit.trail import Audit
from whispercore.database.tables import audit_events
from whispercore.errors import Conflict
from whispercore.testing import FakeClock
from whispercore.testing.clock import START

DAY_S = 86_400.0


async def aged(installation: Installation, audit: Audit) -> None:
    """Four old events and three of today."""
    await fill(audit, 4)
    installation.clock.advance(10 * DAY_S)
    await fill(audit, 3)


async def test_what_is_left_is_whole(installation: Installation, audit: Audit) -> None:
    await aged(installation, audit)
    assert await prune(audit, audit.database.now() - timedelta(days=5), ALICE) == 4
    found = await installation.verified(audit.database)
    assert found.is_whole
    assert (found.first, found.last, found.events) == (5, 8, 4)
    newest = await audit.database.rows(select(audit_events).where(audit_events.c.position == 8))
    assert (newest[0].event_type, newest[0].username) == ("audit_pruned", "alice")
    await fill(audit, 1)
    await audit.close()
    assert (await installation.verified(audit.database)).is_whole


async def test_nothing_old_is_nothing_done(installation: Installation, audit: Audit) -> None:
    await fill(audit, 3)
    assert await prune(audit, audit.database.now() - timedelta(days=5), ALICE) == 0
    assert (await installation.verified(audit.database)).last == 3


async def test_all_may_go_and_the_chain_goes_on(installation: Installation, audit: Audit) -> None:
    await fill(audit, 3)
    await audit.close()
    installation.clock.advance(10 * DAY_S)
    assert await prune(audit, audit.database.now() - timedelta(days=5), ALICE) == 3
    found = await installation.verified(audit.database)
    assert found.is_whole
    assert (found.first, found.last) == (4, 4)


async def test_a_long_trail_goes_in_parts(
    installation: Installation, audit: Audit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "_AT_ONCE", 2)
    await aged(installation, audit)
    assert await prune(audit, audit.database.now() - timedelta(days=5), ALICE) == 4
    assert (await installation.verified(audit.database)).is_whole


async def test_an_event_of_a_clock_that_went_wrong_keeps_those_behind_it(
    installation: Installation, audit: Audit
) -> None:
    """Only a beginning is dropped, so that no gap appears."""
    ahead = Installation(installation.folder, FakeClock(START + timedelta(days=10)))
    await fill(ahead.audit(audit.database), 1)
    await fill(audit, 3)
    assert await prune(audit, START + timedelta(days=5), ALICE) == 0
    assert await prune(audit, START + timedelta(days=15), ALICE) == 4


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_events SET username = 'mallory' WHERE position = 2",
        "DELETE FROM audit_events WHERE position = 2",
        "DELETE FROM audit_events WHERE position = 1",
        "UPDATE audit_head SET first = 2",
    ],
)
async def test_evidence_is_not_destroyed(statement: str, installation: Installation, audit: Audit) -> None:
    await aged(installation, audit)
    await audit.close()
    before = await installation.verified(audit.database)
    assert before.is_whole
    await execute(audit.database, statement)
    with pytest.raises(Conflict):
        await prune(audit, audit.database.now() - timedelta(days=5), ALICE)
    assert not (await installation.verified(audit.database)).is_whole


async def test_a_pruning_that_is_undone_is_found(installation: Installation, audit: Audit) -> None:
    await aged(installation, audit)
    await audit.close()
    await execute(
        audit.database,
        "CREATE TABLE head_then AS SELECT * FROM audit_head",
        "CREATE TABLE events_then AS SELECT * FROM audit_events",
    )
    await prune(audit, audit.database.now() - timedelta(days=5), ALICE)
    await audit.close()
    await execute(
        audit.database,
        "DELETE FROM audit_head",
        "DELETE FROM audit_events",
        "INSERT INTO audit_head SELECT * FROM head_then",
        "INSERT INTO audit_events SELECT * FROM events_then",
    )
    findings = (await installation.verified(audit.database)).findings
    assert findings[0].startswith("an older state was put back")
