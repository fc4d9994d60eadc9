"""Whatever door a recording comes in by, nothing of it lies on the disk in clear."""

from __future__ import annotations

import base64
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from attrs import evolve

from tests.batches import zipped
from tests.both_clients import both
from tests.file_server import file_server
from tests.live import Live, live, settings_for
from tests.media_files import Encoding, encode
from tests.on_disk import in_clear
from tests.visitor import Visitor, administrator, registered
from whispercore.api.transcriber.live import Finish, Sound
from whispercore.api.transcriber.tus import HEADERS as TUS
from whispercore.encryption import age
from whispercore.errors import WrongMasterKey

OCTETS = {"Content-Type": "application/octet-stream"}


@pytest.fixture(scope="module")
def sealing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """A server whose folder has nothing in it but what these tests bring."""
    settings = settings_for(tmp_path_factory.mktemp("sealing"), allow_internal_addresses=True, reuse_results=False)
    with live(settings) as server:
        yield server


@pytest.fixture
def ada(sealing: Live) -> Visitor:
    return registered(sealing)


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory, audio: Path) -> Path:
    """A container that has to be read from its end first."""
    return encode(audio / "clip01-en.wav", tmp_path_factory.mktemp("media") / "talk.m4a", Encoding("m4a", "aac"))


def left(visitor: Visitor, recording: Path) -> list[Path]:
    return in_clear(visitor.server.ports.settings.data, recording.read_bytes())


def test_in_one_request(ada: Visitor, recording: Path, audio: Path) -> None:
    for one in (recording, audio / "clip01-en.wav"):
        job_id = ada.job(one)
        assert left(ada, one) == []
        assert ada.finished(job_id)["status"] == "completed"
        assert left(ada, one) == []


def test_by_the_other_apis(ada: Visitor, recording: Path) -> None:
    file = ada.upload(recording, "/api/v1/files/upload")
    assert file.status_code == 201, file.text
    assert left(ada, recording) == []
    assert ada.finished(file.json()["job_id"])["status"] == "completed"
    said = ada.upload(recording, "/v1/audio/transcriptions")
    assert said.status_code == 200, said.text
    assert left(ada, recording) == []


async def test_what_is_said_live(ada: Visitor, audio: Path) -> None:
    """The sound of a session that is to be kept becomes a recording, without loss."""
    sound = (audio / "clip01-en.wav").read_bytes()[44:]
    pieces = [Sound(data=sound[at : at + 32_000]) for at in range(0, len(sound), 32_000)]
    async with both("sync", ada.server.url, token=ada.token) as client:
        messages = await client.talk(lambda c: c.live.listen(model="micro", store=True), *pieces, Finish())
    (file,) = ada.get("/api/v1/files").json()["files"]
    assert file["job_id"] == messages[-1].job_id
    folder = ada.server.ports.settings.data
    kept = ada.get(f"/api/v1/files/{file['id']}/download").content
    assert kept.startswith(b"fLaC")
    assert (in_clear(folder, sound), in_clear(folder, kept)) == ([], [])


def test_in_chunks(ada: Visitor, recording: Path) -> None:
    data = recording.read_bytes()
    begun = ada.post("/api/chunked-uploads/initialize", json={"filename": "talk.m4a", "file_size": len(data)})
    path = f"/api/chunked-uploads/{begun.json()['session_id']}"
    assert ada.post(f"{path}/chunks/0", data=data, headers=OCTETS).status_code == 200
    assert left(ada, recording) == []
    done = ada.post(f"{path}/finalize", json={"model": "micro"})
    assert done.status_code == 201, done.text
    assert left(ada, recording) == []
    assert ada.finished(done.json()["job_id"])["status"] == "completed"


def test_by_tus_and_joined(ada: Visitor, recording: Path) -> None:
    data = recording.read_bytes()
    offset = {"Content-Type": "application/offset+octet-stream", "Upload-Offset": "0"}
    places = []
    for piece in (data[:10_000], data[10_000:]):
        headers = {**TUS, "Upload-Length": str(len(piece)), "Upload-Concat": "partial"}
        places.append(ada.post("/api/tus/", headers=headers).headers["Location"])
        assert ada.send("PATCH", places[-1], data=piece, headers={**TUS, **offset}).status_code == 204
    assert left(ada, recording) == []
    names = {"filename": "talk.m4a", "model": "micro"}
    metadata = ",".join(f"{key} {base64.b64encode(value.encode()).decode()}" for key, value in names.items())
    final = {**TUS, "Upload-Concat": f"final;{' '.join(places)}", "Upload-Metadata": metadata}
    made = ada.post("/api/tus/", headers=final)
    assert made.status_code == 201, made.text
    assert left(ada, recording) == []
    assert ada.finished(made.headers["X-Job-ID"])["status"] == "completed"


