"""Recordings by the protocol tus, over the same uploads as those in chunks.

Of tus 1.0 (https://tus.io/protocols/resumable-upload) there are the core protocol, creation, checksum, expiration,
termination and concatenation.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Final, Generic

from whispercore.api.transcriber.dialect import TranscriberGroup
from whispercore.contract.endpoint import Raw
from whispercore.contract.group import T_co
from whispercore.errors import (
    Conflict,
    InvalidRequest,
    MediaError,
    ModelError,
    NotFound,
    NotMedia,
    QuotaExceeded,
    StorageFull,
    TooLarge,
    TooManyRequests,
    UploadExpired,
    UploadIncomplete,
    WrongContentType,
)

VERSION: Final = "1.0.0"
HEADERS: Final = MappingProxyType({"Tus-Resumable": VERSION})
_FINISHED: Final = (Conflict, UploadIncomplete, NotMedia, MediaError, ModelError)
"""What a job may fail to be made for, once all bytes are here."""


class Tus(TranscriberGroup[T_co], Generic[T_co]):
    """Uploads by the protocol tus."""

    tag = "tus"
    options = Raw(
        "OPTIONS",
        "/api/tus/",
        scope=None,
        limit="general",
        status=204,
        headers=HEADERS,
        doc="What of tus this server can do.",
    )
    create = Raw(
        "POST",
        "/api/tus/",
        scope="uploads:write",
        limit="upload",
        status=201,
        headers=HEADERS,
        errors=(
            InvalidRequest,
            TooLarge,
            QuotaExceeded,
            StorageFull,
            TooManyRequests,
            NotFound,
            UploadExpired,
            *_FINISHED,
        ),
        doc="Begin an upload, or join several; `Location` says where it is.",
    )
    look = Raw(
        "HEAD",
        "/api/tus/{upload_id}",
        scope="uploads:read",
        limit="parts",
        headers=HEADERS,
        errors=(NotFound, UploadExpired),
        doc="How far an upload is, in `Upload-Offset`.",
    )
    append = Raw(
        "PATCH",
        "/api/tus/{upload_id}",
        scope="uploads:write",
        limit="parts",
        status=204,
        headers=HEADERS,
        errors=(
            InvalidRequest,
            NotFound,
            UploadExpired,
            TooLarge,
            WrongContentType,
            StorageFull,
            TooManyRequests,
            *_FINISHED,
        ),
        doc="Send bytes from `Upload-Offset` on; with the last ones the answer has the job in `X-Job-ID`.",
    )
    terminate = Raw(
        "DELETE",
        "/api/tus/{upload_id}",
        scope="uploads:write",
        status=204,
        headers=HEADERS,
        errors=(InvalidRequest, NotFound, UploadExpired, Conflict),
        doc="Abandon an upload.",
    )
    otherwise = Raw(
        "POST",
        "/api/tus/{upload_id}",
        scope="uploads:write",
        limit="parts",
        status=204,
        headers=HEADERS,
        errors=(
            InvalidRequest,
            NotFound,
            UploadExpired,
            TooLarge,
            WrongContentType,
            StorageFull,
            TooManyRequests,
            *_FINISHED,
        ),
        doc="The same as the method in `X-HTTP-Method-Override`, for those who cannot send that.",
    )
