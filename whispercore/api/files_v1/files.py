"""Files: sent, looked at, followed, downloaded and deleted (seed 002, *Files API*)."""

from __future__ import annotations

from datetime import datetime
from typing import Generic
from uuid import UUID

from attrs import field, frozen

from whispercore.api.files_v1.dialect import FilesV1Group
from whispercore.api.transcriber.job_options import JobOptions
from whispercore.api.v1.jobs import Status
from whispercore.contract.endpoint import Download, Endpoint, Listing, Stream
from whispercore.contract.fields import (
    ENCRYPTED_FOR,
    ENCRYPTED_KEY,
    PLAIN_SHA256,
    UPLOAD_ID,
    UPLOAD_LENGTH,
    Upload,
    between,
    header,
    told,
    upload,
)
from whispercore.contract.group import T_co
from whispercore.contract.messages import Event
from whispercore.errors import (
    Conflict,
    EncryptedForAnother,
    EncryptedPartDamaged,
    FileDamaged,
    KeyReused,
    MediaError,
    ModelError,
    NotFound,
    NotMedia,
    RangeNotSatisfiable,
    StorageFull,
    Unavailable,
    WrongChecksum,
)


@frozen(kw_only=True)
class UploadFile(JobOptions):
    """A recording and how to transcribe it, as a form; the file may come before or after the other fields."""

    file: Upload = field(converter=upload)
    upload_id: UUID | None = field(
        default=None,
        metadata=header(UPLOAD_ID, "The id that the file is to have, so that its events can be followed meanwhile."),
    )
    upload_length: int | None = field(
        default=None,
        validator=between(0, 10**15),
        metadata=header(UPLOAD_LENGTH, "Bytes of the file, for its progress, where the request has no Content-Length."),
    )
    encrypted_key: str | None = field(
        default=None,
        repr=False,
        metadata=header(
            ENCRYPTED_KEY,
            "Of a file that is encrypted already: the secret key that opens its parts, behind a line '# sender: ' and "
            "the id of the caller, as an age file in base64 that was encrypted for the public key of the server.",
        ),
    )
    encrypted_for: str | None = field(
        default=None,
        metadata=header(ENCRYPTED_FOR, "The public key of the caller, if the other header was encrypted for it too."),
    )
    plain_sha256: str | None = field(
        default=None,
        metadata=header(PLAIN_SHA256, "SHA-256 of a file that is encrypted already, before it was; in hexadecimal."),
    )


@frozen(kw_only=True)
class StoredFileInfo:
    """A file, and how far its job is."""

    id: str
    name: str
    status: Status
    """Of its job."""
    created_at: datetime
    completed_at: datetime | None = None
    """When its job was completed, or failed."""
    upload_progress: float
    """0 to 1; 1 for a file that is there whole."""
    job_id: str | None = None
    """Null when nothing is to be done with it."""
    owner_id: str
    size_bytes: int
    content_type: str
    """As its sender said."""
    sha256: str
    """In hexadecimal."""
    failure_reason: str | None = None


@frozen(kw_only=True)
class FileRef:
    """One file of the caller's."""

    file_id: str = field(kw_only=False, metadata=told("Id of the file."))


@frozen(kw_only=True)
class ListFiles:
    """Which of the caller's files to list, newest first."""

    status: Status | None = field(default=None, metadata=told("Only those whose job is in this state."))
    limit: int = field(default=50, validator=between(1, 100), metadata=told("Rows on a page."))
    offset: int = field(default=0, validator=between(0, 10**9), metadata=told("Rows to leave out."))


@frozen(kw_only=True)
class FilePage:
    """A page of files."""

    files: list[StoredFileInfo]
    total: int
    limit: int
    offset: int


@frozen(kw_only=True)
class DownloadFile:
    """A file, or a part of it."""

    file_id: str = field(kw_only=False, metadata=told("Id of the file."))
    range: str | None = field(default=None, metadata=header("Range", "``bytes=0-99``: one part of it."))
    if_range: str | None = field(
        default=None, metadata=header("If-Range", "The ``ETag`` of what one has: of other bytes, all are sent.")
    )


@frozen(kw_only=True)
class FileDeleted:
    """A file is gone, and its job and transcription with it."""

    id: str
    message: str


@frozen(kw_only=True)
class FileEvent(Event):
    """Something happened to a file."""

    file_id: str


@frozen(kw_only=True)
class UploadProgress(FileEvent):
    """More of it has come."""

    progress: float
    """0 to 1; 1 when it is there whole. 0 as long as nobody knows how much will come."""
    bytes_processed: int


@frozen(kw_only=True)
class UploadFailed(FileEvent):
    """It was given up before it was there, and nothing is left of it."""

    bytes_processed: int


@frozen(kw_only=True)
class JobProgress(FileEvent):
    """Its job got further."""

    job_id: str
    status: Status
    progress: float
    """0 to 1; 1 only when the job is completed."""
    current_step: str | None = None


@frozen(kw_only=True)
class FileDone(FileEvent):
    """Its job is completed, failed or cancelled, and nothing follows."""

    tag = "end"
    job_id: str | None = None
    status: Status
    failure_reason: str | None = None
    error: str | None = None


def _files(page: FilePage) -> list[StoredFileInfo]:
    return page.files


class Files(FilesV1Group[T_co], Generic[T_co]):
    """Files that are to be transcribed."""

    tag = "files"
    upload = Endpoint(
        "POST",
        "/api/v1/files/upload",
        UploadFile,
        StoredFileInfo,
        scope="jobs:create",
        limit="upload",
        status=201,
        errors=(
            NotMedia,
            MediaError,
            ModelError,
            StorageFull,
            Unavailable,
            KeyReused,
            Conflict,
            EncryptedForAnother,
            EncryptedPartDamaged,
            WrongChecksum,
        ),
        doc="Upload a recording, which may be encrypted already, and queue its transcription.",
    )
    list = Listing(
        "GET",
        "/api/v1/files",
        ListFiles,
        FilePage,
        _files,
        scope="files:read",
        doc="List your files, newest first.",
    )
    get = Endpoint(
        "GET",
        "/api/v1/files/{file_id}",
        FileRef,
        StoredFileInfo,
        scope="files:read",
        errors=(NotFound,),
        doc="What a file is, and how far its job is.",
    )
    download = Download(
        "GET",
        "/api/v1/files/{file_id}/download",
        DownloadFile,
        scope="files:read",
        also=(206,),
        errors=(NotFound, RangeNotSatisfiable, FileDamaged),
        doc="The file as it was sent, or a part of it.",
    )
    delete = Endpoint(
        "DELETE",
        "/api/v1/files/{file_id}",
        FileRef,
        FileDeleted,
        scope="files:delete",
        errors=(NotFound,),
        doc="Delete a file, its job and its transcription; a running job is cancelled first.",
    )
    events = Stream(
        "GET",
        "/api/v1/files/{file_id}/events",
        FileRef,
        FileEvent,
        scope="files:read",
        errors=(NotFound,),
        final=(FileDone, UploadFailed),
        opens_within_s=30.0,
        doc="Follow a file: how much of it has come, and then how far its job is.",
    )
