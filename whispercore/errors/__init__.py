"""Every error that whispercore raises.

    WhispercoreError
    ├── InvalidOption            an option that no engine would accept
    ├── MediaError               the recording
    │   ├── NotMedia             not audio or video at all
    │   ├── NoSound              media without an audio track
    │   ├── FetchFailed          it cannot be fetched from the address that was named
    │   └── IncompleteMedia      only a part can be read
    │       ├── TruncatedMedia   the end is missing
    │       └── DamagedMedia     parts cannot be decoded
    ├── ModelError               the model
    │   ├── UnknownModel         no model has this name
    │   ├── ModelMissing         a known model that is not on this machine
    │   ├── ModelNotAvailable    a known model that is not on the server
    │   ├── ModelDamaged         not a model file, or not a whole one
    │   ├── ModelInUse           another process is changing it
    │   ├── DownloadFailed       the hub cannot be reached or breaks off
    │   ├── ChecksumMismatch     what arrived is not what was published
    │   └── NoSpace              the disk is full
    ├── EngineError              the computation
    │   ├── EngineCrashed        the engine's process died, again and again
    │   ├── EngineStalled        the engine or decoder stopped answering
    │   ├── EngineFailed         it answered with an error of its own
    │   │   └── EngineAway       it is elsewhere, and cannot be reached
    │   ├── NoRoom               the memory has no room for the model
    │   ├── Preempted            its process was ended for another caller; the pool tries again
    │   └── EngineMissing        it is not installed, or no engine has this name
    ├── RequestError             a request to a server
    │   ├── InvalidRequest       it does not fit what the endpoint takes
    │   ├── SuspiciousInput      something in it looks like an attack
    │   ├── NotAuthenticated     nobody knows who is calling
    │   ├── NotPermitted         the caller may not do this
    │   ├── CsrfRefused          it may come from another site than it seems
    │   │   ├── CsrfTokenRequired   it has a cookie, and no token
    │   │   ├── CsrfTokenMalformed  its token is none
    │   │   ├── CsrfTokenInvalid    its token is too old, or somebody else's
    │   │   └── CsrfOriginRejected  a page of another site sent it
    │   ├── NotFound             no such thing, or somebody else's
    │   ├── MethodNotAllowed     the path exists, for another method
    │   ├── Conflict             not possible in the present state
    │   │   └── StaleVersion     somebody else has changed it meanwhile
    │   ├── TooLarge             the body is larger than allowed
    │   ├── RangeNotSatisfiable  a part of a file is asked for that it does not have
    │   ├── WrongContentType     the body is of another kind
    │   ├── KeyReused            the Idempotency-Key stands for another request
    │   ├── TooManyRequests      a rate limit is used up
    │   ├── Unavailable          not now
    │   ├── StorageFull          the server's disk is full
    │   ├── QuotaExceeded        the caller's share of it is
    │   ├── UploadIncomplete     pieces of an upload are missing, or are not what they should be
    │   ├── WrongChecksum        bytes that came in are not those that were sent
    │   ├── EncryptedForAnother  a recording came encrypted for another key
    │   ├── EncryptedPartDamaged    a part of one that came encrypted cannot be opened
    │   ├── UploadExpired        an upload stood still for too long, and was given up
    │   ├── InternalError        the server failed
    │   ├── RemoteError          an error that this client does not know
    │   ├── UnexpectedReply      something else answered
    │   ├── Unreachable          no connection
    │   ├── TimedOut             no answer in time
    │   └── JobFailed            a job that was waited for came to no transcript
    ├── StorageError             the server's store
    │   ├── BlobMissing          it does not have this
    │   ├── BlobExists           it has this already
    │   ├── FileDamaged          what it has is not what came in
    │   ├── BackupDamaged        a backup is not what was written
    │   ├── SealBroken           it cannot be opened with this key
    │   └── WrongMasterKey       the master key is not that of this installation
    ├── SchemaTooNew             the database is of a newer version
    ├── SchemaTooOld             the database has to be upgraded first
    ├── DatabaseUnreachable      there is no PostgreSQL where there should be one
    ├── DatabaseNotEmpty         only an empty one can take another one's place
    ├── RowsDiffer               what a database has is not what it was given
    ├── DatabaseDamaged          the database is damaged
    ├── ClaimLost                this worker's job is another's now, or over
    └── Cancelled                somebody asked for it

Fields are the details; ``str(error)`` is a sentence for people that says what was found and what to do. ``code`` is
the stable name for programs.
"""

