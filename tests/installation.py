"""A small installation for tests: database, files, jobs, and a worker that transcribes."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from attrs import evolve, frozen

from tests.sqlite import sqlite_at
from whispercore.clock import Clock
from whispercore.database.session import Database
from whispercore.engines.pool import EnginePool
from whispercore.files.files import Files
from whispercore.files.obstore_blobs import ObstoreBlobs
from whispercore.jobs.job import Job, NewJob
from whispercore.jobs.table import Jobs
from whispercore.jobs.worker import Worker
from whispercore.people.caller import Caller
from whispercore.settings import Settings
from whispercore.speakers.diarizer import FindDiarizer, find_diarizer
from whispercore.tasks.options import VERSION, TranscribeOptions
from whispercore.tasks.transcribe import KIND, Transcribe

EVE = Caller(user_id="eve", username="eve", scopes=frozenset(), via="key")


@frozen
class Installation:
    """What a server stands on."""

    database: Database
    files: Files
    jobs: Jobs

    async def submit(self, recording: Path, options: TranscribeOptions | None = None, owner: Caller = EVE) -> Job:
        """A job of somebody's."""
        options = options if options is not None else TranscribeOptions(model="micro")

        data = await asyncio.to_thread(recording.read_bytes)

        async def chunks() -> AsyncIterator[bytes]:
            yield data

        staged = await self.files.stage(chunks(), name=recording.name)
        async with self.database.write() as tx:
            await self.files.keep(tx, staged, owner.user_id)
            job = await self.jobs.enqueue(
                tx,
                NewJob(
                    owner_id=owner.user_id,
                    kind=KIND,
                    options=options.dump(),
                    payload_version=VERSION,
                    file_id=staged.id,
                    filename=recording.name,
                    model=options.model,
                    language=options.decoding.language,
                ),
            )
        await self.files.publish(staged)
        return job

    async def when(self, job: Job, so: Callable[[Job], bool]) -> Job:
        """The job as soon as it is so."""
        owner = evolve(EVE, user_id=job.owner_id)
        with self.jobs.events.subscribe(job.id) as events:
            while not so(found := await self.jobs.owned(job.id, owner)):
                await asyncio.wait_for(events.moved(), 60)
        return found

    async def over(self, job: Job) -> Job:
        """The job when it is over."""
        return await self.when(job, lambda found: found.state.is_over)

    @contextlib.asynccontextmanager
    async def working(
        self,
        pool: EnginePool,
        *,
        slots: int = 2,
        name: str = "worker",
        clock: Clock | None = None,
        reuse: bool = False,
        find_diarizer: FindDiarizer = find_diarizer,
    ) -> AsyncIterator[Transcribe]:
        """A worker, as long as the block lasts."""
        transcribe = Transcribe(
            files=self.files,
            pool=pool,
            settings=Settings.from_environment(),
            clock=clock,
            reuse=reuse,
            find_diarizer=find_diarizer,
        )
        worker = Worker(self.jobs, {KIND: transcribe}, name=name, slots=slots, loaded_models=transcribe.loaded_models)
        running = asyncio.create_task(worker.run())
        try:
            yield transcribe
        finally:
            running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await running


@contextlib.asynccontextmanager
async def installation(folder: Path) -> AsyncIterator[Installation]:
    """Everything in one folder; again what it was, when the folder is the same."""
    async with Database(sqlite_at(folder / "whispercore.db")) as database:
        files = Files(database, ObstoreBlobs.on_disk(folder / "blobs"), spool=folder / "spool")
        try:
            yield Installation(database, files, Jobs(database))
        finally:
            await files.close()
