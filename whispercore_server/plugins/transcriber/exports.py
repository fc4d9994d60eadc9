"""Answers of ``api.transcriber.exports``."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from pathlib import PurePath
from typing import Any, Final

from attrs import define, evolve, field, frozen

from whispercore.api.transcriber.exports import (
    MANIFEST,
    ExportBatch,
    ExportedJob,
    ExportManifest,
    ExportOptions,
    Exports,
    ExportTranscript,
    FormatList,
    FormatOption,
    ListFormats,
)
from whispercore.api.transcriber.exports import Format as ListedFormat
from whispercore.audit.event import AuditEvent
from whispercore.batches.batch import BatchItem
from whispercore.contract.messages import Content
from whispercore.contract.wire import dumps
from whispercore.errors import (
    Conflict,
    InternalError,
    InvalidOption,
    InvalidRequest,
    NotFound,
    Unavailable,
    WhispercoreError,
)
from whispercore.formats import FORMATS, PdfOptions
from whispercore.formats.format import Format
from whispercore.formats.options import LONGEST_TITLE, public
from whispercore.jobs.job import Job
from whispercore.people.caller import Caller
from whispercore_server.plugin import serves
from whispercore_server.ports import Ports
from whispercore_server.zipped import MemberNames, Zipped

_AT_ONCE: Final = 2
"""Transcripts that are written at a time: a long one keeps a thread busy for seconds, and others need threads too."""
_PATIENCE_S: Final = 60.0
_RETRY_AFTER_S: Final = 10
_PIECE_BYTES: Final = 1 << 18
_log = logging.getLogger(__name__)


@frozen(kw_only=True)
class _Wish:
    """A format, with options."""

    format: Format
    given: dict[str, object]

    def options(self, title: str, ports: Ports) -> Any:
        """For a transcript of this title, if the format has titles and nobody said another one."""
        given = dict(self.given)
        if "title" in public(self.format.options_class):
            given.setdefault("title", title[:LONGEST_TITLE])
        options = self.format.options_of(given)
        if isinstance(options, PdfOptions):
            return evolve(options, fonts_dir=ports.settings.library.fonts_dir)
        return options


@define
class ExportsHandlers:
    """Writes transcripts as files."""

    ports: Ports
    _turns: asyncio.Semaphore = field(init=False, factory=lambda: asyncio.Semaphore(_AT_ONCE))

    @serves(Exports.formats)
    async def formats(self, request: ListFormats, caller: Caller) -> FormatList:
        """Those of ``whispercore.formats``."""
        del request, caller
        return FormatList(formats=list(map(_listed, FORMATS.values())))

    @serves(Exports.download)
    async def download(self, request: ExportTranscript, caller: Caller) -> Content:
        """Called like the recording, with the format's ending."""
        job = await self.ports.jobs.owned(request.job_id, caller)
        format_ = FORMATS.get(request.format)
        if format_ is None:
            raise NotFound("format", request.format)
        data = await self._written(job, _wish(format_, request), caller)
        return Content(body=data, media_type=format_.mime_type, filename=f"{_stem(job)}{format_.extension}")

    @serves(Exports.batch)
    async def batch(self, request: ExportBatch, caller: Caller) -> Content:
        """What is wrong with the request itself is an error; what is wrong with one job is in the manifest."""
        format_ = FORMATS.get(request.format)
        if format_ is None:
            raise InvalidRequest.one("format", f"{request.format!r} is not one of {', '.join(FORMATS)}")
        try:
            wish = _wish(format_, request.options)
        except InvalidOption as error:
            raise InvalidRequest.one(f"options.{error.option}", error.reason) from None
        if (missing := format_.missing) is not None:
            raise InvalidRequest.one("format", f"{format_.name} needs {missing}, which this server does not have")
        return Content(
            body=self._archive(await self._asked(request, caller), wish, caller),
            media_type="application/zip",
            filename=f"transcripts-{format_.name}.zip",
        )

    async def _asked(self, request: ExportBatch, caller: Caller) -> Sequence[str | ExportedJob]:
        """Ids of the jobs, and what there is to say of those files of a batch that have none.

        Raises:
            InvalidRequest: Neither jobs nor a batch are named, or both.
            NotFound: There is no such batch, or it is somebody else's.
        """
        if (request.job_ids is None) == (request.batch_id is None):
            raise InvalidRequest.one("job_ids", "these or a batch_id are wanted, and not both")
        if request.batch_id is None:
            return list(dict.fromkeys(request.job_ids or ()))
        batch = await self.ports.batches.owned(request.batch_id, caller)
        return [item.job_id or _jobless(item) for item in await self.ports.batches.items(batch)]

    async def _archive(self, asked: Sequence[str | ExportedJob], wish: _Wish, caller: Caller) -> AsyncIterator[bytes]:
        archive, names = Zipped(), MemberNames()
        names.reserve(MANIFEST)
        jobs: list[ExportedJob] = []
        for job_id in asked:
            if isinstance(job_id, ExportedJob):
                jobs.append(job_id)
                continue
            try:
                job = await self.ports.jobs.owned(job_id, caller)
                data = await self._written(job, wish, caller)
            except Exception as error:  # noqa: BLE001 (told in the manifest: one job does not fail the others)
                jobs.append(_failed(job_id, error))
                continue
            name = names.name(_stem(job), wish.format.extension)
            jobs.append(ExportedJob(job_id=job_id, file=name))
            made = await asyncio.to_thread(
                archive.add, name, data, self.ports.clock.now(), compress=wish.format.is_text
            )
            for piece in _pieces(made):
                yield piece
        now = self.ports.clock.now()
        manifest = ExportManifest(
            format=wish.format.name,
            options=wish.given,  # type: ignore[arg-type]  # they were read as such
            created_at=now,
            exported=sum(one.file is not None for one in jobs),
            failed=sum(one.file is None for one in jobs),
            jobs=jobs,
        )
        for piece in _pieces(archive.add(MANIFEST, dumps(manifest), now, compress=True) + archive.end()):
            yield piece

    async def _written(self, job: Job, wish: _Wish, caller: Caller) -> bytes:
        """The file of a job, whose owner the caller is.

        Raises:
            Conflict: It has no transcript yet.
            InvalidOption: The format cannot hold it.
            Unavailable: Too many others are being written.
        """
        options = wish.options(_stem(job), self.ports)
        try:
            async with asyncio.timeout(_PATIENCE_S):
                await self._turns.acquire()
        except TimeoutError:
            raise Unavailable("too many transcripts are being exported", _RETRY_AFTER_S) from None
        try:
            transcript = await self.ports.jobs.transcript(job)
            if transcript is None:
                raise Conflict(f"the job is {job.state}; there is a transcript once it is completed")
            data = await asyncio.to_thread(transcript.to_bytes, wish.format.name, options)
        finally:
            self._turns.release()
        self.ports.audit.note(
            caller,
            AuditEvent(
                event_type="data_export",
                action="export a transcript",
                resource_type="job",
                resource_id=job.id,
                details={"format": wish.format.name},
            ),
        )
        return data


