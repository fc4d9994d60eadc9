"""kill -9 of the whole server in mid-job, and cancelling over HTTP."""

from __future__ import annotations

from pathlib import Path

import pytest

import whispercore
from tests.crash.mortal_server import KEY, SLOTS, Server
from tests.processes import stop_soon
from whispercore.engines.whispercpp.engine import shared_threads
from whispercore_client import Client

ROUNDS = 5


@pytest.mark.timeout(300)
def test_five_kills_of_the_server_change_nothing(server: Server, audio: Path) -> None:
    # As many threads as the server's windows have: other counts change the last digits.
    undisturbed = whispercore.transcribe(audio / "talk.wav", model="micro", threads=shared_threads())
    with Client(server.url, api_key=KEY) as client:
        job_id = client.jobs.create(file=audio / "talk.wav", model="micro").job_id
    for _ in range(ROUNDS):
        server.decodes(3)
        assert server.kill() == []
        server.start()
    with Client(server.url, api_key=KEY) as client:
        job = client.wait(job_id, timeout_s=120)
        progress = client.progress.get(job_id)
    assert (job.status, job.failure_reason, job.attempt) == ("completed", None, ROUNDS + 1)
    assert job.transcript is not None
    assert job.transcript.text == undisturbed.text
    heard = [(one.start, one.end, one.text, one.confidence) for one in job.transcript.segments]
    assert heard == [(one.start_s, one.end_s, one.text, one.confidence) for one in undisturbed.segments]
    assert server.lines("begun") <= progress.total_segments + ROUNDS * SLOTS


def test_cancelling_stops_the_engine(server: Server, audio: Path) -> None:
    with Client(server.url, api_key=KEY) as client:
        job_id = client.jobs.create(file=audio / "talk.wav", model="micro").job_id
        server.decodes(3)  # it has two slots, and begins no third window before one of the others is kept
        engines = server.children("whispercpp.child")
        assert client.jobs.cancel(job_id).status == "cancelled"
        assert len(engines) == 1
        assert stop_soon(engines)
        assert client.jobs.get(job_id).status == "cancelled"
        assert client.jobs.get(job_id).partial_segments
