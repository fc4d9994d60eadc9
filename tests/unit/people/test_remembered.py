"""Answers that are used again for a while."""

from __future__ import annotations

import pytest

from whispercore.people.remembered import LASTS_S, Remembered
from whispercore.testing import FakeClock


@pytest.fixture
def remembered(clock: FakeClock) -> Remembered[str]:
    return Remembered(clock, most=3)


def test_an_answer_lasts_a_while(remembered: Remembered[str], clock: FakeClock) -> None:
    remembered.put(b"a", "1", version=remembered.version)
    remembered.put(b"b", "2", version=remembered.version, lasts_s=1)
    remembered.put(b"c", "3", version=remembered.version, lasts_s=1000)
    assert [remembered.get(key) for key in (b"a", b"b", b"c", b"d")] == ["1", "2", "3", None]
    clock.advance(1)
    assert [remembered.get(key) for key in (b"a", b"b", b"c")] == ["1", None, "3"]
    clock.advance(LASTS_S - 1)
    assert [remembered.get(key) for key in (b"a", b"b", b"c")] == [None, None, None]


def test_of_too_many_the_one_used_longest_ago_goes(remembered: Remembered[str]) -> None:
    for key in (b"a", b"b", b"c"):
        remembered.put(key, "x", version=remembered.version)
    remembered.get(b"a")
    remembered.put(b"d", "x", version=remembered.version)
    assert [key for key in (b"a", b"b", b"c", b"d") if remembered.get(key)] == [b"a", b"c", b"d"]


def test_what_was_dropped_meanwhile_is_not_remembered(remembered: Remembered[str]) -> None:
    before = remembered.version
    remembered.put(b"a", "1", version=before)
    remembered.forget(lambda value: value == "1")
    remembered.put(b"a", "1", version=before)
    assert remembered.get(b"a") is None
