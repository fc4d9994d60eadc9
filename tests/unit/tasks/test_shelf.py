"""What is left between the look at a recording and its job takes little memory, for a short while."""

from __future__ import annotations

import pytest

from tests.waiting import until
from whispercore.audio.messages import Finished, Piece, Read
from whispercore.audio.replay import Recording
from whispercore.files.manifest import Staged
from whispercore.tasks import shelf as module
from whispercore.tasks.shelf import Left, Shelf

MEGABYTE = 1 << 20


def left(name: str, size_bytes: int = 4 * MEGABYTE) -> Left:
    made = Recording()
    made.asked(Read(30.0))
    made.answered(Piece(0, 0.0, None, forced=False), bytes(size_bytes))
    made.answered(Finished(30.0, 30.0, None, ""), b"")
    assert made.is_whole
    file = Staged(id=name, name=name, content_type="audio/wav", size_bytes=1, sha256="", parts=())
    return Left(file, made)


async def test_it_is_taken_once() -> None:
    shelf, one = Shelf(), left("a")
    with shelf.used():
        assert shelf.is_used
        shelf.put(one)
        assert shelf.take("b") is None
        assert shelf.take("a") is one
        assert shelf.take("a") is None


async def test_the_oldest_make_room() -> None:
    shelf = Shelf()
    with shelf.used():
        for name in "abcdef":
            shelf.put(left(name))
        assert [name for name in "abcdef" if shelf.take(name) is not None] == ["c", "d", "e", "f"]


async def test_nothing_stays_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LASTS_S", 0.01)
    shelf = Shelf()
    with shelf.used():
        shelf.put(left("a"))
        await until(lambda: not shelf._recordings)


async def test_without_a_worker_nothing_is_left() -> None:
    shelf = Shelf()
    with shelf.used(), shelf.used():
        shelf.put(left("a"))
    assert not shelf.is_used
    assert shelf.take("a") is None
