"""An installation on PostgreSQL and a bucket, and what is restored from its backups where there is neither."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest

from tests.api.transcriber.test_backups import made
from tests.api.transcriber.test_s3 import options
from tests.live import live, settings_for
from tests.on_disk import in_clear
from tests.postgres import Postgres
from tests.s3_server import s3_server
from tests.visitor import PASSWORD, administrator, registered, stranger
from whispercore.errors import InvalidOption
from whispercore_server.backing_up import make, restore
from whispercore_server.plugins.transcriber import PLUGIN as TRANSCRIBER


def test_it_is_made_beside_a_server_and_restored_to_sqlite_and_a_disk(
    tmp_path: Path, postgres: Postgres, postgres_template: str, audio: Path
) -> None:
    name, recording = postgres.new(postgres_template), audio / "clip01-en.wav"
    settings = settings_for(tmp_path / "data", database_url=postgres.url(name), **options(s3_server().bucket()))
    with live(settings, plugins=(TRANSCRIBER,)) as server:
        ada = registered(server)
        job = ada.finished(ada.job(recording, language="en"))
        by_http = made(administrator(server))
        record = asyncio.run(make(settings))
    (tmp_path / "archives").mkdir()
    archive = shutil.copy(settings.backups_dir / f"{record.id}.tar", tmp_path / "archives")
    assert (record.status, record.files, by_http["files"]) == ("completed", 1, 1)
    assert in_clear(tmp_path / "archives", recording.read_bytes()) == []
    assert settings.master_key_file.read_bytes().strip() not in Path(archive).read_bytes()
    with pytest.raises(InvalidOption, match=r"rows in .* already"):
        restore(settings, Path(archive))
    postgres.drop(name)

    new = settings_for(tmp_path / "new")
    restore(new, Path(archive))
    shutil.copy(settings.master_key_file, new.master_key_file)
    with live(new, plugins=(TRANSCRIBER,), worker=False) as server:
        entered = stranger(server).post("/auth/login", json={"username": ada.username, "password": PASSWORD})
        assert entered.status_code == 200, entered.text
        assert administrator(server).get(f"/api/jobs/{job['job_id']}").json()["transcript"] == job["transcript"]
        events = administrator(server).get("/admin/events").text
    assert "backup_restored" in events
    assert "audit_broken" not in events
