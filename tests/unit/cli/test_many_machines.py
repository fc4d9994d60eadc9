"""Servers and workers that share nothing but PostgreSQL and a store of recordings, each in a folder of its own."""

from __future__ import annotations

import hashlib
import secrets
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import requests

from tests.postgres import Postgres
from tests.s3_server import s3_server
from tests.speech import AUDIO
from tests.unit.cli.serving import server, service
from tests.visitor import PASSWORD
from whispercore.encryption import age

PIECE_BYTES = 1 << 16
RECORDINGS = ("clip01-en.wav", "clip03-en.wav", "clip06-en.wav", "clip07-en.wav")


def test_two_servers_take_what_comes_and_two_workers_do_each_job_once(
    environment: dict[str, str], postgres: Postgres, postgres_template: str, tmp_path: Path
) -> None:
    name, bucket = postgres.new(postgres_template), s3_server().bucket()
    environment.update(
        POSTGRES_HOST=str(postgres.folder),
        POSTGRES_DB=name,
        WHISPERCORE_MODEL="micro",
        WHISPERCORE_RATE_PROFILE="none",
        WHISPERCORE_S3_ENDPOINT=str(bucket.endpoint),
        WHISPERCORE_S3_BUCKET=bucket.name,
        WHISPERCORE_S3_REGION=str(bucket.region),
        WHISPERCORE_S3_ACCESS_KEY=str(bucket.access_key),
        WHISPERCORE_S3_SECRET_KEY=str(bucket.secret_key),
        WHISPERCORE_MASTER_KEY=age.new_identity(),
        **{f"WHISPERCORE_{key}_KEY": secrets.token_hex(20) for key in ("ADMIN", "TOKEN", "AUDIT")},
    )
    with ExitStack() as stack, ThreadPoolExecutor() as threads:
        _, one = stack.enter_context(server(environment, tmp_path / "one", "--no-worker"))
        _, two = stack.enter_context(server(environment, tmp_path / "two", "--no-worker"))
        workers = [
            stack.enter_context(service(environment, "worker", "--slots", 1, "--data", tmp_path / f"worker{number}"))
            for number in range(2)
        ]
        for worker in workers:
            worker.until("Ctrl-C")
        ann = {"username": "ann", "password": PASSWORD}
        assert requests.post(f"{one}/auth/register", json={**ann, "email": "a@b.cd"}, timeout=60).status_code == 201
        token = requests.post(f"{one}/auth/login", json=ann, timeout=60).json()["access_token"]
        headers = {"Authorization": f"Bearer {token}"}

        def sent(number: int) -> str:
            path = AUDIO / RECORDINGS[number]
            with path.open("rb") as file:
                answer = requests.post(
                    f"{(one, two)[number % 2]}/api/jobs/",
                    headers=headers,
                    files={"file": (path.name, file)},
                    data={"model": "micro"},
                    timeout=60,
                )
            assert answer.status_code == 201, answer.text
            return str(answer.json()["job_id"])

        def done(number: int) -> dict[str, Any]:
            """As the server tells it that did not take it."""
            job_id, other = sent(number), (two, one)[number % 2]
            stream = f"{other}/api/progress/{job_id}/events"
            with requests.get(stream, headers=headers, stream=True, timeout=60) as events:
                for _ in events.iter_lines():
                    pass
            found: dict[str, Any] = requests.get(f"{other}/api/jobs/{job_id}", headers=headers, timeout=60).json()
            return found

        def sent_in_pieces() -> str:
            """Each server takes every second piece, and the one that did not begin it puts them together."""
            recording = (AUDIO / RECORDINGS[0]).read_bytes()
            pieces = [recording[at : at + PIECE_BYTES] for at in range(0, len(recording), PIECE_BYTES)]
            begun = requests.post(
                f"{one}/api/chunked-uploads/initialize",
                headers=headers,
                json={"filename": "pieces.wav", "file_size": len(recording), "chunk_size": PIECE_BYTES},
                timeout=60,
            ).json()
            for number, piece in enumerate(pieces):
                answer = requests.post(
                    f"{(two, one)[number % 2]}/api/chunked-uploads/{begun['session_id']}/chunks/{number}",
                    headers={**headers, "Content-Type": "application/octet-stream"},
                    data=piece,
                    timeout=60,
                )
                assert answer.status_code == 200, answer.text
            made = requests.post(
                f"{two}/api/chunked-uploads/{begun['session_id']}/finalize",
                headers=headers,
                json={"model": "micro"},
                timeout=60,
            ).json()
            assert made["file_hash"] == hashlib.sha256(recording).hexdigest()
            return str(made["job_id"])

        assert sent_in_pieces()
        jobs = list(threads.map(done, range(len(RECORDINGS))))
        assert [(job["status"], job["attempt"]) for job in jobs] == [("completed", 1)] * len(RECORDINGS)
        assert all(job["transcript"]["text"] for job in jobs)
        for worker in workers:
            worker.stop()
    postgres.drop(name)
