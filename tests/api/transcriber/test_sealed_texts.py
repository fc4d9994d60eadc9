"""Where transcripts are sealed, nothing that was said lies on the disk, and everybody reads it as ever."""

from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from attrs import frozen
from sqlalchemy import select

from tests.live import Live, live, settings_for
from tests.visitor import Visitor, administrator, registered, stranger
from whispercore.api.transcriber.tus import HEADERS as TUS
from whispercore.database.tables import jobs, segments
from whispercore.encryption.master_key import MasterKey
from whispercore.encryption.rotation import rotate
from whispercore.encryption.texts import TextSeal
from whispercore.errors import SealBroken
from whispercore_server.auditing import OPERATOR

PROMPT = "Prompted beforehand by Ottoline"
EDITED = "A corrected Quillfeather sentence"
SPEAKER = "Zacharias Underbough"
NOTE = "misheard Penhaligon twice"


@frozen
class World:
    """A server, somebody who has a job there, and that job as he sees it."""

    owner: Visitor
    job: dict[str, Any]

    @property
    def id(self) -> str:
        return str(self.job["job_id"])

    @property
    def folder(self) -> Path:
        return self.owner.server.ports.settings.data

    def version(self) -> int:
        return int(self.owner.get(f"/api/transcripts/{self.id}").json()["version"])

    def words(self) -> set[bytes]:
        """What must not be found: runs of letters that nothing else is likely to have."""
        told = (self.job["transcript"]["text"], PROMPT, EDITED, SPEAKER, NOTE)
        return {word.encode() for text in told for word in re.findall(r"[^\W\d_]{6,}", text)}


def edited(owner: Visitor, audio: Path) -> World:
    """A job whose transcript was corrected, with a speaker who has a name, and why."""
    done = owner.finished(owner.job(audio / "clip01-en.wav", language="en", words="true", prompt=PROMPT))
    assert done["status"] == "completed", done
    path = f"/api/transcripts/{done['job_id']}"
    operations = [
        {"op": "text", "segment": 0, "text": EDITED},
        {"op": "speaker", "segment": 0, "speaker": SPEAKER},
    ]
    body = {"version": 1, "operations": operations, "note": NOTE}
    answer = owner.send("PATCH", path, json=body)
    assert answer.status_code == 200, answer.text
    return World(owner, done)


@pytest.fixture(scope="module")
def sealing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    with live(settings_for(tmp_path_factory.mktemp("sealed-texts"), encrypt_transcripts=True)) as server:
        yield server


@pytest.fixture(scope="module")
def world(sealing: Live, audio: Path) -> World:
    return edited(registered(sealing), audio)


def found(world: World) -> set[bytes]:
    """Words that lie somewhere on the disk: in the database, its log, the store, backups."""
    contents = [path.read_bytes() for path in world.folder.rglob("*") if path.is_file()]
    assert contents
    return {word for word in world.words() if any(word.lower() in content.lower() for content in contents)}


def test_nothing_that_was_said_is_on_the_disk(world: World) -> None:
    assert len(world.words()) > 8
    assert found(world) == set()
    root = administrator(world.owner.server)
    backup_id = root.post("/admin/backup/create").json()["id"]
    while (seen := root.get(f"/admin/backup/{backup_id}").json())["status"] == "running":
        time.sleep(0.01)
    assert seen["status"] == "completed", seen
    assert list((world.folder / "backups").glob("*.tar"))
    assert found(world) == set()


def test_what_is_not_sealed_is_on_the_disk(tmp_path: Path, audio: Path) -> None:
    with live(settings_for(tmp_path)) as server:
        plain = edited(registered(server), audio)
        assert found(plain) == plain.words()


def test_its_owner_reads_it_everywhere(world: World) -> None:
    owner, said = world.owner, world.job["transcript"]["text"]
    assert world.job["transcript"]["segments"][0]["words"]
    (segment,) = owner.get(f"/api/transcripts/{world.id}/segments").json()["segments"]
    assert (segment["text"], segment["speaker"]) == (EDITED, SPEAKER)
    first = owner.get(f"/api/transcripts/{world.id}/segments", params={"version": 1}).json()
    assert first["segments"][0]["text"] == said
    assert EDITED in owner.get(f"/api/export/download/{world.id}/srt").text
    assert owner.get(f"/api/transcripts/{world.id}/speakers").json()["speakers"][0]["name"] == SPEAKER
    assert owner.get(f"/api/v1/transcriptions/{world.id}").json()["text"] == EDITED
    versions = owner.get(f"/api/transcripts/{world.id}/versions").json()["versions"]
    assert [one["note"] for one in versions] == [NOTE, None]
    difference = owner.get(f"/api/transcripts/{world.id}/diff").json()
    assert "Quillfeather" in json.dumps(difference)
    listed = {one["job_id"]: one["transcript_preview"] for one in owner.get("/api/jobs/").json()["jobs"]}
    assert listed[world.id] == EDITED


