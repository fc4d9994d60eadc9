"""Counters in memory."""

from __future__ import annotations

from whispercore.testing import FakeClock
from whispercore_server.limiting.windows import Windows


def test_each_is_counted_for_itself() -> None:
    windows = Windows(FakeClock())
    assert [windows.add("a", 60) for _ in range(3)] == [1, 2, 3]
    assert windows.add("b", 60) == 1


def test_a_counter_is_gone_when_its_window_is_over() -> None:
    clock = FakeClock()
    windows = Windows(clock)
    windows.add("short", 10)
    windows.add("long", 100)
    clock.advance(10)
    assert windows.add("other", 10) == 1
    assert len(windows) == 2
    assert windows.add("long", 100) == 2


def test_none_stay_for_ever() -> None:
    clock = FakeClock()
    windows = Windows(clock)
    for number in range(1000):
        windows.add(f"first {number}", 10)
    clock.advance(11)
    for number in range(500):
        windows.add(f"second {number}", 10)
    assert len(windows) == 500


def test_there_are_never_too_many() -> None:
    windows = Windows(FakeClock(), most=100)
    for number in range(10_000):
        windows.add(f"{number}", 60 + number)
    assert len(windows) == 100
    assert windows.add("9999", 60) == 2
