"""Uploads that break off, whose taker is cancelled while he sees to what has come."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.gates import gate_before
from tests.live import settings_for
from tests.on_disk import stored_in
from whispercore.errors import WrongChecksum
from whispercore.tasks.options import TranscribeOptions
from whispercore.testing.making_jobs import ANN
from whispercore.uploads.appending import Appending
from whispercore.uploads.finalizing import Finalizing, Wanted
from whispercore.uploads.pieces import Pieces
from whispercore.uploads.session import NewUpload, Session, State
from whispercore_server.ports import Ports


@pytest.fixture
async def ports(tmp_path: Path) -> AsyncIterator[Ports]:
    ports = Ports.of(settings_for(tmp_path))
    async with ports.opened():
        yield ports


async def begun(ports: Ports, **wishes: Any) -> Session:
    new = NewUpload(filename="a.wav", content_type="audio/wav", size_bytes=9, **wishes)
    return await ports.uploads.sessions.begin(new, ANN)


async def broken() -> AsyncGenerator[bytes, None]:
    yield b"12345"
    raise ConnectionResetError


async def test_what_came_before_a_break_is_kept(ports: Ports, monkeypatch: pytest.MonkeyPatch) -> None:
    session = await begun(ports, protocol="tus")
    gate = gate_before(monkeypatch, Appending, "store")
    taking = asyncio.create_task(ports.uploads.appending.append(session.id, 0, ANN, broken()))
    await gate.cancelled_here([taking])
    assert taking.cancelled()
    assert (await ports.uploads.sessions.own(session.id, ANN)).received_bytes == 5


async def test_what_was_to_be_verified_is_gone(ports: Ports, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when only the comparison fails: then all of it has come."""
    session = await begun(ports, protocol="tus")
    monkeypatch.setattr(ports.uploads.appending, "part_bytes", 2)
    gate = gate_before(monkeypatch, Pieces, "remove")

    async def whole() -> AsyncGenerator[bytes, None]:
        yield b"12345"

    def verify() -> None:
        raise WrongChecksum("it", "a", "b")

    taking = asyncio.create_task(ports.uploads.appending.append(session.id, 0, ANN, whole(), verify=verify))
    await gate.cancelled_here([taking])
    assert taking.cancelled()
    assert (await ports.uploads.sessions.own(session.id, ANN)).received_bytes == 0
    assert not stored_in(ports.settings.data / "files")


async def test_one_that_could_not_be_finalized_can_be_at_once(ports: Ports, monkeypatch: pytest.MonkeyPatch) -> None:
    session = await begun(ports, protocol="tus")
    wanted = Wanted(options=TranscribeOptions(model="micro"), screen=lambda *_: None)
    gate = gate_before(monkeypatch, Finalizing, "_released")
    finishing = asyncio.create_task(ports.uploads.finalizing.finish(session.id, ANN, wanted))
    await gate.cancelled_here([finishing])
    assert finishing.cancelled()
    assert (await ports.uploads.sessions.own(session.id, ANN)).state is State.ACTIVE
