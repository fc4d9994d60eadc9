"""Recordings that are sent in chunks (seed 001, *File Management*): in any order, side by side, over breaks."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any, Final, Generic, Literal

from attrs import field, frozen

from whispercore.api.transcriber.dialect import TranscriberGroup
from whispercore.api.transcriber.job_options import JobOptions
from whispercore.api.transcriber.jobs import Status
from whispercore.contract.endpoint import Endpoint, Listing
from whispercore.contract.fields import Octets, between, header, length, octets, told
from whispercore.contract.group import T_co
from whispercore.errors import (
    Conflict,
    KeyReused,
    MediaError,
    ModelError,
    NotFound,
    NotMedia,
    QuotaExceeded,
    StorageFull,
    TooManyRequests,
    Unavailable,
    UploadExpired,
    UploadIncomplete,
    WrongChecksum,
)
from whispercore.uploads.bounds import LARGEST_CHUNK_BYTES, MOST_CHUNKS, SMALLEST_CHUNK_BYTES, USUAL_CHUNK_BYTES

State = Literal["active", "assembling", "completed", "failed", "cancelled", "expired"]
_MOST_BYTES: Final = 1 << 40
_SHA256: Final = re.compile(r"[0-9a-fA-F]{64}")


def _sha256(_: object, __: object, value: Any) -> None:
    if value is not None and _SHA256.fullmatch(value) is None:
        raise ValueError("it is not a SHA-256 in 64 hexadecimal digits")


def _sha256s(_: object, __: object, value: Any) -> None:
    if value is not None:
        length(0, MOST_CHUNKS)(None, None, value)
        wrong = next((number for number, one in enumerate(value) if _SHA256.fullmatch(one) is None), None)
        if wrong is not None:
            raise ValueError(f"the one of chunk {wrong} is not a SHA-256 in 64 hexadecimal digits")


@frozen(kw_only=True)
class BeginUpload:
    """What is to be sent."""

    filename: str = field(validator=length(1, 255), metadata=told("What the recording is called."))
    file_size: int = field(validator=between(1, _MOST_BYTES), metadata=told("All its bytes."))
    chunk_size: int = field(
        default=USUAL_CHUNK_BYTES,
        validator=between(SMALLEST_CHUNK_BYTES, LARGEST_CHUNK_BYTES),
        metadata=told("Bytes of every chunk but the last, which has what is left."),
    )
    content_type: str = field(
        default="application/octet-stream", validator=length(0, 255), metadata=told("The kind of the recording.")
    )
    file_hash: str | None = field(
        default=None, validator=_sha256, metadata=told("SHA-256 of all of it; compared at the end if given.")
    )


@frozen(kw_only=True)
class UploadBegun:
    """An upload that waits for its chunks."""

    session_id: str
    upload_url: str
    """Chunks go below it, to their numbers from 0: ``…/chunks/0``."""
    expires_at: datetime
    """When it is given up if nothing comes; each chunk puts it off."""
    total_chunks: int
    chunk_size: int
    file_size: int
    parallel_chunks: int
    """How many may be sent at the same time."""


@frozen(kw_only=True)
class SendChunk:
    """A chunk, as it is or as the file ``chunk_data`` of a form."""

    session_id: str = field(kw_only=False, metadata=told("Of the upload."))
    chunk_number: int = field(kw_only=False, metadata=told("From 0."))
    content_digest: str | None = field(
        default=None,
        validator=length(1, 1000),
        metadata=header("Content-Digest", "The checksum of the chunk (RFC 9530): `sha-256=:BASE64:`."),
    )
    chunk_data: Octets = field(converter=octets, metadata=told("The bytes."))


@frozen(kw_only=True)
class ChunkReceived:
    """A chunk that came in."""

    chunk_number: int
    received_size: int
    checksum: str
    """Its SHA-256."""
    progress: float
    """Percent of all bytes that are here."""
    status: Literal["uploaded", "already_uploaded"]
    uploaded_chunks: int
    total_chunks: int
    expires_at: datetime


@frozen(kw_only=True)
class UploadRef:
    """An upload."""

    session_id: str = field(kw_only=False, metadata=told("Of the upload."))


@frozen(kw_only=True)
class FinishUpload(JobOptions):
    """How to transcribe what was sent."""

    session_id: str = field(kw_only=False, metadata=told("Of the upload."))
    chunk_checksums: list[str] | None = field(
        default=None,
        validator=_sha256s,
        metadata=told("SHA-256 of each chunk; those that came otherwise are named in the answer, and taken again."),
    )


@frozen(kw_only=True)
class UploadFinished:
    """An upload that became a job."""

    job_id: str
    status: Status
    message: str
    file_hash: str
    """SHA-256 of all of it."""
    final_filename: str


@frozen(kw_only=True)
class UploadStatus:
    """How far an upload is."""

    session_id: str
    status: State
    filename: str
    content_type: str
    file_size: int
    received_size: int
    progress: float
    """Percent of all bytes that are here."""
    chunk_size: int | None
    """None where the pieces may have any size, as those of tus."""
    total_chunks: int | None
    uploaded_chunks: int
    created_at: datetime
    expires_at: datetime
    file_hash: str | None
    """SHA-256 of all of it, once it is completed."""
    job_id: str | None
    failure: str | None
    missing_chunks: list[int] = field(factory=list)
    """The first ten; all of them are told by ``resume``."""


@frozen(kw_only=True)
class UploadResume:
    """What is to be sent yet."""

    session_id: str
    resumable: bool
    missing_chunks: list[int]
    chunk_size: int
    file_size: int
    total_chunks: int
    expires_at: datetime


@frozen(kw_only=True)
class ListUploads:
    """Which of the caller's uploads to list, newest first."""

    limit: int = field(default=50, validator=between(1, 100), metadata=told("Rows on a page."))
    offset: int = field(default=0, validator=between(0, 10**9), metadata=told("Rows to leave out."))
    status: State | None = field(default=None, metadata=told("Only those in this state."))


