"""``whispercore users``: accounts, with a server at work and without one."""

from __future__ import annotations

import json
import os
import pty
import subprocess
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.live import live, settings_for
from tests.unit.cli.conftest import COMMAND, Run
from tests.visitor import PASSWORD, Visitor

NEW = "another good password"


def typed(run: Run, password: str | bytes, *arguments: object) -> subprocess.CompletedProcess[bytes]:
    given = password if isinstance(password, bytes) else f"{password}\n".encode()
    return run("users", *arguments, input=given)


def listed(run: Run, data: Path) -> list[dict[str, Any]]:
    done = run("users", "list", "--json", "--data", data)
    assert done.returncode == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def test_the_first_administrator_is_made_before_the_first_start(run: Run, tmp_path: Path) -> None:
    data = tmp_path / "data"
    done = typed(run, PASSWORD, "create", "Rôot", "--admin", "--email", "root@example.com", "--data", data)
    assert done.returncode == 0, done.stderr
    assert "Rôot has an account now".encode() in done.stdout
    assert PASSWORD.encode() not in done.stdout + done.stderr
    (root,) = listed(run, data)
    assert (root["username"], root["roles"], root["email"]) == ("Rôot", ["user", "admin"], "root@example.com")
    with live(settings_for(data, admin_key=None)) as server:
        answer = requests.post(f"{server.url}/auth/login", json={"username": "rôot", "password": PASSWORD}, timeout=60)
        headers = {"Authorization": f"Bearer {answer.json()['access_token']}"}
        assert requests.get(f"{server.url}/admin/users", headers=headers, timeout=60).json()["total"] == 1


def test_what_is_changed_beside_a_server_counts_there(run: Run, tmp_path: Path) -> None:
    data = tmp_path / "data"
    with live(settings_for(data)) as server:
        assert typed(run, PASSWORD, "create", "ada", "--data", data).returncode == 0
        account = {"username": "ada", "password": PASSWORD}

        def login(password: str) -> int:
            body = {**account, "password": password}
            return requests.post(f"{server.url}/auth/login", json=body, timeout=60).status_code

        entered = requests.post(f"{server.url}/auth/login", json=account, timeout=60).json()
        ada = Visitor(server=server, headers={"Authorization": f"Bearer {entered['access_token']}"})
        assert run("users", "role", "ADA", "admin", "--data", data).returncode == 0
        server.ports.recognition.forget_all()  # what a few seconds do
        assert ada.get("/admin/users").status_code == 200
        done = run("users", "rotate-signing-key", "--data", data)
        assert done.returncode == 0
        assert ada.get("/auth/me").status_code == 200
        done = typed(run, NEW, "password", "ada", "--data", data)
        assert done.stdout == b"the password of ada is another one now; sessions that ended: 1\n"
        server.ports.recognition.forget_all()
        assert ada.get("/auth/me").status_code == 401
        assert (login(PASSWORD), login(NEW)) == (401, 200)
        assert run("users", "deactivate", "ada", "--data", data).returncode == 0
        assert login(NEW) == 401
        assert {one["username"]: one["is_active"] for one in listed(run, data)} == {"admin": True, "ada": False}
        assert run("users", "activate", "ada", "--data", data).returncode == 0
        assert login(NEW) == 200


@pytest.mark.parametrize(
    ("arguments", "password", "code", "told"),
    [
        (["create", "ada"], "short", 2, "password: it needs at least 8 characters"),
        (["create", "ada"], "password", 2, "one of the first that anybody would guess"),
        (["create", "ada"], "", 2, "none came on standard input"),
        (["create", "ada"], b"", 2, "none came on standard input"),
        (["create", "ada"], b"\xff\xfe\xff\n", 2, "not UTF-8"),
        (["create", "root"], PASSWORD, 1, "taken"),
        (["create", "a\nb"], PASSWORD, 2, "nobody can see"),
        (["create", "ada", "--email", "x"], PASSWORD, 2, "not an e-mail address"),
        (["password", "nobody"], PASSWORD, 1, "there is no user 'nobody'"),
        (["role", "nobody", "admin"], "", 1, "there is no user 'nobody'"),
        (["role", "root", "user"], "", 1, "last administrator"),
        (["deactivate", "root"], "", 1, "last administrator"),
        (["role", "root", "king"], "", 2, "king"),
    ],
)
def test_what_is_refused(  # noqa: PLR0917 (a table has columns)
    run_here: Run, tmp_path: Path, arguments: list[str], password: str | bytes, code: int, told: str
) -> None:
    data = tmp_path / "data"
    assert typed(run_here, PASSWORD, "create", "root", "--admin", "--data", data).returncode == 0
    done = typed(run_here, password, *arguments, "--data", data)
    assert done.returncode == code
    assert told.encode() in done.stderr.replace(b"\n", b" ")
    assert b"Traceback" not in done.stderr
    assert [one["username"] for one in listed(run_here, data)] == ["root"]


@pytest.mark.parametrize("arguments", [["list"], ["activate", "x"], ["role", "x", "user"], ["rotate-signing-key"]])
def test_a_mistyped_folder_is_no_new_installation(run_here: Run, tmp_path: Path, arguments: list[str]) -> None:
    done = run_here("users", *arguments, "--data", tmp_path / "nothing")
    assert done.returncode == 2
    assert b"there is no installation" in done.stderr.replace(b"\n", b" ")
    assert not (tmp_path / "nothing").exists()


def test_a_name_cannot_draw_on_the_terminal(run_here: Run, tmp_path: Path) -> None:
    data = tmp_path / "data"
    assert typed(run_here, PASSWORD, "create", "a'; DROP TABLE users --", "--admin", "--data", data).returncode == 0
    lines = run_here("users", "list", "--data", data).stdout.decode().splitlines()
    assert [line.split("  ")[0] for line in lines] == ["name", "a'; DROP TABLE users --"]
    assert "admin  open   never" in lines[1]


def test_after_a_leak_old_tokens_are_worth_nothing(run_here: Run, tmp_path: Path) -> None:
    data = tmp_path / "data"
    with live(settings_for(data)) as server:
        account = {"username": "ada", "password": PASSWORD}
        assert requests.post(f"{server.url}/auth/register", json=account, timeout=60).status_code == 201
        entered = requests.post(f"{server.url}/auth/login", json=account, timeout=60).json()
    assert run_here("users", "rotate-signing-key", "--now", "--data", data).returncode == 0
    with live(settings_for(data)) as server:
        ada = Visitor(server=server, headers={"Authorization": f"Bearer {entered['access_token']}"})
        assert ada.get("/auth/me").status_code == 401
        body = {"refresh_token": entered["refresh_token"]}
        assert requests.post(f"{server.url}/auth/refresh", json=body, timeout=60).status_code == 200


def test_on_a_terminal_it_is_asked_for_and_not_shown(environment: dict[str, str], tmp_path: Path) -> None:
    """And asked for twice, as nobody sees what he types."""
    leader, follower = pty.openpty()
    command = [*COMMAND, "users", "create", "ada", "--data", str(tmp_path / "data")]
    process = subprocess.Popen(command, env=environment, stdin=follower, stdout=follower, stderr=follower)
    os.close(follower)
    seen = b""
    try:
        for prompt, answer in ((b"Password: ", PASSWORD), (b"confirmation: ", PASSWORD)):
            while not seen.endswith(prompt):
                seen += os.read(leader, 1024)
            os.write(leader, f"{answer}\n".encode())
        while b"has an account now" not in seen:
            seen += os.read(leader, 1024)
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.wait()
        os.close(leader)
    assert PASSWORD.encode() not in seen
