"""Answers of ``api.transcriber.batches``."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from typing import Literal

from attrs import asdict, define

from whispercore.api.transcriber.batches import (
    BatchDetail,
    Batches,
    BatchFile,
    BatchList,
    BatchMessage,
    BatchRef,
    BatchRow,
    BatchSummary,
    CreateBatch,
    ListBatches,
    SummariseBatches,
)
from whispercore.api.transcriber.jobs import Status
from whispercore.batches.batch import Batch, BatchItem, NewBatch
from whispercore.batches.making import Recordings
from whispercore.database.page import Slice
from whispercore.errors import Conflict, NotFound
from whispercore.jobs.job import Job
from whispercore.people.caller import Caller
from whispercore.uploads.finalizing import Wanted
from whispercore_server.bodies import staged_of
from whispercore_server.ordering import PRIORITIES, REPEATED, options_of
from whispercore_server.plugin import Reply, serves
from whispercore_server.plugins.transcriber.chunked_uploads import screen_of
from whispercore_server.ports import Ports

_NAMES = {number: name for name, number in PRIORITIES.items()}


@define
class BatchesHandlers:
    """Makes, shows and ends batches."""

    ports: Ports

    @serves(Batches.create)
    async def create(self, request: CreateBatch, caller: Caller) -> Reply[BatchDetail]:
        """Nobody looks at the recordings now: each fails by itself, later."""
        options = await options_of(self.ports, request, caller)
        recordings = Recordings(
            files=[staged_of(one) for one in request.files],
            archive=staged_of(request.archive) if request.archive is not None else None,
            urls=request.urls,
            uploads=request.uploads,
        )
        wanted = Wanted(
            options=options,
            screen=screen_of(self.ports, Batches.create.path),
            priority=PRIORITIES[request.priority],
        )

        async def finish(upload_id: str) -> Job:
            return (await self.ports.uploads.finalizing.finish(upload_id, caller, wanted)).job

        new = NewBatch(
            owner_id=caller.user_id,
            name=request.batch_name,
            description=request.description,
            model=options.model,
            language=options.decoding.language,
            priority=PRIORITIES[request.priority],
            max_parallel=request.max_parallel_jobs,
            starts=request.auto_start,
            idempotency_key=request.idempotency_key,
        )
        made = await self.ports.batch_maker.make(recordings, new, options, caller, finish)
        return Reply(body=await self._detail(made.batch_id, caller), headers=REPEATED if made.repeated else {})

    @serves(Batches.list)
    async def list(self, request: ListBatches, caller: Caller) -> BatchList:
        """Without their files."""
        page = await self.ports.batches.listed(caller, Slice(request.offset, request.limit))
        rows = [self._row(one) for one in page.rows]
        return BatchList(batches=rows, total=page.total, limit=request.limit, offset=request.offset)

    @serves(Batches.summary)
    async def summary(self, request: SummariseBatches, caller: Caller) -> BatchSummary:
        """Counted now."""
        del request
        found = await self.ports.batches.summary(caller)
        return BatchSummary(
            total_batches=found.batches,
            total_files=found.files,
            successful_files=found.successful,
            failed_files=found.failed,
            files_in_work=found.in_work,
        )

    @serves(Batches.get)
    async def get(self, request: BatchRef, caller: Caller) -> BatchDetail:
        """With its files."""
        return await self._detail(request.batch_id, caller)

    @serves(Batches.progress)
    async def progress(self, request: BatchRef, caller: Caller) -> BatchRow:
        """Without its files."""
        return self._row(await self.ports.batches.owned(request.batch_id, caller))

    @serves(Batches.start)
    async def start(self, request: BatchRef, caller: Caller) -> BatchMessage:
        """Its first jobs join the queue."""
        await self.ports.batches.start(request.batch_id, caller, self.ports.submissions.queue_limit)
        batch = await self.ports.batches.owned(request.batch_id, caller)
        return BatchMessage(batch_id=batch.id, status=batch.state, message="Batch started")

    @serves(Batches.cancel)
    async def cancel(self, request: BatchRef, caller: Caller) -> BatchMessage:
        """One by one, once no more of them can begin."""
        for job_id in await self.ports.batches.stop(request.batch_id, caller):
            with suppress(NotFound, Conflict):  # it has ended meanwhile
                await self.ports.jobs.cancel(job_id, caller)
        return BatchMessage(batch_id=request.batch_id, status="cancelled", message="Batch cancelled")

    @serves(Batches.delete)
    async def delete(self, request: BatchRef, caller: Caller) -> BatchMessage:
        """None of its jobs begins any more; then they go, and their recordings, and the batch as the last.

        So whoever asks again, because the server died in the middle of it, finishes it.
        """
        ports = self.ports
        for job_id in await ports.batches.wind_up(request.batch_id, caller):
            with suppress(NotFound):  # somebody else has deleted it meanwhile
                job = await ports.jobs.delete(job_id, caller, with_file=ports.files.delete)
                if job.file_id is not None:
                    await ports.files.erase(job.file_id)
        await ports.batches.delete(request.batch_id, caller)
        return BatchMessage(batch_id=request.batch_id, status="deleted", message="Batch deleted")

    async def _detail(self, batch_id: str, caller: Caller) -> BatchDetail:
        batch = await self.ports.batches.owned(batch_id, caller)
        files = [_file(one) for one in await self.ports.batches.items(batch)]
        return BatchDetail(**asdict(self._row(batch)), files=files)

    def _row(self, batch: Batch) -> BatchRow:
        counts = batch.counts
        estimated = None
        if batch.started_at is not None and batch.state == "processing" and counts.progress > 0:
            now = self.ports.clock.now()
            passed_s = (now - batch.started_at).total_seconds()
            estimated = now + timedelta(seconds=passed_s * (1 - counts.progress) / counts.progress)
        return BatchRow(
            batch_id=batch.id,
            batch_name=batch.name,
            description=batch.description,
            status=batch.state,
            model=batch.model,
            language=batch.language,
            priority=_NAMES.get(batch.priority, "normal"),
            max_parallel_jobs=batch.max_parallel,
            created_at=batch.created_at,
            started_at=batch.started_at,
            cancelled_at=batch.cancelled_at,
            total_files=counts.total,
            processed_files=counts.processed,
            successful_files=counts.successful,
            failed_files=counts.failed,
            cancelled_files=counts.cancelled,
            progress_percentage=round(100 * counts.progress, 1),
            estimated_completion=estimated,
        )


def _status(item: BatchItem) -> Status | Literal["deleted"]:
    if item.state is not None:
        return item.state.value
    return "failed" if item.failure_reason is not None else "deleted"


def _file(item: BatchItem) -> BatchFile:
    return BatchFile(
        filename=item.filename,
        job_id=item.job_id,
        status=_status(item),
        progress=round(100 * item.progress),
        failure_reason=item.failure_reason,
        error=item.error,
        transcript_preview=item.preview,
        audio_duration_s=item.audio_duration_s,
        completed_at=item.completed_at,
    )
