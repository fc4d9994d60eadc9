"""Many recordings at once."""

from __future__ import annotations

import asyncio
import io
import os
import struct
import threading
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.api.conftest import MakeServer
from tests.both_clients import Both, both
from tests.speech import truth
from tests.visitor import Visitor, registered
from whispercore.api.transcriber.batches import BatchDetail
from whispercore.errors import Conflict, InvalidRequest, KeyReused, NotFound, WhispercoreError


def zipped(files: Mapping[str, bytes]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return made.getvalue()


def stored(visitor: Visitor) -> int:
    """Bytes of recordings that are in the store."""
    folder = visitor.server.ports.settings.data / "files"
    return sum(one.stat().st_size for one in folder.rglob("*") if one.is_file())


async def over(client: Both, batch_id: str) -> BatchDetail:
    while True:
        found: BatchDetail = await client.call(lambda c: c.batches.get(batch_id))
        if found.processed_files == found.total_files:
            return found
        await asyncio.sleep(0.05)


async def test_a_failure_of_one_does_not_stop_the_others(client: Both, audio: Path) -> None:
    made: BatchDetail = await client.call(
        lambda c: c.batches.create(
            files=[audio / "clip01-en.wav", b"these are no recording", audio / "clip02-en.wav"],
            model="micro",
            language="en",
            batch_name="interviews",
            description="of May",
        )
    )
    assert (made.batch_name, made.description, made.total_files, made.model) == ("interviews", "of May", 3, "micro")
    assert [one.filename for one in made.files] == ["clip01-en.wav", "upload", "clip02-en.wav"]
    done = await over(client, made.batch_id)
    assert (done.status, done.successful_files, done.failed_files, done.progress_percentage) == ("completed", 2, 1, 100)
    assert [one.status for one in done.files] == ["completed", "failed", "completed"]
    assert done.files[1].failure_reason == "not_media"
    for one in (done.files[0], done.files[2]):
        job = await client.call(lambda c: c.jobs.get(one.job_id))  # noqa: B023 (called at once)
        assert job.transcript is not None
        assert job.transcript.text == truth()[one.filename]["text"]
    summary = await client.call(lambda c: c.batches.summary())
    assert (summary.total_batches, summary.total_files, summary.successful_files) == (1, 3, 2)
    page = await client.call(lambda c: c.batches.list())
    assert [row.batch_id for row in page.batches] == [made.batch_id]


async def test_an_archive_is_unpacked(client: Both, audio: Path) -> None:
    clip = (audio / "clip01-en.wav").read_bytes()
    archive = zipped(
        {
            "folder/clip01-en.wav": clip,
            "../../etc/évil.wav": clip,
            "__MACOSX/._clip01-en.wav": b"x",
            "inner.zip": zipped({"clip.wav": clip}),
            "empty.wav": b"",
        }
    )
    made: BatchDetail = await client.call(lambda c: c.batches.create(archive=archive, model="micro", language="en"))
    assert [one.filename for one in made.files] == ["clip01-en.wav", "évil.wav", "inner.zip", "empty.wav"]
    done = await over(client, made.batch_id)
    assert [one.status for one in done.files] == ["completed", "completed", "failed", "failed"]
    assert done.files[2].error == "it is an archive itself, which is not unpacked"
    assert done.files[3].failure_reason == "not_media"


def bomb() -> bytes:
    return zipped({f"{number}.wav": bytes(30 << 20) for number in range(5)})


def lying_bomb() -> bytes:
    """Entries that say they are small."""
    made = bytearray(bomb())
    size = (30 << 20).to_bytes(4, "little")
    while (at := made.find(size)) >= 0:
        made[at : at + 4] = (1000).to_bytes(4, "little")
    return bytes(made)


def wordy() -> bytes:
    """An archive that is nearly all directory, whose entries are all the same one."""
    made = zipped({"a.wav": b"x"})
    begin = made.index(b"PK\1\2")
    directory = made[begin : made.index(b"PK\5\6")] * 100_000
    number = 100_000
    end = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, number, number, len(directory), begin)
    where = struct.pack("<4sLQL", b"PK\6\7", 0, begin + len(directory), 1)
    last = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    return made[:begin] + directory + end + where + last


