"""An installation without a server: database, files and backups in one folder."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

from attrs import frozen

from tests.sqlite import sqlite_at
from tests.unit.files.bytes_of_files import in_chunks
from whispercore.audit.key import AuditKey
from whispercore.audit.trail import Audit
from whispercore.backup.backups import Backups
from whispercore.backup.new_database import InFile
from whispercore.backup.reading import Contents
from whispercore.backup.restoring import Restoring
from whispercore.clock import SystemClock
from whispercore.database.session import Database
from whispercore.files.bucket import Bucket
from whispercore.files.files import Files
from whispercore.files.obstore_blobs import ObstoreBlobs
from whispercore.files.s3 import in_bucket
from whispercore.ids import Uuid7Ids
from whispercore.jobs.job import Job, NewJob
from whispercore.jobs.table import Jobs
from whispercore.people.caller import Caller

ADMIN = Caller(user_id="root", username="root", scopes=frozenset(), is_admin=True, via="token")
CHOSEN = "0190c5a4-0000-7000-8000-000000000000"


@frozen
class House:
    """What is in one folder."""

    data: Path
    database: Database
    blobs: ObstoreBlobs
    files: Files
    jobs: Jobs
    audit: Audit
    backups: Backups

    @property
    def archives(self) -> Path:
        return self.data / "backups"

    def left(self) -> list[str]:
        """What is among the archives, but for the lock."""
        found = self.archives.iterdir() if self.archives.is_dir() else ()
        return sorted(path.name for path in found if path.name != ".lock")

    async def job(self, data: bytes, owner_id: str = "ada", *, file_id: str | None = None, publish: bool = True) -> Job:
        """A job with its recording."""
        staged = await self.files.stage(in_chunks(data), name="talk.wav", content_type="audio/wav", file_id=file_id)
        async with self.database.write() as tx:
            await self.files.keep(tx, staged, owner_id)
            job = await self.jobs.enqueue(tx, NewJob(owner_id=owner_id, kind="transcribe", file_id=staged.id))
        if publish:
            await self.files.publish(staged)
        return job

    async def delete(self, job: Job) -> None:
        gone = await self.jobs.delete(job.id, ADMIN, with_file=self.files.delete)
        assert gone.file_id is not None
        await self.files.erase(gone.file_id)


@asynccontextmanager
async def house(
    data: Path, *, keep: int = 7, url: str | None = None, bucket: Bucket | None = None
) -> AsyncIterator[House]:
    clock, ids = SystemClock(), Uuid7Ids(SystemClock())
    async with Database(url or sqlite_at(data / "whispercore.db")) as database:
        await database.upgrade()
        blobs = ObstoreBlobs.on_disk(data / "files") if bucket is None else in_bucket(bucket)
        files = Files(database, blobs, spool=data / "spool", reserve_bytes=0)
        audit = Audit(database, clock=clock, ids=ids, key=AuditKey(data / "audit.key"))
        backups = Backups(database, blobs, data / "backups", audit=audit, clock=clock, ids=ids, keep=keep)
        yield House(data, database, blobs, files, Jobs(database), audit, backups)
        await backups.close()
        await audit.close()
        await files.close()


def noise(size_bytes: int, seed: int) -> bytes:
    return random.Random(seed).randbytes(size_bytes)  # noqa: S311 (they are no secret)


def everything(path: Path) -> dict[str, list[tuple[Any, ...]]]:
    """All rows of all tables of a database, through a connection of its own."""
    with closing(sqlite3.connect(path)) as connection:
        names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        return {
            name: sorted(connection.execute(f'SELECT * FROM "{name}"').fetchall(), key=repr)  # noqa: S608
            for (name,) in names
            if not name.startswith("sqlite_")
        }


def restore(archive: Path, data: Path) -> Contents:
    return Restoring(path=archive, data=data, database=InFile(data / "whispercore.db")).restore()
