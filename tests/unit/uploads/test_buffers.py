"""Memory that is lent: the same again, and not kept for ever."""

from __future__ import annotations

import asyncio

import pytest

from whispercore.uploads import buffers
from whispercore.uploads.buffers import Buffers


async def test_memory_is_used_again_for_what_has_its_size() -> None:
    lent = Buffers()
    first, second = lent.take(1000), lent.take(1000)
    assert (len(first), first is second) == (1000, False)
    lent.give(second)
    assert lent.take(999) is not second
    assert lent.take(1000) is second
    assert lent.take(1000) is not second
    lent.clear()


async def test_no_more_is_kept_than_is_of_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(buffers, "_MOST_SPARE_BYTES", 2500)
    lent = Buffers()
    given = [lent.take(1000) for _ in range(3)]
    for one in given:
        lent.give(one)
    assert [lent.take(1000) is one for one in given[1:]] == [True, True], "the oldest was let go"
    lent.clear()


async def test_what_nobody_asks_for_goes_back_to_the_system(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(buffers, "_KEPT_S", 0.0)
    lent = Buffers()
    one = lent.take(1000)
    lent.give(one)
    await asyncio.sleep(0.001)
    assert lent.take(1000) is not one
