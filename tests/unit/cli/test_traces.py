"""Traces that leave for a collector: from the client through the server into a worker and its engine's child."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.collector import Collected, Collector, collecting
from whispercore_server.cli.exits import ExitCode

from .conftest import AUDIO
from .serving import server, service

KEY = "a-key-for-the-tests-of-traces-0123456789"
CLIENT = """
import sys
from opentelemetry import trace
from whispercore_client import Client
from whispercore_server.exporting import exported_traces

url, key, recording = sys.argv[1:]
with exported_traces(), Client(url, api_key=key) as client:
    with trace.get_tracer("program").start_as_current_span("program"):
        print(client.transcribe(recording, model="micro", language="en").job_id)
"""
SERVER, CLIENT_KIND, CONSUMER = 2, 3, 5


@pytest.fixture(scope="module")
def traced(tmp_path_factory: pytest.TempPathFactory) -> tuple[Collector, list[dict[str, object]], int]:
    """What a collector got of one transcription, the worker's log, and the worker's process id."""
    folder = tmp_path_factory.mktemp("traced")
    with collecting() as collector:
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("WHISPERCORE_", "OTEL_"))},
            "WHISPERCORE_MODELS": str(folder / "models"),
            "WHISPERCORE_OFFLINE": "1",
            "WHISPERCORE_ADMIN_KEY": KEY,
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
        }
        with (
            server(environment, folder / "data", "--no-worker") as (serving, url),
            service(environment, "worker", "--data", folder / "data") as working,
        ):
            working.until("Ctrl-C")
            command = [sys.executable, "-c", CLIENT, url, KEY, str(AUDIO / "clip01-en.wav")]
            subprocess.run(command, env=environment, check=True, capture_output=True, timeout=120)
            pid = working.process.pid
            log = working.stop()
            serving.stop()
    lines = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
    return collector, lines, pid


def chain(collector: Collector, last: Collected) -> list[Collected]:
    """A span and those that it is in, the outermost first."""
    by_id = {one.span_id: one for one in collector.spans}
    found = [last]
    while found[0].parent_id:
        found.insert(0, by_id[found[0].parent_id])
    return found


def test_one_trace_from_the_client_into_the_engines_child(
    traced: tuple[Collector, list[dict[str, object]], int],
) -> None:
    collector, _, worker_pid = traced
    (computed,) = collector.named("compute in the engine's child")
    way = chain(collector, computed)
    assert [one.name for one in way] == [
        "program",
        "POST /api/jobs/",
        "POST /api/jobs/",
        "transcribe",
        "decode a window",
        "compute in the engine's child",
    ]
    assert len({one.trace_id for one in way}) == 1
    assert [one.kind for one in way[1:4]] == [CLIENT_KIND, SERVER, CONSUMER]
    processes = [one.resource["process.pid"] for one in way]
    assert len(set(processes)) == 3, "client, server and worker"
    assert processes[3] == worker_pid
    child = computed.attributes["process.pid"]
    assert child not in processes
    assert not psutil.pid_exists(int(child))
    assert way[4].began_ns <= computed.began_ns < computed.ended_ns <= way[4].ended_ns
    assert {one.resource["service.name"] for one in way} == {"whispercore"}
    assert way[2].attributes["http.response.status_code"] == 201


def test_nothing_in_them_is_secret_or_said(traced: tuple[Collector, list[dict[str, object]], int]) -> None:
    collector, _, _ = traced
    sent = b"".join(collector.bodies)
    assert KEY.encode() not in sent
    assert b"clip01" not in sent


def test_the_log_names_the_trace(traced: tuple[Collector, list[dict[str, object]], int]) -> None:
    collector, lines, _ = traced
    (job,) = collector.named("transcribe")
    (line,) = [one for one in lines if str(one["message"]).endswith(": transcribed")]
    assert (line["trace_id"], line["span_id"]) == (job.trace_id, job.span_id)
    attributes = line["attributes"]
    assert isinstance(attributes, dict)
    assert attributes["job_id"] == job.attributes["job.id"]


def test_a_collector_that_is_away_stops_nothing(environment: dict[str, str], tmp_path: Path) -> None:
    with server(environment | {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}, tmp_path) as (running, _):
        running.stop()
        assert running.process.returncode == 0


def test_without_the_extra_it_says_what_to_install(environment: dict[str, str], tmp_path: Path) -> None:
    arguments = ["whispercore", "serve", "--data", str(tmp_path)]
    code = f"import sys; sys.modules['opentelemetry'] = None; sys.argv = {arguments}"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nfrom whispercore_server.cli import main\nmain()"],
        env=environment | {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == ExitCode.FAILED
    assert "pip install 'whispercore[otel]'" in done.stderr
    assert "Traceback" not in done.stderr


def test_without_a_collector_nothing_is_imported(tmp_path: Path) -> None:
    code = f"""
import sys
from pathlib import Path
from whispercore_server.app import create_app
from whispercore_server.exporting import exported_traces
from whispercore_server.settings import ServerSettings
import whispercore_client, whispercore.pipeline
with exported_traces():
    create_app(ServerSettings(data=Path({str(tmp_path)!r})))
assert not [name for name in sys.modules if name.startswith(("opentelemetry", "google.protobuf", "structlog"))]
"""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
