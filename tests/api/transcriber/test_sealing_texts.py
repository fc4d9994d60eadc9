"""What was said before transcripts were sealed: a command seals it, and leaves nothing of it on the disk."""

from __future__ import annotations

import asyncio
import base64
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from attrs import evolve, frozen
from sqlalchemy import select

from tests.api.transcriber.test_sealed_texts import EDITED, NOTE, PROMPT, SPEAKER, World, edited
from tests.live import live, settings_for
from tests.postgres import Postgres
from tests.visitor import Visitor, registered
from whispercore.api.transcriber.tus import HEADERS as TUS
from whispercore.checkpoints import FinishedWindow
from whispercore.database.session import Database
from whispercore.database.tables import jobs, windows
from whispercore.encryption.texts import TextKeys
from whispercore.errors import InvalidOption
from whispercore.jobs.job import NewJob
from whispercore.jobs.results import put_window
from whispercore.transcript import Fingerprint, Segment
from whispercore_server.errors import CannotStart
from whispercore_server.sealing import seal_transcripts
from whispercore_server.settings import ServerSettings

WINDOW = "Halfway Featherstonehaugh"
"""Of a job that was broken off."""


class Killed(Exception):
    """As good as a kill: nothing is done any more."""


@frozen
class Old:
    """An installation with transcripts in clear, and where its database lies."""

    settings: ServerSettings
    folders: tuple[Path, ...]

    @property
    def sealing(self) -> ServerSettings:
        """The same, once somebody has decided that they are to be sealed."""
        return evolve(self.settings, encrypt_transcripts=True)

    def found(self, words: set[bytes]) -> set[bytes]:
        contents = [path.read_bytes().lower() for one in self.folders for path in one.rglob("*") if path.is_file()]
        assert contents
        return {word for word in words if any(word.lower() in content for content in contents)}


@pytest.fixture(params=["sqlite", "postgresql"])
def old(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Old]:
    if request.param == "sqlite":
        yield Old(settings_for(tmp_path / "data"), (tmp_path / "data",))
        return
    postgres: Postgres = request.getfixturevalue("postgres")
    name = postgres.new(request.getfixturevalue("postgres_template"))
    with postgres.connect() as connection:
        ((number,),) = connection.execute("SELECT oid FROM pg_database WHERE datname = %s", (name,)).fetchall()
    settings = settings_for(tmp_path / "data", database_url=postgres.url(name))
    yield Old(settings, (tmp_path / "data", postgres.folder / "data" / "base" / str(number)))
    postgres.drop(name)


def written(old: Old, postgres: Postgres) -> None:
    """Have all that is in memory of the PostgreSQL on the disk."""
    if old.settings.database_url.startswith("postgresql"):
        with postgres.connect() as connection:
            connection.execute("CHECKPOINT")


async def broken_off(visitor: Visitor) -> str:
    """A job of which one window was done when its worker died."""
    ports, segment = visitor.server.ports, Segment(text=WINDOW, start_s=0.0, end_s=1.0)
    async with ports.database.write() as tx:
        new = NewJob(owner_id=visitor.user_id, kind="waiting", model="micro", options=f'{{"prompt": "{PROMPT}"}}')
        job = await ports.jobs.enqueue(tx, new)
        made_by = Fingerprint(engine="scripted 1", model_sha256="0" * 64, device="none", threads=1)
        window = FinishedWindow(index=0, channel=None, start_s=0.0, end_s=1.0, segments=(segment,), fingerprint=made_by)
        await put_window(tx, job, window)
    return job.id


def upload_begun(visitor: Visitor) -> tuple[str, str]:
    """Where it is, and what was said of it."""
    told = {"filename": "talk.wav", "model": "micro", "prompt": PROMPT}
    header = ",".join(f"{key} {base64.b64encode(value.encode()).decode()}" for key, value in told.items())
    made = visitor.post("/api/tus/", headers={**TUS, "Upload-Length": "10", "Upload-Metadata": header})
    assert made.status_code == 201, made.text
    return made.headers["Location"], header