def test_in_batches_and_archives(ada: Visitor, recording: Path) -> None:
    data = recording.read_bytes()
    for files in ({"files[]": ("talk.m4a", data)}, {"archive": ("talks.zip", zipped({"talk.m4a": data}))}):
        made = ada.post("/api/v1/batch/upload", files=files, data={"model": "micro"})
        assert made.status_code == 201, made.text
        assert left(ada, recording) == []
        (job,) = made.json()["files"]
        assert ada.finished(job["job_id"])["status"] == "completed"


def test_from_an_address(ada: Visitor, recording: Path) -> None:
    with file_server(recording.parent) as url:
        made = ada.post("/api/jobs/", files={"url": (None, f"{url}/talk.m4a"), "model": (None, "micro")})
        assert ada.finished(made.json()["job_id"])["status"] == "completed"
    assert left(ada, recording) == []


def test_in_backups(ada: Visitor, recording: Path) -> None:
    assert ada.finished(ada.job(recording))["status"] == "completed"
    root = administrator(ada.server)
    backup_id = root.post("/admin/backup/create").json()["id"]
    while (seen := root.get(f"/admin/backup/{backup_id}").json())["status"] == "running":
        time.sleep(0.01)
    assert seen["status"] == "completed", seen
    data = ada.server.ports.settings.data
    archives = list((data / "backups").glob("*.tar"))
    assert archives
    master = (data / "master.key").read_bytes().strip()
    assert not any(master in archive.read_bytes() for archive in archives)
    assert left(ada, recording) == []


KILLED = """
import asyncio, sys
from pathlib import Path
from whispercore.audio.decoder import Decoder
from whispercore.database.session import Database
from whispercore.encryption.file_keys import FileKeys
from whispercore.encryption.key_pairs import KeyPairs
from whispercore.encryption.master_key import MasterKey
from whispercore.files.files import Files
from whispercore.files.obstore_blobs import ObstoreBlobs

async def main(data, recording):
    async def chunks():
        yield Path(recording).read_bytes()

    async with Database(f"sqlite+aiosqlite:///{data}/db") as database:
        await database.upgrade()
        keys = FileKeys(database, KeyPairs(database, MasterKey(Path(data, "master.key"))))
        files = Files(database, ObstoreBlobs.on_disk(f"{data}/store"), spool=f"{data}/spool", keys=keys)
        staged = await files.stage(chunks(), name="talk.m4a")
        async with files.local_copy(staged) as parts:
            with Decoder(parts, name="talk.m4a") as decoder:
                next(decoder.windows(30.0))
                print("now", flush=True)
                await asyncio.sleep(60)

asyncio.run(main(*sys.argv[1:]))
"""


def test_while_it_is_decoded_and_after_a_kill(tmp_path: Path, recording: Path) -> None:
    child = subprocess.Popen([sys.executable, "-c", KILLED, str(tmp_path), str(recording)], stdout=subprocess.PIPE)
    assert child.stdout is not None
    assert child.stdout.readline() == b"now\n"
    assert in_clear(tmp_path, recording.read_bytes()) == []
    child.kill()
    child.wait(60)
    child.stdout.close()
    assert in_clear(tmp_path, recording.read_bytes()) == []


def test_who_asks_for_it_has_recordings_in_clear(tmp_path: Path, recording: Path) -> None:
    with live(settings_for(tmp_path, encrypt_files=False), worker=False) as server:
        visitor = registered(server)
        visitor.job(recording)
        assert left(visitor, recording) != []


def test_a_server_with_another_master_key_does_not_start(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    with live(settings, worker=False):
        pass
    other = evolve(settings, master_key=age.new_identity())
    with pytest.raises(WrongMasterKey, match="WHISPERCORE_MASTER_KEY"), live(other, worker=False):
        pass
    (tmp_path / "master.key").rename(tmp_path / "elsewhere.key")
    with pytest.raises(WrongMasterKey, match="it is not there"), live(settings, worker=False):
        pass
    with live(evolve(settings, master_key_file=tmp_path / "elsewhere.key"), worker=False):
        pass
