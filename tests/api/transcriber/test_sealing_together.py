"""Recordings in clear, on PostgreSQL and S3: they are sealed while nobody uses them, on whatever machine."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest
from attrs import evolve

from tests.api.transcriber.test_s3 import content, options
from tests.live import live, settings_for
from tests.postgres import Postgres
from tests.s3_server import s3_server
from tests.unit.files.bytes_of_files import stored
from tests.visitor import registered
from whispercore.database import sharing
from whispercore.database.session import Database
from whispercore.errors import Conflict
from whispercore.files.s3 import in_bucket
from whispercore.files.sealing import RECORDINGS
from whispercore_server.errors import CannotStart
from whispercore_server.plugins.transcriber import PLUGIN as TRANSCRIBER
from whispercore_server.sealing import seal_recordings
from whispercore_server.settings import ServerSettings


def test_nobody_else_may_be_at_work(
    tmp_path: Path, postgres: Postgres, postgres_template: str, audio: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, bucket, said = postgres.new(postgres_template), s3_server().bucket(), list[str]()
    settings = settings_for(tmp_path / "data", database_url=postgres.url(name), encrypt_files=False, **options(bucket))
    elsewhere = evolve(settings, data=tmp_path / "elsewhere")
    recording = (audio / "clip01-en.wav").read_bytes()
    with live(settings, plugins=(TRANSCRIBER,), worker=False) as server:
        elsewhere.data.mkdir()
        shutil.copy(settings.master_key_file, elsewhere.data / settings.master_key_file.name)
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