def test_a_link_leads_to_it_and_nobody_else_does(world: World) -> None:
    token = world.owner.post(f"/api/transcripts/{world.id}/shares", json={}).json()["token"]
    nobody = stranger(world.owner.server)
    assert EDITED in nobody.get(f"/api/shared/{token}").text
    assert registered(world.owner.server).get(f"/api/transcripts/{world.id}").status_code == 404


def test_it_is_found_by_its_tags_and_its_name_and_not_by_its_words(world: World) -> None:
    owner = world.owner
    owner.send("PUT", f"/api/transcripts/{world.id}/tags", json={"tags": ["Board"]})
    assert owner.get("/api/jobs/", params={"tag": "board"}).json()["total"] == 1
    for query in ("Quillfeather", *world.job["transcript"]["text"].split()):
        answer = owner.post("/api/search/", json={"query": query})
        assert (answer.status_code, answer.json()["total"]) == (200, 0)
    told = owner.get("/api/search/suggestions", params={"prefix": "clip"}).json()["suggestions"]
    assert [one["text"] for one in told] == ["clip01-en.wav"]


def test_the_same_recording_again_is_not_computed_again(world: World, audio: Path) -> None:
    owner = world.owner
    again = owner.finished(owner.job(audio / "clip01-en.wav", language="en", words="true", prompt=PROMPT))
    assert again["transcript"] == world.job["transcript"]
    owner.send("DELETE", f"/api/jobs/{again['job_id']}")


def test_batches_show_how_it_begins(world: World, audio: Path) -> None:
    owner = world.owner
    data = (audio / "clip01-en.wav").read_bytes()
    made = owner.post("/api/v1/batch/upload", files={"files[]": ("talk.wav", data)}, data={"model": "micro"})
    owner.finished(made.json()["files"][0]["job_id"])
    (item,) = owner.get(f"/api/v1/batch/{made.json()['batch_id']}").json()["files"]
    assert item["transcript_preview"]


def test_the_prompt_of_an_upload_that_has_only_begun_is_sealed(world: World) -> None:
    told = {"filename": "talk.wav", "model": "micro", "prompt": PROMPT}
    header = ",".join(f"{key} {base64.b64encode(value.encode()).decode()}" for key, value in told.items())
    made = world.owner.post("/api/tus/", headers={**TUS, "Upload-Length": "10", "Upload-Metadata": header})
    assert made.status_code == 201, made.text
    place = made.headers["Location"]
    assert world.owner.send("HEAD", place, headers=TUS).headers["Upload-Metadata"] == header
    sent = base64.b64encode(PROMPT.encode())
    assert not any(sent in path.read_bytes() for path in world.folder.rglob("*") if path.is_file())


def test_another_master_key_opens_it_as_well(world: World, tmp_path: Path) -> None:
    ports = world.owner.server.ports
    old = MasterKey(ports.settings.master_key_file)
    world.owner.server.run(rotate(ports.database, old, MasterKey(tmp_path / "new.key"), caller=OPERATOR))
    world.owner.server.run(rotate(ports.database, MasterKey(tmp_path / "new.key"), old, caller=OPERATOR))
    assert world.owner.get(f"/api/v1/transcriptions/{world.id}").json()["text"] == EDITED


def test_each_job_has_a_key_that_goes_with_it(world: World, audio: Path) -> None:
    """What of it is left elsewhere cannot be opened with the key of any other job."""
    other, server = edited(registered(world.owner.server), audio), world.owner.server
    database = server.ports.database

    def seal(job_id: str) -> TextSeal:
        rows = server.run(database.rows(select(jobs.c.text_key).where(jobs.c.id == job_id)))
        return database.texts.seal(rows[0].text_key)

    def left(job_id: str) -> Any:
        return server.run(database.rows(select(segments).where(segments.c.job_id == job_id)))

    (row,), (theirs, mine) = left(other.id), map(seal, (other.id, world.id))
    assert EDITED in theirs.open(row.sealed)
    with pytest.raises(SealBroken):
        mine.open(row.sealed)
    assert other.owner.send("DELETE", f"/api/jobs/{other.id}").status_code == 200
    assert left(other.id) == []