from __future__ import annotations

from whispercore.errors.csrf import (
    CsrfOriginRejected,
    CsrfRefused,
    CsrfTokenInvalid,
    CsrfTokenMalformed,
    CsrfTokenRequired,
)
from whispercore.errors.database import (
    DatabaseDamaged,
    DatabaseNotEmpty,
    DatabaseUnreachable,
    RowsDiffer,
    SchemaTooNew,
    SchemaTooOld,
)
from whispercore.errors.engine import (
    EngineAway,
    EngineCrashed,
    EngineError,
    EngineFailed,
    EngineMissing,
    EngineStalled,
    NoRoom,
    Preempted,
)
from whispercore.errors.jobs import ClaimLost
from whispercore.errors.media import (
    DamagedMedia,
    FetchFailed,
    IncompleteMedia,
    MediaError,
    NoSound,
    NotMedia,
    TruncatedMedia,
)
from whispercore.errors.model import (
    ChecksumMismatch,
    DownloadFailed,
    ModelDamaged,
    ModelError,
    ModelInUse,
    ModelMissing,
    ModelNotAvailable,
    NoSpace,
    UnknownModel,
)
from whispercore.errors.request import (
    Conflict,
    InternalError,
    InvalidRequest,
    JobFailed,
    KeyReused,
    MethodNotAllowed,
    NotAuthenticated,
    NotFound,
    NotPermitted,
    Problem,
    RangeNotSatisfiable,
    RemoteError,
    RequestError,
    StaleVersion,
    StorageFull,
    SuspiciousInput,
    TimedOut,
    TooLarge,
    TooManyRequests,
    Unavailable,
    UnexpectedReply,
    Unreachable,
    WrongContentType,
)
from whispercore.errors.root import (
    Cancelled,
    InvalidOption,
    WhispercoreError,
)
from whispercore.errors.storage import (
    BackupDamaged,
    BlobExists,
    BlobMissing,
    FileDamaged,
    SealBroken,
    StorageError,
    WrongMasterKey,
)
from whispercore.errors.uploads import (
    EncryptedForAnother,
    EncryptedPartDamaged,
    QuotaExceeded,
    UploadExpired,
    UploadIncomplete,
    WrongChecksum,
)

__all__ = [
    "BackupDamaged",
    "BlobExists",
    "BlobMissing",
    "Cancelled",
    "ChecksumMismatch",
    "ClaimLost",
    "Conflict",
    "CsrfOriginRejected",
    "CsrfRefused",
    "CsrfTokenInvalid",
    "CsrfTokenMalformed",
    "CsrfTokenRequired",
    "DamagedMedia",
    "DatabaseDamaged",
    "DatabaseNotEmpty",
    "DatabaseUnreachable",
    "DownloadFailed",
    "EncryptedForAnother",
    "EncryptedPartDamaged",
    "EngineAway",
    "EngineCrashed",
    "EngineError",
    "EngineFailed",
    "EngineMissing",
    "EngineStalled",
    "FetchFailed",
    "FileDamaged",
    "IncompleteMedia",
    "InternalError",
    "InvalidOption",
    "InvalidRequest",
    "JobFailed",
    "KeyReused",
    "MediaError",
    "MethodNotAllowed",
    "ModelDamaged",
    "ModelError",
    "ModelInUse",
    "ModelMissing",
    "ModelNotAvailable",
    "NoRoom",
    "NoSound",
    "NoSpace",
    "NotAuthenticated",
    "NotFound",
    "NotMedia",
    "NotPermitted",
    "Preempted",
    "Problem",
    "QuotaExceeded",
    "RangeNotSatisfiable",
    "RemoteError",
    "RequestError",
    "RowsDiffer",
    "SchemaTooNew",
    "SchemaTooOld",
    "SealBroken",
    "StaleVersion",
    "StorageError",
    "StorageFull",
    "SuspiciousInput",
    "TimedOut",
    "TooLarge",
    "TooManyRequests",
    "TruncatedMedia",
    "Unavailable",
    "UnexpectedReply",
    "UnknownModel",
    "Unreachable",
    "UploadExpired",
    "UploadIncomplete",
    "WhispercoreError",
    "WrongChecksum",
    "WrongContentType",
    "WrongMasterKey",
]
