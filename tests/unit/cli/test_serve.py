"""``whispercore serve`` as a process: what it says, when it starts, how it ends."""

from __future__ import annotations

import re
import signal
import socket
import urllib.request
from pathlib import Path

import pytest
import requests

from whispercore_server.cli.exits import ExitCode

from .conftest import Run
from .serving import server, service

KEY = re.compile(r"^    (\S{32,200})$", re.MULTILINE)


def status(url: str) -> int:
    with urllib.request.urlopen(url, timeout=60) as answer:  # noqa: S310
        return int(answer.status)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_from_start_to_end(environment: dict[str, str], tmp_path: Path, number: signal.Signals) -> None:
    data = tmp_path / "new" / "data"
    with server(environment, data) as (running, url):
        assert url.startswith("http://127.0.0.1:")
        assert status(f"{url}/live") == 200
        said = running.stop(number)
        assert (running.process.returncode, running.process.stdout and running.process.stdout.read()) == (0, "")
    assert len(KEY.findall(said)) == 1
    assert f"documents at {url}/docs, data in {data}\n" in said
    assert said.endswith("Stopping; once more to stop at once.\n")
    assert {path.name for path in data.parent.iterdir()} == {"data"}
    with server(environment, data) as (running, _):
        assert KEY.findall(running.stop()) == [], "the key is shown only once"


def test_a_log_that_nobody_reads_holds_nobody_up(environment: dict[str, str], tmp_path: Path) -> None:
    logging = environment | {"WHISPERCORE_LOG_REQUESTS": "1"}
    with server(logging, tmp_path) as (running, url), requests.Session() as session:
        for _ in range(600):  # the pipe has room for less than half of what is said about these
            assert session.get(f"{url}/api/jobs/", timeout=60).status_code in {401, 429}
        said = running.stop()
    assert 0 < said.count("/api/jobs/") < 600


def test_a_key_of_the_environment_is_never_shown(environment: dict[str, str], tmp_path: Path) -> None:
    key = "0123456789" * 4
    with server(environment | {"WHISPERCORE_ADMIN_KEY": key}, tmp_path) as (running, url):
        request = urllib.request.Request(f"{url}/api/jobs/", headers={"X-API-Key": key})  # noqa: S310
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
            assert answer.status == 200
        assert key not in running.stop()


def test_a_key_that_is_too_short(environment: dict[str, str], tmp_path: Path) -> None:
    with service(environment | {"WHISPERCORE_ADMIN_KEY": "hunter2"}, "serve", "--data", tmp_path) as refused:
        assert refused.process.wait(60) == ExitCode.USAGE
        assert refused.process.stderr is not None
        assert refused.process.stderr.read() == (
            "error: WHISPERCORE_ADMIN_KEY: it has 7 characters, but has to have 32 to 200\n"
        )


def test_two_servers_on_one_folder(environment: dict[str, str], tmp_path: Path, run: Run) -> None:
    with server(environment, tmp_path) as (running, url):
        second = run("serve", "--data", tmp_path, "--port", 0)
        assert (second.returncode, second.stdout) == (ExitCode.FAILED, b"")
        words = f"error: another server (process {running.process.pid}) uses the folder {tmp_path}\n"
        assert second.stderr.decode() == words
        assert status(f"{url}/live") == 200


def test_after_a_kill_it_starts_again(environment: dict[str, str], tmp_path: Path) -> None:
    with server(environment, tmp_path) as (running, _):
        running.process.kill()
        running.process.wait()
        with server(environment, tmp_path) as (again, url):
            assert status(f"{url}/live") == 200
            again.stop()
            assert again.process.returncode == 0


def test_a_port_in_use_costs_nothing(tmp_path: Path, run: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        refused = run("serve", "--data", tmp_path, "--port", port)
    assert refused.returncode == ExitCode.FAILED
    words = f"error: 127.0.0.1 port {port} is in use by another program; choose another one with --port\n"
    assert refused.stderr.decode() == words
    assert [path.name for path in tmp_path.iterdir()] == ["server.lock"], "no database was made, so no key is lost"


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--data", "/proc/self/x"), ExitCode.USAGE, "error: --data: the folder /proc/self/x cannot be made: "),
        (("--data", "clip01-en.wav"), ExitCode.USAGE, "clip01-en.wav is not a folder"),
        (("--data", "DATA", "--host", "no.such.invalid"), ExitCode.USAGE, "error: --host: 'no.such.invalid' has no"),
        (("--data", "DATA", "--without", "nonsense"), ExitCode.USAGE, "error: --without: no plugin is called"),
        (("--data", "DATA", "--config", "x.toml"), ExitCode.USAGE, "x.toml cannot be read: No such file or directory"),
        (("--data", "DATA", "--port", "65536"), ExitCode.USAGE, "Invalid value for '--port'"),
    ],
)
def test_what_cannot_work_is_a_sentence(
    arguments: tuple[str, ...], code: ExitCode, words: str, tmp_path: Path, run: Run
) -> None:
    refused = run("serve", *(str(tmp_path) if one == "DATA" else one for one in arguments))
    assert (refused.returncode, refused.stdout) == (code, b"")
    assert words in refused.stderr.decode()
    assert "Traceback" not in refused.stderr.decode()


@pytest.mark.parametrize("command", ["serve", "worker"])
def test_a_file_that_is_no_database(command: str, tmp_path: Path, run: Run) -> None:
    (tmp_path / "whispercore.db").write_bytes(b"this is no database, whatever its name says" * 100)
    refused = run(command, "--data", tmp_path)
    assert (refused.returncode, refused.stdout) == (ExitCode.FAILED, b"")
    assert refused.stderr == b"error: the database cannot be used: file is not a database\n"
