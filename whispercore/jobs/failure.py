"""What becomes of a job when its handler raises an error."""

from __future__ import annotations

import errno

from attrs import frozen

from whispercore.errors import (
    DownloadFailed,
    EngineAway,
    EngineStalled,
    FetchFailed,
    ModelInUse,
    NoRoom,
    NoSpace,
    StorageFull,
    TimedOut,
    Unavailable,
    Unreachable,
    WhispercoreError,
)

_PASSING = (EngineAway, EngineStalled, ModelInUse, NoSpace, StorageFull, TimedOut, Unavailable, Unreachable)
"""What may be gone in a minute. Everything else that we know by name is what it is."""


@frozen
class Failure:
    """Why an attempt failed."""

    reason: str
    """A stable name for programs."""
    error: str
    """A sentence for people, which tells no secrets of ours."""
    retry: bool
    """Whether another attempt may help."""

    @classmethod
    def of(cls, error: BaseException) -> Failure:
        """What an error means."""
        match error:
            case FetchFailed():
                return cls(error.code, str(error), error.passing)
            case NoRoom():
                return cls(error.code, str(error), error.passing)
            case DownloadFailed():
                return cls(error.code, str(error), error.resumable)
            case WhispercoreError():
                return cls(error.code, str(error), isinstance(error, _PASSING))
            case OSError(errno=errno.ENOSPC | errno.EDQUOT):
                return cls(StorageFull.code, str(StorageFull()), retry=True)
        return cls(
            "internal_error", f"an unexpected error ({type(error).__name__}); the server's log says more", retry=True
        )