def test_old_transcripts_are_sealed(old: Old, postgres: Postgres, audio: Path) -> None:
    said, told = list[str](), base64.b64encode(PROMPT.encode())
    with live(old.settings) as server:
        owner = registered(server)
        world: World = edited(owner, audio)
        waiting = server.run(broken_off(owner))
        place, header = upload_begun(owner)
        assert owner.post("/api/search/", json={"query": "Quillfeather"}).json()["total"] == 1
    words = world.words() | {b"Featherstonehaugh", told}
    written(old, postgres)
    assert old.found(words) == words
    assert asyncio.run(seal_transcripts(old.sealing, tell=said.append)) == 2
    written(old, postgres)
    assert old.found(words) == set()
    assert asyncio.run(seal_transcripts(old.sealing, tell=said.append)) == 0
    assert said == []
    with live(old.sealing, worker=False) as server:
        owner = evolve(owner, server=server)
        again = World(owner, world.job)
        (segment,) = owner.get(f"/api/transcripts/{again.id}/segments").json()["segments"]
        assert (segment["text"], segment["speaker"]) == (EDITED, SPEAKER)
        first = owner.get(f"/api/transcripts/{again.id}/segments", params={"version": 1}).json()["segments"]
        assert first[0]["text"] == world.job["transcript"]["text"]
        versions = owner.get(f"/api/transcripts/{again.id}/versions").json()["versions"]
        assert [one["note"] for one in versions] == [NOTE, None]
        listed = {one["job_id"]: one["transcript_preview"] for one in owner.get("/api/jobs/").json()["jobs"]}
        assert listed[again.id] == EDITED
        assert owner.post("/api/search/", json={"query": "Quillfeather"}).json()["total"] == 0
        assert owner.send("HEAD", place, headers=TUS).headers["Upload-Metadata"] == header
        server.run(kept_its_window(server.ports.database, waiting))


async def kept_its_window(database: Database, job_id: str) -> None:
    (row,) = await database.rows(
        select(jobs.c.options, jobs.c.text_key, windows.c.segments)
        .join(windows, windows.c.job_id == jobs.c.id)
        .where(jobs.c.id == job_id)
    )
    seal = database.texts.seal(row.text_key)
    assert PROMPT in seal.open(row.options)
    assert WINDOW in seal.open(row.segments)


def test_broken_off_it_goes_on_where_it_was(tmp_path: Path, audio: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = Old(settings_for(tmp_path / "data"), (tmp_path / "data",))
    with live(old.settings) as server:
        owner = registered(server)
        world = edited(owner, audio)
        for _ in range(2):
            server.run(broken_off(owner))
    real = TextKeys.new
    keys = iter(range(2))

    def dies(keys_of_texts: TextKeys) -> str | None:
        if next(keys, None) is None:
            raise Killed
        return real(keys_of_texts)

    with monkeypatch.context() as patched:
        patched.setattr(TextKeys, "new", dies)
        with pytest.raises(Killed):
            asyncio.run(seal_transcripts(old.sealing, tell=str))
    with live(old.settings, worker=False) as server:  # it works with some of either kind
        owner = evolve(owner, server=server)
        (segment,) = owner.get(f"/api/transcripts/{world.id}/segments").json()["segments"]
        assert segment["text"] == EDITED
    assert asyncio.run(seal_transcripts(old.sealing, tell=str)) == 1
    assert old.found(world.words() | {b"Featherstonehaugh"}) == set()


def test_nobody_else_may_be_at_work(tmp_path: Path) -> None:
    old = Old(settings_for(tmp_path / "data"), (tmp_path / "data",))
    with live(old.settings, worker=False):
        with pytest.raises(InvalidOption, match="it is off"):
            asyncio.run(seal_transcripts(old.settings, tell=str))
        with pytest.raises(CannotStart, match="at work"):
            asyncio.run(seal_transcripts(old.sealing, tell=str))


def test_a_copy_from_before_an_upgrade_is_named(tmp_path: Path) -> None:
    said, settings = list[str](), settings_for(tmp_path / "data", encrypt_transcripts=True)
    with live(settings, worker=False):
        pass
    copy = tmp_path / "data" / "whispercore.db.before-whispercore-0001"
    shutil.copy(tmp_path / "data" / "whispercore.db", copy)
    assert asyncio.run(seal_transcripts(settings, tell=said.append)) == 0
    assert said == [f"{copy} is from before an upgrade, and has transcripts in clear: remove it"]
