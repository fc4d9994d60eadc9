"""``whispercore upload``: recordings to a server, over breaks."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from tests.live import ADMIN_KEY, Live, live, settings_for
from whispercore_client import Client
from whispercore_server.cli import app
from whispercore_server.cli.exits import ExitCode

from .conftest import AUDIO


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    with live(settings_for(tmp_path_factory.mktemp("data")), worker=False) as server:
        yield server


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the command remembers what it has begun."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("WHISPERCORE_API_KEY", ADMIN_KEY)
    return tmp_path / "state" / "whispercore" / "uploads.json"


def upload(server: Live, *arguments: object) -> Result:
    return CliRunner().invoke(app, ["upload", "--server", server.url, "-m", "micro", *map(str, arguments)])


def test_recordings_are_sent(running: Live, state: Path) -> None:
    done = upload(running, AUDIO / "clip01-en.wav", AUDIO / "clip02-en.wav")
    assert done.exit_code == 0, done.output
    ids = [line.rpartition(" ")[2] for line in done.stdout.splitlines()]
    with Client(running.url, api_key=ADMIN_KEY) as client:
        assert [client.jobs.get(one).filename for one in ids] == ["clip01-en.wav", "clip02-en.wav"]
    assert json.loads(state.read_text()) == {}


def test_what_was_interrupted_goes_on(running: Live, state: Path) -> None:
    path = AUDIO / "clip03-en.wav"
    with Client(running.url, api_key=ADMIN_KEY) as client:
        begun = client.chunked_uploads.initialize(filename=path.name, file_size=path.stat().st_size, chunk_size=1 << 16)
        client.chunked_uploads.send(begun.session_id, 1, chunk_data=path.read_bytes()[1 << 16 : 2 << 16])
        name = f"{running.url} {path} {path.stat().st_size} {path.stat().st_mtime_ns}"
        state.parent.mkdir(parents=True)
        state.write_text(json.dumps({name: begun.session_id}))
        assert upload(running, path).exit_code == 0
        assert client.chunked_uploads.status(begun.session_id).status == "completed"


def test_what_was_killed_at_its_end_is_no_second_job(running: Live, state: Path) -> None:
    path = AUDIO / "clip06-en.wav"
    with Client(running.url, api_key=ADMIN_KEY) as client:
        sent = client.upload_file(path)
        key = sent.session_id
        made = client.chunked_uploads.finalize(key, model="micro", idempotency_key=key)
        name = f"{running.url} {path} {path.stat().st_size} {path.stat().st_mtime_ns}"
        state.parent.mkdir(parents=True)
        state.write_text(json.dumps({name: key}))
        assert upload(running, path).stdout.split()[-1] == made.job_id
        assert json.loads(state.read_text()) == {}
        state.write_text(json.dumps({name: key}))
        other = upload(running, path, "--language", "en")
        assert other.exit_code == 0, other.output
        assert other.stdout.split()[-1] != made.job_id, "which is not what is asked for"


def test_what_is_over_is_begun_anew(running: Live, state: Path) -> None:
    path = AUDIO / "clip04-en.wav"
    state.parent.mkdir(parents=True)
    name = f"{running.url} {path} {path.stat().st_size} {path.stat().st_mtime_ns}"
    state.write_text(json.dumps({name: "nothing"}))
    assert upload(running, path).exit_code == 0
    state.write_text("not JSON")
    assert upload(running, path).exit_code == 0


def test_recordings_are_encrypted_before_they_are_sent(running: Live, state: Path) -> None:
    path = AUDIO / "clip05-en.wav"
    done = upload(running, path, "--encrypt")
    assert done.exit_code == 0, done.output
    with Client(running.url, api_key=ADMIN_KEY) as client:
        assert client.jobs.get(done.stdout.split()[-1]).filename == path.name
        own_key = client.files_v1.keys.me().public_key
    assert upload(running, path, "--encrypt", "--own-key", own_key).exit_code == 0
    assert upload(running, path, "--encrypt", "--own-key", "age1nonsense").exit_code == ExitCode.USAGE
    assert upload(running, path, "--own-key", own_key).exit_code == ExitCode.USAGE
    assert not state.exists()


def test_what_cannot_be_sent(running: Live, state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    del state
    assert upload(running, "missing.wav").exit_code != 0
    monkeypatch.setenv("WHISPERCORE_API_KEY", "no key of that server")
    assert upload(running, AUDIO / "clip01-en.wav").exit_code != 0
    without = upload(running, AUDIO / "clip01-en.wav", "--api-key", "")
    assert (without.exit_code, "--api-key: this server wants one" in without.stderr) == (ExitCode.USAGE, True)