def claiming(size_bytes: int) -> bytes:
    """An archive with an entry that says, in 64 bits, that it is so large."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        entry = zipfile.ZipInfo("a.wav")
        archive.writestr(entry, b"x")
        entry.file_size = size_bytes  # of this, the directory tells
    return made.getvalue()


@pytest.mark.parametrize(
    ("archive", "why"),
    [
        (bomb(), "measure|bomb|validation"),
        (b"PK\x03\x04 and nothing behind", "no ZIP"),
        (zipped({}), "no file"),
        (zipped({"folder/": b""}), "no file"),
        (zipped({f"{number}.wav": b"x" for number in range(101)}), "101 files"),
        (zipped({f"{number}/": b"" for number in range(10_001)}), "10001 entries"),
        (wordy(), "directory is too long"),
    ],
    ids=["bomb", "broken", "empty", "folder", "many", "folders", "wordy"],
)
async def test_archives_that_are_refused(client: Both, newcomer: Visitor, archive: bytes, why: str) -> None:
    before = stored(newcomer)
    with pytest.raises(WhispercoreError, match=f"(?i){why}"):
        await client.call(lambda c: c.batches.create(archive=archive, model="micro"))
    assert stored(newcomer) == before
    assert newcomer.get("/api/v1/batch/").json()["total"] == 0


@pytest.mark.parametrize("archive", [bomb(), claiming(1 << 40)], ids=["bomb", "claiming"])
async def test_a_bomb_is_refused_where_nothing_is_screened(make_server: MakeServer, archive: bytes, kind: str) -> None:
    server = make_server(worker=False, screening="off")
    ann = registered(server)
    async with both(kind, server.url, token=ann.token) as client:
        with pytest.raises(InvalidRequest, match="grows beyond measure"):
            await client.call(lambda c: c.batches.create(archive=archive, model="micro"))
    assert stored(ann) == 0
    assert ann.get("/api/v1/batch/").json()["total"] == 0


def encrypted(data: bytes) -> bytes:
    """An archive whose only entry says that it is encrypted."""
    made = bytearray(data)
    for signature, flags in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        made[made.index(signature) + flags] |= 1
    return bytes(made)


def odd(clip: bytes) -> bytes:
    """An archive with names and entries that few programs make."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # two with one name
        for name in ("same.wav", "same.wav", "", "C:\\boot\\..\\.wav", "..", "a\u202egnp.wav", "n" * 300 + ".wav"):
            archive.writestr(zipfile.ZipInfo(name), clip)
        link = zipfile.ZipInfo("link.wav")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
    return made.getvalue()


async def test_odd_entries_are_files_like_others(client: Both, audio: Path) -> None:
    clip = (audio / "clip01-en.wav").read_bytes()
    made: BatchDetail = await client.call(lambda c: c.batches.create(archive=odd(clip), model="micro", language="en"))
    done = await over(client, made.batch_id)
    assert [one.filename for one in done.files] == [
        *("same.wav", "same.wav", "unnamed", ".wav", "unnamed", "agnp.wav"),
        "n" * 251 + ".wav",
        "link.wav",
    ]
    assert [one.status for one in done.files] == [*["completed"] * 7, "failed"]
    assert len({one.job_id for one in done.files}) == len(done.files)


async def test_what_is_encrypted_stays_in(client: Both) -> None:
    archive = encrypted(zipped({"a.wav": b"x" * 100}))
    made: BatchDetail = await client.call(lambda c: c.batches.create(archive=archive, model="micro"))
    assert [(one.filename, one.failure_reason, one.error) for one in made.files] == [
        ("a.wav", "not_unpacked", "it is encrypted")
    ]


async def test_an_archive_that_lies_gives_nothing_out(client: Both, newcomer: Visitor) -> None:
    made: BatchDetail = await client.call(lambda c: c.batches.create(archive=lying_bomb(), model="micro"))
    assert {one.failure_reason for one in made.files} == {"not_unpacked"}
    assert made.status == "failed"
    assert newcomer.get("/api/jobs/").json()["total"] == 0


async def test_no_more_are_in_work_than_wanted(make_server: MakeServer, audio: Path, kind: str) -> None:
    server = make_server(worker=False, reuse_results=False)
    ann = registered(server)
    async with both(kind, server.url, token=ann.token) as client:
        made = await client.call(
            lambda c: c.batches.create(
                files=[audio / "clip01-en.wav"] * 4, model="micro", max_parallel_jobs=2, auto_start=False
            )
        )
        assert made.status == "pending"

        async def claimed() -> str | None:
            claim = await server.ports.jobs.queue.claim("w", ["transcribe"])
            return claim.job.id if claim is not None else None

        ids = [one.job_id for one in made.files]
        assert server.run(claimed()) is None
        assert (await client.call(lambda c: c.batches.start(made.batch_id))).message == "Batch started"
        with pytest.raises(Conflict):
            await client.call(lambda c: c.batches.start(made.batch_id))
        assert [server.run(claimed()) for _ in range(3)] == [ids[0], ids[1], None]
        await client.call(lambda c: c.jobs.cancel(ids[0]))
        assert [server.run(claimed()) for _ in range(2)] == [ids[2], None]
        await client.call(lambda c: c.jobs.delete(ids[1]))
        assert [server.run(claimed()) for _ in range(2)] == [ids[3], None]
        assert (await client.call(lambda c: c.batches.cancel(made.batch_id))).status == "cancelled"
        seen = await client.call(lambda c: c.batches.get(made.batch_id))
        assert [one.status for one in seen.files] == ["cancelled", "deleted", "cancelled", "cancelled"]
        with pytest.raises(Conflict):
            await client.call(lambda c: c.batches.cancel(made.batch_id))


