"""Answers of ``api.transcriber.chunked_uploads``."""

from __future__ import annotations

import base64
import re
from typing import Final

from attrs import define

from whispercore.api.transcriber.chunked_uploads import (
    BeginUpload,
    ChunkedUploads,
    ChunkReceived,
    FinishUpload,
    ListUploads,
    SendChunk,
    UploadBegun,
    UploadCancelled,
    UploadFinished,
    UploadList,
    UploadRef,
    UploadResume,
    UploadStatus,
)
from whispercore.database.page import Slice
from whispercore.errors import Conflict, InvalidRequest, NotPermitted, TooLarge
from whispercore.files.names import clean_content_type, clean_name
from whispercore.people.caller import Caller
from whispercore.uploads.bounds import MOST_CHUNKS
from whispercore.uploads.finalizing import Screen, Wanted
from whispercore.uploads.session import NewUpload, Session, State
from whispercore.uploads.sessions import check_active
from whispercore_server.ordering import PRIORITIES, REPEATED, options_of
from whispercore_server.plugin import Reply, serves
from whispercore_server.plugins.transcriber import views
from whispercore_server.ports import Ports
from whispercore_server.screening import ScreeningGuard

MAKES_JOBS: Final = "jobs:create"
_FIRST: Final = 10
"""Missing chunks that a status names."""
_SHA256: Final = re.compile(r"sha-256=:([A-Za-z0-9+/]{43}=):")


