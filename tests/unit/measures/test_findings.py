"""Each rule speaks when it should, and only then."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from attrs import evolve

from whispercore.measures.figures import Figures
from whispercore.measures.findings import Situation, findings

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
CALM = Figures(
    cpu_percent=20,
    cpu_cores=4,
    memory_used_bytes=50,
    memory_total_bytes=100,
    disk_used_bytes=50,
    disk_free_bytes=50,
    disk_total_bytes=100,
    network_rx_bytes=0,
    network_tx_bytes=0,
    connections=1,
    active_jobs=0,
    queue_size=0,
    requests=1000,
    failures=0,
    took_s=10.0,
    span_s=3600,
    uptime_s=9999,
)
GOOD = Situation(
    now=NOW,
    last_hour=CALM,
    present=CALM,
    slots=2,
    workers=1,
    completed_last_day=100,
    failed_last_day=1,
    slowest_factor=0.5,
    slowest_model="small",
    last_backup_at=NOW - timedelta(days=1),
    backups_beside_data=False,
    database_bytes=1 << 30,
    wal_bytes=1 << 20,
    default_model="small",
    default_model_here=True,
)


def hour(**changes: Any) -> Situation:
    return evolve(GOOD, last_hour=evolve(CALM, **changes))


def now(**changes: Any) -> Situation:
    return evolve(GOOD, present=evolve(CALM, **changes))


def test_a_good_installation_has_no_findings() -> None:
    assert findings(GOOD) == []
    assert findings(evolve(GOOD, last_hour=None)) == []


@pytest.mark.parametrize(
    ("situation", "found"),
    [
        (evolve(now(queue_size=3), workers=0), "no_worker"),
        (hour(queue_size=5, cpu_percent=20), "idle_processors"),
        (hour(queue_size=5, cpu_percent=95), "too_little_power"),
        (evolve(GOOD, completed_last_day=8, failed_last_day=3), "failing_jobs"),
        (now(disk_used_bytes=85, disk_free_bytes=15), "little_disk"),
        (now(memory_used_bytes=90), "little_memory"),
        (evolve(GOOD, wal_bytes=2 << 30), "long_log"),
        (hour(failures=20), "failing_requests"),
        (hour(took_s=600.0), "slow_answers"),
        (evolve(GOOD, last_backup_at=None), "no_backup"),
        (evolve(GOOD, last_backup_at=NOW - timedelta(days=8)), "no_backup"),
        (evolve(GOOD, backups_beside_data=True), "backups_beside_data"),
        (evolve(GOOD, default_model_here=False), "no_default_model"),
        (evolve(GOOD, slowest_factor=1.5), "slow_model"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_rule_speaks(situation: Situation, found: str) -> None:
    (finding,) = findings(situation)
    assert finding.id == found
    assert finding.finding.endswith(".")
    assert finding.suggestion.endswith(".")


@pytest.mark.parametrize(
    "situation",
    [
        hour(queue_size=1, cpu_percent=20),
        hour(queue_size=5, cpu_percent=70),
        evolve(GOOD, completed_last_day=4, failed_last_day=3),
        evolve(GOOD, completed_last_day=99, failed_last_day=10),
        now(disk_used_bytes=79, disk_free_bytes=21),
        evolve(GOOD, wal_bytes=40 << 20, database_bytes=1 << 20),
        hour(requests=50, failures=20),
        evolve(GOOD, slowest_factor=None, slowest_model=None),
        evolve(GOOD, workers=0),
    ],
)
def test_a_rule_is_silent(situation: Situation) -> None:
    assert findings(situation) == []


def test_the_worst_comes_first() -> None:
    bad = evolve(GOOD, last_backup_at=None, default_model_here=False, wal_bytes=2 << 30)
    assert [finding.severity for finding in findings(bad)] == ["high", "medium", "low"]