async def test_deleting_a_batch_deletes_all_of_it(client: Both, newcomer: Visitor, audio: Path) -> None:
    before = stored(newcomer)
    made = await client.call(lambda c: c.batches.create(files=[audio / "clip01-en.wav"] * 2, model="micro"))
    await over(client, made.batch_id)
    assert stored(newcomer) > before
    await client.call(lambda c: c.batches.delete(made.batch_id))
    with pytest.raises(NotFound):
        await client.call(lambda c: c.batches.get(made.batch_id))
    assert newcomer.get("/api/jobs/").json()["total"] == 0
    assert stored(newcomer) == before


async def test_a_batch_that_is_sent_again(client: Both, newcomer: Visitor, audio: Path) -> None:
    async def send(name: str) -> str:
        made = await client.call(
            lambda c: c.batches.create(files=[audio / name], model="micro", idempotency_key="monday")
        )
        return str(made.batch_id)

    first = await send("clip01-en.wav")
    assert await send("clip01-en.wav") == first
    with pytest.raises(KeyReused):
        await send("clip02-en.wav")
    await over(client, first)
    assert newcomer.get("/api/jobs/").json()["total"] == 1


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def elsewhere(audio: Path) -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=os.fspath(audio))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


async def test_from_addresses(make_server: MakeServer, elsewhere: str, kind: str) -> None:
    server = make_server(allow_internal_addresses=True)
    async with both(kind, server.url, token=registered(server).token) as client:
        urls = [f"{elsewhere}/clip01-en.wav", f"{elsewhere}/none.wav", "ftp://example.com/a.wav"]
        made: BatchDetail = await client.call(lambda c: c.batches.create(urls=urls, model="micro", language="en"))
        done = await over(client, made.batch_id)
        assert [(one.status, one.failure_reason) for one in done.files] == [
            ("completed", None),
            ("failed", "fetch_failed"),
            ("failed", "invalid_option"),
        ]


async def test_from_uploads(client: Both, audio: Path) -> None:
    sent = await client.call(lambda c: c.upload_file(audio / "clip01-en.wav"))
    begun = await client.call(lambda c: c.chunked_uploads.initialize(filename="half.wav", file_size=1 << 20))
    made: BatchDetail = await client.call(
        lambda c: c.batches.create(uploads=[sent.session_id, begun.session_id, "none"], model="micro", language="en")
    )
    done = await over(client, made.batch_id)
    assert [(one.filename, one.status, one.failure_reason) for one in done.files] == [
        ("clip01-en.wav", "completed", None),
        (begun.session_id, "failed", "upload_incomplete"),
        ("none", "failed", "not_found"),
    ]


async def test_what_is_no_batch(client: Both, newcomer: Visitor, audio: Path) -> None:
    with pytest.raises(InvalidRequest, match="0 recordings"):
        await client.call(lambda c: c.batches.create(model="micro"))
    with pytest.raises(InvalidRequest, match="max_parallel_jobs"):
        await client.call(lambda c: c.batches.create(files=[audio / "clip01-en.wav"], max_parallel_jobs=0))
    answer: Any = newcomer.post("/api/v1/batch/upload", files=[("file", b"x")], data={"model": "micro"})
    assert answer.status_code == 400
    for path in ("", "/progress"):
        assert newcomer.get(f"/api/v1/batch/none{path}").status_code == 404


async def test_a_batch_is_its_owners(client: Both, newcomer: Visitor, audio: Path) -> None:
    made = await client.call(
        lambda c: c.batches.create(files=[audio / "clip01-en.wav"], model="micro", auto_start=False)
    )
    other = registered(newcomer.server)
    path = f"/api/v1/batch/{made.batch_id}"
    asked = [("GET", path), ("GET", f"{path}/progress"), ("POST", f"{path}/start"), ("POST", f"{path}/cancel")]
    assert {other.send(*one).status_code for one in [*asked, ("DELETE", path)]} == {404}
    assert other.get("/api/v1/batch/").json()["total"] == 0
    assert other.get("/api/v1/batch/stats/summary").json()["total_batches"] == 0
    await client.call(lambda c: c.batches.delete(made.batch_id))
