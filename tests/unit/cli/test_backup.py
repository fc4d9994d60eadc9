"""``whispercore backup``, as processes: beside a server, without one, and into a new folder."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from tests.live import live, settings_for
from tests.on_disk import stored_in
from tests.unit.cli.conftest import Run
from tests.visitor import PASSWORD, Visitor, administrator, registered, stranger
from whispercore.backup.making import Making
from whispercore.encryption.master_key import MasterKey
from whispercore_server import data_folder
from whispercore_server.cli import app
from whispercore_server.cli.exits import ExitCode
from whispercore_server.plugins.transcriber import PLUGIN as TRANSCRIBER

AUDIO = Path(__file__).parents[2] / "audio"


def backup(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["backup", *map(str, arguments)])


def events(data: Path) -> list[tuple[str, str]]:
    with closing(sqlite3.connect(data / "whispercore.db")) as connection:
        return connection.execute("SELECT event_type, username FROM audit_events ORDER BY position").fetchall()


def test_from_a_server_at_work_to_another_one(run: Run, tmp_path: Path) -> None:
    data, new = tmp_path / "data", tmp_path / "new"
    with live(settings_for(data), plugins=(TRANSCRIBER,)) as server:
        alice = registered(server)
        done = alice.finished(alice.job(AUDIO / "clip01-en.wav", language="en"))
        made = run("backup", "create", "--data", data)
        assert (made.returncode, made.stderr) == (0, b"")
        archive = Path(made.stdout.decode().strip())
        assert archive.parent == data / "backups"
        (row,) = administrator(server).get("/admin/backup").json()["backups"]
        assert (row["id"], row["status"]) == (archive.stem, "completed")
    listed = run("backup", "list", "--data", data).stdout.decode()
    assert archive.stem in listed
    assert "completed" in listed
    checked = run("backup", "verify", archive)
    assert (checked.returncode, checked.stderr) == (0, b"")
    assert row["sha256"].encode() in checked.stdout
    assert b"1 recordings, 1 jobs, 2 users" in checked.stdout
    restored = run("backup", "restore", archive, "--data", new)
    assert restored.returncode == 0
    needed = MasterKey(data / "master.key").recipient()
    told = f"put that of {needed} into {new / 'master.key'}, or set WHISPERCORE_MASTER_KEY"
    assert told in " ".join(restored.stderr.decode().split())
    assert ("backup_restored", "command line") in events(new)
    shutil.copy(data / "master.key", new)  # it is in no backup
    with live(settings_for(new), plugins=(TRANSCRIBER,)) as server:
        # The token key is in no backup: old tokens are not believed here, and passwords and API keys are.
        assert Visitor(server=server, headers=alice.headers).get("/auth/me").status_code == 401
        entered = stranger(server).post("/auth/login", json={"username": alice.username, "password": PASSWORD})
        there = Visitor(server=server, headers={"Authorization": f"Bearer {entered.json()['access_token']}"})
        assert there.get(f"/api/jobs/{done['job_id']}").json() == done
    assert "audit_broken" not in [event for event, _ in events(new)]


def test_it_is_noted_who_made_one(tmp_path: Path) -> None:
    with live(settings_for(tmp_path / "data"), plugins=(TRANSCRIBER,), worker=False):
        pass
    result = backup("create", "--data", tmp_path / "data", "--to", tmp_path / "elsewhere")
    assert (result.exit_code, result.stderr) == (0, "")
    assert Path(result.stdout.strip()).parent == tmp_path / "elsewhere"
    assert ("backup_created", "command line") in events(tmp_path / "data")


def test_where_there_is_nothing(tmp_path: Path) -> None:
    result = backup("create", "--data", tmp_path / "data")
    assert (result.exit_code, result.stdout) == (ExitCode.USAGE, "")
    assert result.stderr == f"error: --data: there is no installation in {tmp_path / 'data'}\n"
    assert backup("list", "--data", tmp_path / "data").stdout == ""
    for command in ("verify", "restore"):
        result = backup(command, tmp_path / "none.tar")
        assert result.exit_code == ExitCode.USAGE
        assert "there is no file" in result.stderr


def test_where_there_is_something(tmp_path: Path) -> None:
    with live(settings_for(tmp_path / "data"), plugins=(TRANSCRIBER,), worker=False):
        pass
    archive = backup("create", "--data", tmp_path / "data").stdout.strip()
    result = backup("restore", archive, "--data", tmp_path / "data")
    assert (result.exit_code, result.stdout) == (ExitCode.USAGE, "")
    assert "there is a database already" in result.stderr


def test_a_folder_that_a_server_uses_is_left_alone(run: Run, tmp_path: Path) -> None:
    with live(settings_for(tmp_path / "data"), plugins=(TRANSCRIBER,), worker=False):
        pass
    archive = backup("create", "--data", tmp_path / "data").stdout.strip()
    with data_folder.held(tmp_path / "new"):
        result = run("backup", "restore", archive, "--data", tmp_path / "new")
    assert result.returncode == ExitCode.FAILED
    assert b"another server" in result.stderr
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["server.lock"]


def test_what_is_no_backup(tmp_path: Path) -> None:
    path = tmp_path / "x.tar"
    path.write_bytes(b"nonsense" * 1000)
    for arguments in (("verify", path), ("restore", path, "--data", tmp_path / "new")):
        result = backup(*arguments)
        assert (result.exit_code, result.stdout) == (ExitCode.FAILED, "")
        assert result.stderr.startswith("error: the backup cannot be used: ")
    assert [one.name for one in (tmp_path / "new").iterdir()] == ["server.lock"]


def test_a_database_of_another_version_is_not_touched(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with live(settings_for(data), plugins=(TRANSCRIBER,), worker=False):
        pass
    with closing(sqlite3.connect(data / "whispercore.db")) as connection:
        connection.execute("UPDATE whispercore_version SET version_num = '0001'")
        connection.commit()
    result = backup("create", "--data", data)
    assert result.exit_code == ExitCode.FAILED
    assert "has schema 0001" in result.stderr
    assert not (data / "backups").exists()


def test_a_failure_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(_: Making) -> None:
        raise OSError(5, "Input/output error")

    with live(settings_for(tmp_path / "data"), plugins=(TRANSCRIBER,), worker=False):
        pass
    monkeypatch.setattr(Making, "make", broken)
    result = backup("create", "--data", tmp_path / "data")
    assert (result.exit_code, result.stdout) == (ExitCode.FAILED, "")
    assert "Input/output error" in result.stderr
    listed = backup("list", "--data", tmp_path / "data").stdout
    assert "failed" in listed
    assert "Input/output error" in listed


def test_damage_is_a_warning(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with live(settings_for(data), plugins=(TRANSCRIBER,), worker=False) as server:
        administrator(server).job(AUDIO / "clip01-en.wav")
    (part,) = stored_in(data / "files")
    part.write_bytes(b"x" * part.stat().st_size)
    made = backup("create", "--data", data)
    assert made.exit_code == 0
    assert "1 parts of recordings were damaged" in made.stderr
    checked = backup("verify", made.stdout.strip())
    assert checked.exit_code == 0
    assert "its bytes had changed" in checked.stderr
