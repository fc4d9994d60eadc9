"""``whispercore audit``: what it finds, what it says, and how it ends."""

from __future__ import annotations

import asyncio
import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from attrs import evolve

from tests.live import live, settings_for
from tests.sqlite import sqlite_at
from tests.unit.cli.conftest import Run
from whispercore.audit.event import AuditEvent
from whispercore.database.session import Database
from whispercore.people.caller import Caller
from whispercore_server.auditing import audit_of
from whispercore_server.settings import ServerSettings


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """An installation where six things have happened, one of them to a hostile name."""
    folder = tmp_path / "data"
    asyncio.run(note(ServerSettings(data=folder), 5))
    asyncio.run(note(ServerSettings(data=folder), 1, username="\x1b[31mred"))
    return folder


async def note(settings: ServerSettings, count: int, username: str = "alice") -> None:
    async with Database(sqlite_at(settings.data / "whispercore.db")) as database:
        audit = audit_of(settings, database)
        await audit.open()
        for number in range(count):
            async with database.write() as tx:
                event = AuditEvent(event_type="job_created", action=f"act {number + 1}", resource_type="job")
                await audit.append(tx, evolve(Caller.nobody(), username=username), event)
        await audit.close()


def execute(data: Path, statement: str) -> None:
    with closing(sqlite3.connect(data / "whispercore.db")) as connection, connection:
        connection.execute(statement)


def test_a_whole_trail(run: Run, data: Path) -> None:
    done = run("audit", "verify", "--data", data)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"whole: 6 events, 1 to 6\n", b"")


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("UPDATE audit_events SET username = 'bob' WHERE position = 3", b"error: event 3 was changed"),
        ("DELETE FROM audit_events WHERE position = 3", b"error: event 3 is missing"),
        ("DELETE FROM audit_events WHERE position > 4", b"error: events 5 to 6 are missing"),
        ("DELETE FROM audit_head", b"error: the head of the trail is gone"),
    ],
)
def test_a_changed_trail(statement: str, told: bytes, run_here: Run, data: Path) -> None:
    execute(data, statement)
    done = run_here("audit", "verify", "--data", data)
    assert done.returncode == 1
    assert done.stdout.startswith(b"changed: ")
    assert told in done.stderr


def test_a_break_of_former_times_is_told_until_it_is_known(run_here: Run, data: Path) -> None:
    execute(data, "UPDATE audit_head SET last = 4")
    asyncio.run(note(ServerSettings(data=data), 1))
    done = run_here("audit", "verify", "--data", data)
    assert done.returncode == 1
    assert b"warning: the trail was found changed before: event 7" in done.stderr.replace(b"\n", b" ")
    assert run_here("audit", "verify", "--data", data, "--known", 8).returncode == 0


def test_a_head_that_was_kept_elsewhere_knows_when_all_was_put_back(run_here: Run, data: Path, tmp_path: Path) -> None:
    """Whoever has the whole folder can put all of it back; not what is kept on another machine."""
    shutil.copytree(data, tmp_path / "older")
    asyncio.run(note(ServerSettings(data=data), 1))
    kept = tmp_path / "kept.json"
    kept.write_bytes(run_here("audit", "head", "--data", data).stdout)
    assert json.loads(kept.read_text())["last"] == 7
    assert run_here("audit", "verify", "--data", data, "--head", kept).returncode == 0
    assert run_here("audit", "verify", "--data", tmp_path / "older").returncode == 0
    done = run_here("audit", "verify", "--data", tmp_path / "older", "--head", kept)
    assert done.returncode == 1
    assert b"an older state was put back" in done.stderr


def test_it_works_beside_a_server(run: Run, tmp_path: Path) -> None:
    settings = settings_for(tmp_path / "data")
    with live(settings, worker=False):
        done = run("audit", "verify", "--data", settings.data)
        assert done.returncode == 0, done.stderr
        assert b"system_start" in run("audit", "show", "--data", settings.data).stdout


def test_events_are_shown_newest_last(run_here: Run, data: Path) -> None:
    lines = run_here("audit", "show", "--data", data, "-n", 2).stdout.decode().splitlines()
    assert [line.split("  ")[0] for line in lines] == ["5", "6"]
    assert "act 5 job" in lines[0]
    assert "alice" in lines[0]
    assert "\x1b" not in lines[1]
    only = run_here("audit", "show", "--data", data, "--user", "alice", "--json").stdout.decode().splitlines()
    assert [json.loads(line)["action"] for line in only] == [f"act {number}" for number in range(1, 6)]
    assert run_here("audit", "show", "--data", data, "--type", "auth_failure").stdout == b""
    assert run_here("audit", "show", "--data", data, "--since", "2999-01-01").stdout == b""


def test_old_events_are_dropped(run_here: Run, data: Path) -> None:
    assert run_here("audit", "prune", "--data", data, "--before", "2020-01-01").stdout == b"0 events dropped\n"
    assert run_here("audit", "prune", "--data", data, "--before", "2999-01-01").stdout == b"6 events dropped\n"
    assert run_here("audit", "verify", "--data", data).stdout == b"whole: 1 events, 7 to 7\n"
    shown = run_here("audit", "show", "--data", data).stdout
    assert b"audit_pruned" in shown
    assert b"command line" in shown


def test_evidence_is_not_dropped(run_here: Run, data: Path) -> None:
    execute(data, "UPDATE audit_events SET username = 'bob' WHERE position = 3")
    done = run_here("audit", "prune", "--data", data, "--before", "2999-01-01")
    assert done.returncode == 1
    assert b"the trail was changed at event 3" in done.stderr


def test_without_its_key_nothing_is_said_and_none_is_made(run_here: Run, data: Path) -> None:
    (data / "audit.key").unlink()
    done = run_here("audit", "verify", "--data", data)
    assert done.returncode == 1
    assert b"audit.key is gone" in done.stderr.replace(b"\n", b" ")
    assert not (data / "audit.key").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ("show", "--type", "nothing"),
        ("show", "--since", "yesterday"),
        ("show", "-n", "0"),
        ("prune", "--before", "x"),
        ("prune",),
        ("verify", "--known", "-1"),
        ("verify", "--head", "/none"),
    ],
)
def test_what_makes_no_sense_is_wrong_usage(arguments: tuple[str, ...], run_here: Run, data: Path) -> None:
    done = run_here("audit", *arguments, "--data", data)
    assert done.returncode == 2
    assert done.stdout == b""


@pytest.mark.parametrize("command", ["verify", "show", "head"])
def test_where_there_is_no_installation(command: str, run_here: Run, tmp_path: Path) -> None:
    done = run_here("audit", command, "--data", tmp_path / "none")
    assert done.returncode == 2
    assert b"there is no installation" in done.stderr
    assert not (tmp_path / "none").exists()
