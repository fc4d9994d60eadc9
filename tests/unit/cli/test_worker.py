"""``whispercore worker`` as a process."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

from whispercore_client import Client
from whispercore_server.cli.exits import ExitCode

from .conftest import AUDIO, Run
from .serving import server, service

KEY = "a-key-for-the-tests-of-the-command-line"


def test_several_beside_a_server(environment: dict[str, str], tmp_path: Path) -> None:
    with server(environment, tmp_path, "--no-worker") as (running, _):
        with (
            service(environment, "worker", "--data", tmp_path) as one,
            service(environment, "worker", "--data", tmp_path, "--slots", 1) as two,
        ):
            assert one.until(" works on .*") == f" works on the jobs in {tmp_path}, 2 at once"
            assert two.until("[0-9] at once") == "1 at once"
            for worker in (one, two):
                worker.until("Ctrl-C")
                assert worker.stop().endswith("Stopping; once more to stop at once.\n")
                assert worker.process.returncode == 0
        running.stop()


def test_the_jobs_of_a_server(environment: dict[str, str], tmp_path: Path, run: Run) -> None:
    environment = environment | {"WHISPERCORE_ADMIN_KEY": KEY}
    with server(environment, tmp_path, "--no-worker") as (running, url), Client(url, api_key=KEY) as client:
        waiting = client.jobs.create(file=AUDIO / "clip01-en.wav", model="micro")
        assert client.jobs.get(waiting.job_id).status == "queued"
        with service(environment, "worker", "--data", tmp_path) as worker:
            result = run("transcribe", "clip01-en.wav", "-m", "micro", "--server", url, "--api-key", KEY)
            assert (result.returncode, result.stdout, result.stderr) == (0, b"the teacher is in the station\n", b"")
            assert client.wait(waiting.job_id, timeout_s=30).status == "completed"
            worker.stop()
        running.stop()


def test_one_that_cannot_end_in_order_ends_all_the_same(environment: dict[str, str], tmp_path: Path) -> None:
    """As while its database is away; here somebody else writes for too long."""
    limited = environment | {"WHISPERCORE_STOP_WITHIN_S": "1"}
    with service(limited, "worker", "--data", tmp_path) as worker:
        worker.until("Ctrl-C")
        path = tmp_path / "whispercore.db"
        with contextlib.closing(sqlite3.connect(path, timeout=60, isolation_level=None)) as db:
            db.execute("BEGIN IMMEDIATE")
            said = worker.stop()
    assert "did not end in order within 1 s" in said
    assert worker.process.returncode == ExitCode.FAILED


def test_a_folder_that_cannot_be(run: Run) -> None:
    refused = run("worker", "--data", "clip01-en.wav")
    assert (refused.returncode, refused.stdout) == (ExitCode.USAGE, b"")
    assert refused.stderr.decode().endswith("clip01-en.wav is not a folder\n")
