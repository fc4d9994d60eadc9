"""kill -9 of the whole server in mid-batch: while its archive is unpacked, and while its files are worked on."""

from __future__ import annotations

import random
import threading
from pathlib import Path

import pytest

from tests.batches import zipped
from tests.crash.mortal_server import KEY, SLOTS, Server, eventually
from tests.speech import truth
from whispercore.api.transcriber.batches import BatchDetail
from whispercore.errors import WhispercoreError
from whispercore_client import Client

NAMES = ("clip01-en.wav", "talk.wav", "clip02-en.wav", "inner.zip", "noise.wav")
JOBS = 4
"""What becomes one: an archive in the archive does not."""
KILLS_AT_WORK = 2


def archive(audio: Path) -> bytes:
    noise = random.Random(1).randbytes(24 << 20)  # noqa: S311 (no secret)
    contents = [(audio / name).read_bytes() for name in NAMES[:3]]
    return zipped(dict(zip(NAMES, [*contents, zipped({"a.txt": b"a"}), b"\0" + noise], strict=True)))


def sent(server: Server, content: bytes) -> BatchDetail:
    with Client(server.url, api_key=KEY).with_options(retries=0) as client:
        made: BatchDetail = client.batches.create(
            archive=content, model="micro", max_parallel_jobs=2, batch_name="torn", idempotency_key="once"
        )
        return made


@pytest.mark.timeout(300)
def test_every_file_of_a_batch_ends_once(server: Server, audio: Path) -> None:
    content, staging = archive(audio), server.folder / "data" / "files" / "staging"
    refused: list[WhispercoreError] = []

    def send() -> None:
        try:
            sent(server, content)
        except WhispercoreError as error:
            refused.append(error)

    sending = threading.Thread(target=send)
    sending.start()
    eventually(lambda: staging.is_dir() and len(list(staging.iterdir())) > 1)  # the archive, and what was in it
    assert server.kill() == []
    sending.join()
    assert len(refused) == 1, "the sender was told nothing good"
    server.start()
    with Client(server.url, api_key=KEY) as client:
        assert (client.batches.list().total, client.jobs.list().total) == (0, 0), "none of it, and not a half"
    made = sent(server, content)
    for _ in range(KILLS_AT_WORK):
        server.decodes(3)
        assert server.kill() == []
        server.start()
    with Client(server.url, api_key=KEY) as client:
        eventually(lambda: client.batches.get(made.batch_id).processed_files == len(NAMES), within_s=120)
        done = client.batches.get(made.batch_id)
        assert [one.filename for one in done.files] == list(NAMES)
        assert [one.failure_reason for one in done.files] == [None, None, None, "not_unpacked", "not_media"]
        ids = [one.job_id for one in done.files]
        jobs = list(client.jobs.list.each())
        assert {one.job_id for one in jobs} == {one for one in ids if one is not None}
        assert (len(jobs), client.batches.list().total) == (JOBS, 1)
        for job_id, name in ((ids[0], NAMES[0]), (ids[2], NAMES[2])):
            assert job_id is not None
            job = client.jobs.get(job_id)
            assert job.transcript is not None
            assert job.transcript.text == truth()[name]["text"]
        windows = sum(client.progress.get(one).total_segments for one in ids[:3] if one is not None)
    assert sent(server, content).batch_id == made.batch_id
    lost = 2 * SLOTS  # what was at work in each slot, and what was done there and not written down yet
    assert server.lines("begun") <= windows + KILLS_AT_WORK * lost, "nothing that was kept is done again"
