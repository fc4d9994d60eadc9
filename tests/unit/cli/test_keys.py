"""``whispercore keys``."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path

import pytest

from tests.live import live, settings_for
from tests.on_disk import in_clear
from tests.sqlite import sqlite_at
from tests.unit.cli.conftest import Run
from tests.visitor import PASSWORD, Visitor, registered
from whispercore_server.accounts import opened
from whispercore_server.data_folder import held
from whispercore_server.settings import ServerSettings

KEY = re.compile(rb"wt_[0-9a-f]{16}_[0-9a-f]{16}_[0-9a-f]{4}\n")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """An installation with two users."""
    folder = tmp_path / "data"
    sqlite_at(folder / "whispercore.db")

    async def make() -> None:
        async with opened(ServerSettings(data=folder), make=True) as accounts:
            await accounts.create("ada", PASSWORD, None, "user")
            await accounts.create("bob", PASSWORD, None, "admin")

    asyncio.run(make())
    return folder


def test_a_key_from_its_making_to_its_end(run: Run, data: Path) -> None:
    made = run("keys", "create", "nightly", "--user", "ada", "--permission", "read", "--data", data)
    assert (made.returncode, made.stderr) == (0, b"")
    assert KEY.fullmatch(made.stdout)
    shown = run("keys", "list", "--data", data).stdout.decode()
    key_id = shown.splitlines()[1].split()[-1]
    assert shown.splitlines()[1].startswith(f"wt_****_****_{made.stdout.decode().strip()[-4:]}  ada")
    assert "active" in shown
    assert made.stdout.decode().strip() not in shown
    with live(settings_for(data), worker=False) as server:
        program = Visitor(server=server, headers={"X-API-Key": made.stdout.decode().strip()})
        assert program.get("/api/jobs/").status_code == 200
        assert program.get("/admin/security/api-keys").status_code == 403
    gone = run("keys", "revoke", key_id, "--data", data)
    assert (gone.returncode, gone.stderr) == (0, b"")
    assert b"revoked" in gone.stdout
    assert b"nightly" not in run("keys", "list", "--data", data).stdout
    assert b"revoked" in run("keys", "list", "--all", "--data", data).stdout


def test_all_that_a_key_can_have(run_here: Run, data: Path) -> None:
    made = run_here(
        *("keys", "create", "wide", "--user", "bob", "--permission", "jobs:read", "--permission", "admin"),
        *("--days", "0", "--per-minute", "1000", "--per-day", "5", "--from", "10.0.0.0/8", "--from", "::1"),
        *("--data", data),
    )
    assert made.returncode == 0
    (key,) = json.loads(run_here("keys", "list", "--user", "bob", "--json", "--data", data).stdout)
    assert key["permissions"] == ["jobs:read", "admin"]
    assert key["allowed_addresses"] == ["10.0.0.0/8", "::1/128"]
    assert (key["requests_per_minute"], key["daily_quota"], key["expires_at"]) == (1000, 5, None)
    assert json.loads(run_here("keys", "list", "--user", "ada", "--json", "--data", data).stdout) == []


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("create", "k", "--user", "nobody", "--permission", "read"), b"'nobody'"),
        (("create", "k", "--user", "ada", "--permission", "everything"), b"'everything'"),
        (("create", "k", "--user", "ada", "--permission", "read", "--from", "here"), b"'here'"),
        (("create", " ", "--user", "ada", "--permission", "read"), b"name"),
        (("list", "--user", "nobody"), b"'nobody'"),
        (("revoke", "nothing"), b"'nothing'"),
    ],
)
def test_what_cannot_be_is_told(run_here: Run, data: Path, arguments: tuple[str, ...], told: bytes) -> None:
    done = run_here("keys", *arguments, "--data", data)
    assert done.returncode != 0
    assert told in done.stderr
    assert b"Traceback" not in done.stderr


def test_the_master_key_is_changed_while_a_server_works(run: Run, data: Path, audio: Path) -> None:
    with live(settings_for(data), worker=False) as server:
        before = registered(server)
        job_id = before.job(audio / "clip01-en.wav")
        old = (data / "master.key").read_text()
        done = run("keys", "rotate-master-key", "--data", data)
        assert (done.returncode, done.stderr) == (0, b"")
        assert (data / "master.key").read_text() != old
        later = registered(server)
        later.job(audio / "clip02-en.wav")
    with live(settings_for(data)) as server:
        after = Visitor(server=server, headers=before.headers)
        assert after.finished(job_id)["status"] == "completed"
    (data / "master.key").write_text(old)
    done = run("keys", "rotate-master-key", "--data", data)
    assert done.returncode == 1
    assert b"not that of this installation" in done.stderr


def test_recordings_in_clear_are_sealed(run: Run, tmp_path: Path, audio: Path) -> None:
    data = tmp_path / "data"
    with live(settings_for(data, encrypt_files=False), worker=False) as server:
        ada = registered(server)
        ada.job(audio / "clip01-en.wav")
        assert in_clear(data, (audio / "clip01-en.wav").read_bytes()) != []
    done = run("keys", "seal-recordings", "--data", data)
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"sealed: 1 recordings" in done.stdout
    assert in_clear(data, (audio / "clip01-en.wav").read_bytes()) == []
    assert b"sealed: 0 recordings" in run("keys", "seal-recordings", "--data", data).stdout
    with held(data):
        busy = run("keys", "seal-recordings", "--data", data)
    assert busy.returncode != 0
    assert b"another server" in busy.stderr


def test_transcripts_are_sealed_where_new_ones_are(run_here: Run, data: Path, tmp_path: Path) -> None:
    refused = run_here("keys", "seal-transcripts", "--data", data)
    assert refused.returncode != 0
    assert b"encrypt_transcripts" in refused.stderr
    assert b"Traceback" not in refused.stderr
    config = tmp_path / "whispercore.toml"
    config.write_text("encrypt_transcripts = true\n")
    done = run_here("keys", "seal-transcripts", "--data", data, "--config", config)
    assert (done.returncode, done.stderr, done.stdout) == (0, b"", b"sealed: 0 jobs\n")
