"""The clock of a database, as a machine far away knows it."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from whispercore.clock import SystemClock
from whispercore.database.shared_clock import SharedClock
from whispercore.testing.clock import START


class Machine:
    """How long it has run, and a database that answers after a while."""

    def __init__(self) -> None:
        self.ran_s = 1000.0

    async def ask(self, there: datetime, took_s: float) -> datetime:
        self.ran_s += took_s
        return there


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    machine = Machine()
    monkeypatch.setattr("whispercore.database.shared_clock._steady_s", lambda: machine.ran_s)
    return machine


async def test_it_counts_on_from_what_was_read(machine: Machine) -> None:
    clock = SharedClock(SystemClock())
    assert clock.is_due
    await clock.read(lambda: machine.ask(START, 0.5))
    assert clock.now() == START + timedelta(seconds=0.25)
    assert not clock.is_due
    machine.ran_s += 9
    assert clock.now() == START + timedelta(seconds=9.25)
    assert not clock.is_due
    machine.ran_s += 2
    assert clock.is_due


async def test_a_slow_answer_is_believed_only_when_there_is_nothing_better(machine: Machine) -> None:
    clock = SharedClock(SystemClock())
    await clock.read(lambda: machine.ask(START, 8))
    assert clock.now() == START + timedelta(seconds=4)
    later = START + timedelta(hours=1)
    await clock.read(lambda: machine.ask(later, 0))
    assert clock.now() == later
    await clock.read(lambda: machine.ask(START, 8))
    assert clock.now() == later + timedelta(seconds=8)
