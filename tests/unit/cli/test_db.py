"""``whispercore db``: the tables of a database, in the data folder and in PostgreSQL."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

from tests.postgres import Postgres
from tests.unit.cli.conftest import Run


def test_postgres_is_upgraded_by_hand(
    run: Run, environment: dict[str, str], postgres: Postgres, tmp_path: Path
) -> None:
    name = postgres.new()
    environment.update(POSTGRES_HOST=str(postgres.folder), POSTGRES_DB=name, WHISPERCORE_DATA=str(tmp_path))
    refused = run("worker")
    assert refused.returncode == 1
    assert b"no tables yet" in refused.stderr
    assert b"whispercore db upgrade" in refused.stderr
    assert run("db", "check").returncode == 1
    done = run("db", "upgrade")
    assert done.returncode == 0, done.stderr
    assert b"it had no tables" in done.stdout
    assert b"nothing to do" in run("db", "upgrade").stdout
    assert run("db", "check", "--database-url", postgres.url(name)).returncode == 0
    postgres.drop(name)


def test_a_file_is_checked_and_upgraded_too(run_here: Run, tmp_path: Path) -> None:
    assert run_here("db", "check", "--data", tmp_path).returncode == 2
    assert run_here("db", "upgrade", "--data", tmp_path).returncode == 0
    done = run_here("db", "check", "--data", tmp_path)
    assert (done.returncode, b"can be used" in done.stdout) == (0, True)


def test_one_that_does_not_answer_is_said_in_one_message(run: Run, environment: dict[str, str], tmp_path: Path) -> None:
    environment.update(POSTGRES_HOST="127.0.0.1", POSTGRES_PORT="1")
    done = run("serve", "--data", tmp_path)
    assert done.returncode == 1
    assert b"Traceback" not in done.stderr
    assert b"POSTGRES_HOST" in done.stderr


def test_an_installation_is_moved(run_here: Run, postgres: Postgres, tmp_path: Path) -> None:
    name = postgres.new()
    assert run_here("db", "move", "--data", tmp_path, "--to", postgres.url(name)).returncode == 2
    made = run_here("users", "create", "ada", "--data", tmp_path, input=b"a good long password\n")
    assert made.returncode == 0, made.stderr
    assert run_here("db", "move", "--data", tmp_path).returncode == 2
    done = run_here("db", "move", "--data", tmp_path, "--to", postgres.url(name))
    assert done.returncode == 0, done.stderr
    assert b"rows are in PostgreSQL" in done.stdout
    again = run_here("db", "move", "--data", tmp_path, "--to", postgres.url(name))
    assert (again.returncode, b"only an empty database" in again.stderr) == (1, True)
    postgres.drop(name)


def test_recordings_are_adopted(run_here: Run, tmp_path: Path) -> None:
    assert run_here("db", "adopt-recordings", "--data", tmp_path).returncode == 2
    assert run_here("db", "upgrade", "--data", tmp_path).returncode == 0
    done = run_here("db", "adopt-recordings", "--data", tmp_path)
    assert (done.returncode, done.stdout) == (0, b"the recordings belong to this database\n")
    UUID((tmp_path / "files" / "installation").read_text())


def test_keys_are_adopted(run_here: Run, tmp_path: Path) -> None:
    """A machine whose keys are others than those of the installation is told, and what to do."""
    assert run_here("db", "adopt-keys", "--data", tmp_path).returncode == 2
    assert run_here("db", "upgrade", "--data", tmp_path).returncode == 0
    assert run_here("db", "adopt-keys", "--data", tmp_path).returncode == 0
    assert (tmp_path / "token.key").exists()
    (tmp_path / "audit.key").unlink()
    refused = run_here("db", "adopt-recordings", "--data", tmp_path)
    told = b" ".join(refused.stderr.split())
    assert (refused.returncode, b"audit_key: it is not the audit key of this installation" in told) == (2, True)
    assert b"run `whispercore db adopt-keys`" in told
    assert not (tmp_path / "audit.key").exists()
    done = run_here("db", "adopt-keys", "--data", tmp_path)
    assert (done.returncode, b"are those of this installation" in done.stdout) == (0, True)
    assert run_here("db", "adopt-recordings", "--data", tmp_path).returncode == 0
