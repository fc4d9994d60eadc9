"""Answers of ``api.files_v1.files``."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from functools import partial
from typing import Final
from uuid import UUID

from attrs import define

from whispercore.api.files_v1.files import (
    DownloadFile,
    FileDeleted,
    FileDone,
    FileEvent,
    FilePage,
    FileRef,
    Files,
    JobProgress,
    ListFiles,
    StoredFileInfo,
    UploadFailed,
    UploadFile,
    UploadProgress,
)
from whispercore.contract.messages import Content
from whispercore.database.page import Slice
from whispercore.errors import NotFound
from whispercore.files.arrivals import Arrival
from whispercore.files.stored import StoredFile
from whispercore.jobs.job import Job
from whispercore.people.caller import Caller
from whispercore_server.bodies import staged_of
from whispercore_server.ordering import PRIORITIES, REPEATED, options_of
from whispercore_server.plugin import Reply, serves
from whispercore_server.plugins.files_v1.access import Access
from whispercore_server.plugins.v1.views import STATES, STATUSES, progress
from whispercore_server.ports import Ports

_PATIENCE_S: Final = 1.0
"""How long a listener waits for an upload to begin: he cannot know when its first bytes are there."""


@define
class FilesHandlers:
    """Takes files, shows them and gives them back."""

    ports: Ports

    @serves(Files.upload)
    async def upload(self, request: UploadFile, caller: Caller) -> Reply[StoredFileInfo]:
        """Look at the recording, keep it and queue its job, in this order."""
        options = await options_of(self.ports, request, caller)
        submitted = await self.ports.submissions.submit(
            staged_of(request.file),
            options,
            caller,
            priority=PRIORITIES[request.priority],
            idempotency_key=request.idempotency_key,
        )
        file = await self.ports.stored_files.owned(submitted.job.file_id or "", caller)
        return Reply(body=_info(file), headers=REPEATED if submitted.repeated else {})

    @serves(Files.list)
    async def list(self, request: ListFiles, caller: Caller) -> FilePage:
        """Newest first."""
        part = Slice(request.offset, request.limit)
        state = STATES[request.status] if request.status is not None else None
        page = await self.ports.stored_files.listed(caller, state, part)
        return FilePage(
            files=[_info(file) for file in page.rows], total=page.total, limit=part.limit, offset=part.offset
        )

    @serves(Files.get)
    async def get(self, request: FileRef, caller: Caller) -> StoredFileInfo:
        """As it is now."""
        return _info(await Access(self.ports).stored(request.file_id, caller))

    @serves(Files.download)
    async def download(self, request: DownloadFile, caller: Caller) -> Content:
        """As it was sent, each part compared with what came in."""
        access = Access(self.ports)
        file = await access.file(request.file_id, caller)
        return Content(
            body=partial(self.ports.files.read, file),
            media_type="application/octet-stream",
            filename=file.name,
            size_bytes=file.size_bytes,
            etag=f'"{file.sha256}"',
            still=partial(access.stored, file.id, caller),
        )

    @serves(Files.delete)
    async def delete(self, request: FileRef, caller: Caller) -> FileDeleted:
        """The rows of job and file go together, then the file's bytes."""
        files = self.ports.files
        file = await self.ports.stored_files.owned(request.file_id, caller)
        if file.job_id is not None:
            await self.ports.jobs.delete(file.job_id, caller, with_file=files.delete)
        else:
            async with self.ports.database.write() as tx:
                await files.delete(tx, file.id)
        await files.erase(file.id)
        return FileDeleted(id=file.id, message="File deleted successfully")

    @serves(Files.events)
    async def events(self, request: FileRef, caller: Caller) -> AsyncIterator[FileEvent]:
        """First what comes in of it, then what its job does."""
        file_id, last = request.file_id, None
        patience_s = 0.0 if await self._is_there(file_id, caller) else _PATIENCE_S
        if _is_uuid(file_id):
            async with aclosing(self.ports.arrivals.follow(file_id, caller, patience_s=patience_s)) as arrivals:
                async for last in arrivals:
                    yield _arrived(last)
        try:
            file = await self.ports.stored_files.owned(file_id, caller)
        except NotFound:
            if last is None:
                raise
            yield UploadFailed(file_id=file_id, bytes_processed=last.received_bytes)
            return
        yield UploadProgress(file_id=file.id, progress=1.0, bytes_processed=file.size_bytes)
        if file.job_id is None:
            yield FileDone(file_id=file.id, status=STATUSES[file.state])
            return
        async with aclosing(_of_job(self.ports, file.id, file.job_id, caller)) as events:
            async for event in events:
                yield event

    async def _is_there(self, file_id: str, caller: Caller) -> bool:
        try:
            await self.ports.stored_files.owned(file_id, caller)
        except NotFound:
            return False
        return True


async def _of_job(ports: Ports, file_id: str, job_id: str, caller: Caller) -> AsyncGenerator[FileEvent, None]:
    told: JobProgress | None = None
    async for job, _ in ports.following.follow(job_id, caller):
        now = _got_further(file_id, job)
        if now != told:
            told = now
            yield now
        if job.state.is_over:
            yield FileDone(
                file_id=file_id,
                job_id=job.id,
                status=STATUSES[job.state],
                failure_reason=job.failure_reason,
                error=job.error,
            )


def _is_uuid(text: str) -> bool:
    try:
        return str(UUID(text)) == text
    except ValueError:
        return False


def _arrived(arrival: Arrival) -> UploadProgress:
    return UploadProgress(
        file_id=arrival.file_id, progress=round(arrival.progress, 4), bytes_processed=arrival.received_bytes
    )


def _got_further(file_id: str, job: Job) -> JobProgress:
    return JobProgress(
        file_id=file_id,
        job_id=job.id,
        status=STATUSES[job.state],
        progress=progress(job),
        current_step=job.stage,
    )


def _info(file: StoredFile) -> StoredFileInfo:
    return StoredFileInfo(
        id=file.id,
        name=file.name,
        status=STATUSES[file.state],
        created_at=file.created_at,
        completed_at=file.completed_at,
        upload_progress=1.0,
        job_id=file.job_id,
        owner_id=file.owner_id,
        size_bytes=file.size_bytes,
        content_type=file.content_type,
        sha256=file.sha256,
        failure_reason=file.failure_reason,
    )
