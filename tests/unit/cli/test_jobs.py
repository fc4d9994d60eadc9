"""``whispercore jobs``: what a server's jobs look like from a terminal."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from tests.live import Live, live, settings_for
from whispercore_client import Client
from whispercore_server.cli import app
from whispercore_server.cli.exits import ExitCode

from .conftest import AUDIO

TEXT = "the teacher is in the station"


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    with live(settings_for(tmp_path_factory.mktemp("jobs"))) as server:
        yield server


@pytest.fixture
def client(here: Live) -> Iterator[Client]:
    with Client(here.url, api_key=here.admin_key) as client:
        yield client


@pytest.fixture(autouse=True)
def _asks_the_server(here: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHISPERCORE_SERVER", here.url)
    monkeypatch.setenv("WHISPERCORE_API_KEY", here.admin_key)


def jobs(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["jobs", *map(str, arguments)])


def test_a_job_from_its_beginning_to_its_end(client: Client) -> None:
    job_id = client.jobs.create(file=AUDIO / "clip01-en.wav", model="micro", language="en").job_id
    shown = jobs("show", job_id, "--wait")
    assert shown.exit_code == 0, shown.output
    assert "status:    completed" in shown.output
    assert shown.output.endswith(f"\n\n{TEXT}\n")
    listed = jobs("list")
    assert listed.output.split("\n")[0].split() == ["id", "status", "made", "took", "model", "recording"]
    assert f"{job_id}  completed" in listed.output
    assert [json.loads(line)["job_id"] for line in jobs("list", "--json", "--limit", 1).output.splitlines()] == [job_id]
    assert jobs("list", "--status", "failed").output.count("\n") == 1
    assert json.loads(jobs("show", job_id, "--json").output)["transcript"]["text"] == TEXT
    refused = jobs("cancel", job_id)
    assert refused.exit_code != 0
    assert "completed and cannot be cancelled" in refused.stderr
    assert jobs("delete", job_id).output == f"{job_id}: deleted\n"
    assert "no job" in jobs("show", job_id).stderr


def test_jobs_that_wait(client: Client) -> None:
    made = client.batches.create(files=[AUDIO / "clip01-en.wav"] * 2, model="micro", auto_start=False)
    ids = [one.job_id for one in made.files if one.job_id is not None]
    assert jobs("cancel", *ids).output == "".join(f"{one}: cancelled\n" for one in ids)
    assert jobs("retry", ids[0]).output == f"{ids[0]}: queued\n"
    client.batches.start(made.batch_id)
    assert jobs("show", ids[0], "--wait").exit_code == 0
    client.batches.delete(made.batch_id)


def test_a_failure_is_an_exit_code(client: Client) -> None:
    made = client.batches.create(files=[b"no recording"], model="micro")
    job_id = made.files[0].job_id
    shown = jobs("show", job_id, "--wait")
    assert shown.exit_code == ExitCode.FAILED
    assert "status:    failed" in shown.output
    assert "error:" in shown.output
    client.batches.delete(made.batch_id)


def test_what_is_wrong_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    del tmp_path
    monkeypatch.delenv("WHISPERCORE_API_KEY")
    wants_key = jobs("list")
    assert wants_key.exit_code == ExitCode.USAGE
    assert "--api-key" in wants_key.stderr
    assert jobs("list", "--status", "done").exit_code == ExitCode.USAGE
    nobody = jobs("list", "--server", "http://127.0.0.1:1")
    assert nobody.exit_code != 0
    assert "127.0.0.1:1" in nobody.stderr
    monkeypatch.delenv("WHISPERCORE_SERVER")
    assert "--server" in jobs("list").stderr