@define
class ChunkedUploadsHandlers:
    """Takes recordings in that are sent in chunks."""

    ports: Ports

    @serves(ChunkedUploads.initialize)
    async def initialize(self, request: BeginUpload, caller: Caller) -> UploadBegun:
        """Nothing is kept yet but a row."""
        settings = self.ports.settings
        if request.file_size > settings.max_upload_bytes:
            raise TooLarge(settings.max_upload_bytes)
        new = NewUpload(
            filename=clean_name(request.filename),
            content_type=clean_content_type(request.content_type),
            size_bytes=request.file_size,
            chunk_bytes=request.chunk_size,
            file_hash=request.file_hash.lower() if request.file_hash is not None else None,
        )
        if (new.total_chunks or 0) > MOST_CHUNKS:
            least = -(-request.file_size // MOST_CHUNKS)
            raise InvalidRequest.one("chunk_size", f"a file of this size needs chunks of at least {least:,} bytes")
        session = await self.ports.uploads.sessions.begin(new, caller)
        return UploadBegun(
            session_id=session.id,
            upload_url=f"{caller.request.mounted_at}/api/chunked-uploads/{session.id}/chunks",
            expires_at=session.expires_at,
            total_chunks=session.total_chunks or 0,
            chunk_size=request.chunk_size,
            file_size=session.size_bytes,
            parallel_chunks=settings.max_parallel_parts,
        )

    @serves(ChunkedUploads.list)
    async def list(self, request: ListUploads, caller: Caller) -> UploadList:
        """Those of tus too."""
        part = Slice(request.offset, request.limit)
        states = () if request.status is None else (State(request.status),)
        page = await self.ports.uploads.sessions.listed(caller, states, part)
        return UploadList(
            sessions=[await self._shown(one) for one in page.rows],
            total=page.total,
            limit=part.limit,
            offset=part.offset,
        )

    @serves(ChunkedUploads.send)
    async def send(self, request: SendChunk, caller: Caller) -> ChunkReceived:
        """Its bytes are read once it is known that they are wanted."""
        received = await self.ports.uploads.chunks.receive(
            request.session_id,
            request.chunk_number,
            caller,
            request.chunk_data.pieces(),
            size_bytes=request.chunk_data.announced_bytes,
            sha256=_sha256(request.content_digest),
        )
        session = received.session
        return ChunkReceived(
            chunk_number=received.chunk.number,
            received_size=received.chunk.size_bytes,
            checksum=received.chunk.sha256,
            progress=_percent(session),
            status="already_uploaded" if received.was_there else "uploaded",
            uploaded_chunks=session.received_chunks,
            total_chunks=session.total_chunks or 0,
            expires_at=session.expires_at,
        )

    @serves(ChunkedUploads.finalize)
    async def finalize(self, request: FinishUpload, caller: Caller) -> Reply[UploadFinished]:
        """The recording is screened and looked at as if it had come at once."""
        ports = self.ports
        session = await ports.uploads.sessions.own(request.session_id, caller)
        if not caller.may(MAKES_JOBS):
            raise NotPermitted(MAKES_JOBS)
        if session.state is not State.COMPLETED:
            await ports.submissions.queue_limit.check()
        wanted = Wanted(
            options=await options_of(ports, request, caller),
            screen=screen_of(ports, ChunkedUploads.finalize.path),
            priority=PRIORITIES[request.priority],
            checksums=request.chunk_checksums,
            idempotency_key=request.idempotency_key,
        )
        submitted = await ports.uploads.finalizing.finish(session.id, caller, wanted)
        done = await ports.uploads.sessions.own(session.id, caller)
        finished = UploadFinished(
            job_id=submitted.job.id,
            status=views.status(submitted.job),
            message="File uploaded successfully and transcription queued",
            file_hash=done.sha256 or "",
            final_filename=done.filename,
        )
        return Reply(body=finished, headers=REPEATED if submitted.repeated else {})

    @serves(ChunkedUploads.status)
    async def status(self, request: UploadRef, caller: Caller) -> UploadStatus:
        """Also of those that are over."""
        return await self._shown(await self.ports.uploads.sessions.owned(request.session_id, caller))

    @serves(ChunkedUploads.resume)
    async def resume(self, request: UploadRef, caller: Caller) -> UploadResume:
        """All that is missing, so that a client that knows nothing but the id can go on."""
        sessions = self.ports.uploads.sessions
        session = await sessions.owned(request.session_id, caller)
        check_active(session)
        if session.chunk_bytes is None or session.total_chunks is None:
            raise Conflict("this upload is sent by tus, and has no chunks")
        return UploadResume(
            session_id=session.id,
            resumable=True,
            missing_chunks=[*await sessions.missing(session)],
            chunk_size=session.chunk_bytes,
            file_size=session.size_bytes,
            total_chunks=session.total_chunks,
            expires_at=session.expires_at,
        )

    @serves(ChunkedUploads.cancel)
    async def cancel(self, request: UploadRef, caller: Caller) -> UploadCancelled:
        """Its bytes go at once."""
        session = await self.ports.uploads.sessions.cancel(request.session_id, caller)
        return UploadCancelled(session_id=session.id, status="cancelled", message="Upload cancelled")

    async def _shown(self, session: Session) -> UploadStatus:
        missing = await self.ports.uploads.sessions.missing(session)
        return UploadStatus(
            session_id=session.id,
            status=session.state.value,
            filename=session.filename,
            content_type=session.content_type,
            file_size=session.size_bytes,
            received_size=session.received_bytes,
            progress=_percent(session),
            chunk_size=session.chunk_bytes,
            total_chunks=session.total_chunks,
            uploaded_chunks=session.received_chunks,
            created_at=session.created_at,
            expires_at=session.expires_at,
            file_hash=session.sha256,
            job_id=session.job_id,
            failure=session.failure,
            missing_chunks=[*missing[:_FIRST]],
        )


def screen_of(ports: Ports, action: str) -> Screen:
    """What looks at an upload before a job is made of it.

    Args:
        ports: Of the server.
        action: What the caller is doing, for the audit trail.
    """
    guard = ScreeningGuard(ports.settings.screening, ports.audit)
    return lambda caller, specimen: guard.look_at(caller, action, specimen)


def _percent(session: Session) -> float:
    return round(100 * session.received_bytes / session.size_bytes, 2) if session.size_bytes else 100.0


def _sha256(digest: str | None) -> str | None:
    """The SHA-256 of ``Content-Digest``; other algorithms are nothing to us (RFC 9530, 2)."""
    if digest is None:
        return None
    told = next((one.strip() for one in digest.split(",") if one.strip().startswith("sha-256=")), None)
    if told is None:
        return None
    found = _SHA256.fullmatch(told)
    if found is None:
        raise InvalidRequest.one("Content-Digest", "it has to be sha-256=:BASE64: (RFC 9530)")
    return base64.b64decode(found[1]).hex()