@frozen(kw_only=True)
class UploadList:
    """A page of uploads."""

    sessions: list[UploadStatus]
    total: int
    limit: int
    offset: int


@frozen(kw_only=True)
class UploadCancelled:
    """An upload that was abandoned."""

    session_id: str
    status: State
    message: str


class ChunkedUploads(TranscriberGroup[T_co], Generic[T_co]):
    """Recordings in chunks."""

    tag = "chunked_uploads"
    initialize = Endpoint(
        "POST",
        "/api/chunked-uploads/initialize",
        BeginUpload,
        UploadBegun,
        scope="uploads:write",
        limit="upload",
        status=201,
        errors=(QuotaExceeded, StorageFull, TooManyRequests),
        doc="Begin to send a recording in chunks.",
    )
    list = Listing(
        "GET",
        "/api/chunked-uploads/",
        ListUploads,
        UploadList,
        lambda page: page.sessions,
        scope="uploads:read",
        doc="The caller's uploads in pieces.",
    )
    send = Endpoint(
        "POST",
        "/api/chunked-uploads/{session_id}/chunks/{chunk_number}",
        SendChunk,
        ChunkReceived,
        scope="uploads:write",
        limit="parts",
        errors=(NotFound, UploadExpired, Conflict, WrongChecksum, StorageFull, TooManyRequests),
        doc="Send a chunk; one that came before may come again.",
    )
    finalize = Endpoint(
        "POST",
        "/api/chunked-uploads/{session_id}/finalize",
        FinishUpload,
        UploadFinished,
        scope="uploads:write",
        status=201,
        errors=(
            NotFound,
            UploadExpired,
            UploadIncomplete,
            WrongChecksum,
            Conflict,
            NotMedia,
            MediaError,
            ModelError,
            StorageFull,
            Unavailable,
            KeyReused,
        ),
        doc="Queue the transcription of what was sent; needs the scope `jobs:create` too.",
    )
    status = Endpoint(
        "GET",
        "/api/chunked-uploads/{session_id}/status",
        UploadRef,
        UploadStatus,
        scope="uploads:read",
        errors=(NotFound,),
        doc="How far an upload is.",
    )
    resume = Endpoint(
        "GET",
        "/api/chunked-uploads/{session_id}/resume",
        UploadRef,
        UploadResume,
        scope="uploads:read",
        errors=(NotFound, UploadExpired, Conflict),
        doc="All chunks that are to be sent yet.",
    )
    cancel = Endpoint(
        "DELETE",
        "/api/chunked-uploads/{session_id}",
        UploadRef,
        UploadCancelled,
        scope="uploads:write",
        errors=(NotFound, UploadExpired, Conflict),
        doc="Abandon an upload; what came is removed.",
    )