def _wish(format_: Format, options: ExportOptions) -> _Wish:
    """The format with these options.

    Raises:
        InvalidOption: It has no such option, or not with this value.
    """
    wish = _Wish(format=format_, given=options.given)
    format_.options_of(wish.given)
    return wish


def _stem(job: Job) -> str:
    return PurePath(job.filename or "").stem or "transcript"


def _jobless(item: BatchItem) -> ExportedJob:
    if item.failure_reason is None:
        code, detail = NotFound.code, f"the job of {item.filename!r} was deleted"
    else:
        code, detail = item.failure_reason, f"{item.filename!r} never became a job: {item.error}"
    return ExportedJob(job_id=None, file=None, error_code=code.upper(), detail=detail)


def _failed(job_id: str, error: Exception) -> ExportedJob:
    if not isinstance(error, WhispercoreError):
        _log.error("the transcript of the job %s could not be exported", job_id, exc_info=error)
        error = InternalError()
    return ExportedJob(job_id=job_id, file=None, error_code=error.code.upper(), detail=str(error))


def _pieces(data: bytes) -> list[bytes]:
    return [data[at : at + _PIECE_BYTES] for at in range(0, len(data), _PIECE_BYTES)]


def _listed(one: Format) -> ListedFormat:
    return ListedFormat(
        name=one.name,
        description=one.description,
        mime_type=one.mime_type,
        supports_timestamps=one.supports_timestamps,
        extension=one.extension,
        available=one.missing is None,
        options=[
            FormatOption(
                name=option.name,
                type=option.type,
                default=option.default,
                description=option.description,
                minimum=option.minimum,
                maximum=option.maximum,
                choices=list(option.choices) or None,
            )
            for option in one.options
        ],
    )
