"""Recordings in clear are sealed while nobody uses them, on whatever machine."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest
from attrs import evolve
from sqlalchemy import select

from tests.api.transcriber.test_s3 import content, options
from tests.live import live, settings_for
from tests.postgres import Postgres
from tests.s3_server import s3_server
from tests.unit.files.bytes_of_files import stored
from tests.visitor import registered
from whispercore.database import locked_file, sharing
from whispercore.database.session import Database
from whispercore.database.tables import files
from whispercore.errors import Conflict
from whispercore.files.obstore_blobs import ObstoreBlobs
from whispercore.files.s3 import in_bucket
from whispercore.files.sealing import RECORDINGS
from whispercore_server.backing_up import make
from whispercore_server.errors import CannotStart
from whispercore_server.plugins.transcriber import PLUGIN as TRANSCRIBER
from whispercore_server.sealing import seal_recordings
from whispercore_server.settings import ServerSettings


class Killed(Exception):
    """As good as a kill: nothing is done any more."""


def test_nobody_else_may_be_at_work(
    tmp_path: Path, postgres: Postgres, postgres_template: str, audio: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, bucket, said = postgres.new(postgres_template), s3_server().bucket(), list[str]()
    settings = settings_for(tmp_path / "data", database_url=postgres.url(name), encrypt_files=False, **options(bucket))
    elsewhere = evolve(settings, data=tmp_path / "elsewhere")
    recording = (audio / "clip01-en.wav").read_bytes()
    with live(settings, plugins=(TRANSCRIBER,), worker=False) as server:
        elsewhere.data.mkdir()
        for file in (settings.master_key_file, settings.data / "audit.key"):
            shutil.copy(file, elsewhere.data)
        registered(server).job(audio / "clip01-en.wav")
        assert recording in content(in_bucket(bucket)).values()
        with pytest.raises(CannotStart, match="perhaps on another machine"):
            asyncio.run(seal_recordings(elsewhere, tell=said.append))
        assert recording in content(in_bucket(bucket)).values()
    assert asyncio.run(seal_recordings(elsewhere, tell=said.append)).files == 1
    ((key, data),) = content(in_bucket(bucket)).items()
    assert recording[1000:1064] not in data
    monkeypatch.setattr(sharing, "WAIT_S", 0.05)
    asyncio.run(refused(settings))
    with live(settings, plugins=(TRANSCRIBER,), worker=False) as server:
        assert server.run(stored(server.ports.files, key.split("/")[1])) == recording
    postgres.drop(name)


async def refused(settings: ServerSettings) -> None:
    """A start, while recordings are being sealed."""
    async with Database(settings.database_url) as database, database.reserved(RECORDINGS):
        with pytest.raises(Conflict, match="has to be alone"):
            await asyncio.to_thread(start, settings)


def start(settings: ServerSettings) -> None:
    with live(settings, plugins=(TRANSCRIBER,), worker=False):
        pass


def test_a_backup_is_made_before_or_after(tmp_path: Path, audio: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was pinned in clear, beside rows that say it is sealed, would be a damaged recording."""
    settings = settings_for(tmp_path, encrypt_files=False)
    with live(settings, plugins=(TRANSCRIBER,), worker=False) as server:
        registered(server).job(audio / "clip01-en.wav")
        assert asyncio.run(make(settings)).damaged == 0, "beside a server"
    monkeypatch.setattr(locked_file, "BUSY_S", 0.05)
    asyncio.run(refused_backup(settings))
    asyncio.run(refused_sealing(settings))
    broken_off_after_the_row(settings, monkeypatch)
    record = asyncio.run(make(settings))
    assert (record.files, record.damaged) == (1, 0), "it is settled first"
    with live(settings, plugins=(TRANSCRIBER,), worker=False) as server:
        (file,) = server.run(server.ports.database.rows(select(files.c.id)))
        assert server.run(stored(server.ports.files, file.id)) == (audio / "clip01-en.wav").read_bytes()


async def refused_backup(settings: ServerSettings) -> None:
    async with Database(settings.database_url) as database, database.reserved(RECORDINGS):
        with pytest.raises(Conflict, match="has to be alone"):
            await make(settings)


async def refused_sealing(settings: ServerSettings) -> None:
    """While a backup is made."""
    async with Database(settings.database_url) as database, database.shared(RECORDINGS):
        with pytest.raises(CannotStart, match="a backup is at work"):
            await seal_recordings(settings, tell=str)


def broken_off_after_the_row(settings: ServerSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    async def dies(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(ObstoreBlobs, "rename", dies)
        with pytest.raises(Killed):
            asyncio.run(seal_recordings(settings, tell=str))
