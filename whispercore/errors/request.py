"""Why a server refuses a request, and what a client meets besides. The same classes are raised on both sides."""

from __future__ import annotations

from attrs import define, frozen

from whispercore.errors.root import WhispercoreError


class RequestError(WhispercoreError):
    """A request was not answered as asked."""

    code = "request_error"


@frozen
class Problem:
    """One thing that is wrong with a request."""

    field: str
    """Where: its name as it was sent, with the path inside it (``filters.models[1]``); empty for the whole."""
    reason: str

    def __str__(self) -> str:
        return f"{self.field}: {self.reason}" if self.field else self.reason


@define
class InvalidRequest(RequestError):
    """The request does not fit what the endpoint takes."""

    code = "validation_error"
    problems: tuple[Problem, ...]

    @classmethod
    def one(cls, field: str, reason: str) -> InvalidRequest:
        """The error for a single field."""
        return cls((Problem(field, reason),))

    def __str__(self) -> str:
        return "; ".join(str(problem) for problem in self.problems)


@define
class SuspiciousInput(RequestError):
    """Something in the request looks like an attack."""

    code = "validation_failed"
    validation_errors: tuple[str, ...]
    """What it looks like, the gravest first."""
    risk_score: int
    """0 to 10."""
    fields: tuple[str, ...] = ()
    """Where it was found."""

    def __str__(self) -> str:
        return "Input validation failed"


@define
class NotAuthenticated(RequestError):
    """Nobody knows who is calling."""

    code = "not_authenticated"
    reason: str = "this needs a bearer token or an API key"

    def __str__(self) -> str:
        return self.reason


@define
class NotPermitted(RequestError):
    """The caller is known, and may not do this."""

    code = "not_permitted"
    needed: str
    """The scope that is missing, or what is not allowed, in words."""

    def __str__(self) -> str:
        return f"this needs the permission {self.needed!r}"


@define
class NotFound(RequestError):
    """There is no such thing, or it is somebody else's."""

    code = "not_found"
    what: str
    """``job``, ``file``, ``user``, ``route`` …"""
    id: str

    def __str__(self) -> str:
        return f"there is no {self.what} {self.id!r}"


@define
class MethodNotAllowed(RequestError):
    """The path exists, but not for this method."""

    code = "method_not_allowed"
    method: str
    allowed: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.method} is not possible here; {', '.join(self.allowed)} would be"


@define
class Conflict(RequestError):
    """It cannot be done in the present state."""

    code = "conflict"
    reason: str

    def __str__(self) -> str:
        return self.reason


@define
class StaleVersion(Conflict):
    """It was made for a version that is not the newest any more: somebody else was quicker."""

    code = "stale_version"
    current_version: int
    """The newest one: read it, and do it again."""

    @classmethod
    def of(cls, version: int, current_version: int) -> StaleVersion:
        """The error for a change of this version."""
        return cls(f"version {version} is not the newest, {current_version} is: read it and try again", current_version)

    def __str__(self) -> str:
        return self.reason


@define
class TooLarge(RequestError):
    """The body is larger than allowed."""

    code = "payload_too_large"
    limit_bytes: int

    def __str__(self) -> str:
        return f"the body is larger than the {self.limit_bytes:,} bytes that are allowed"


@define
class RangeNotSatisfiable(RequestError):
    """A part of a file is asked for that it does not have."""

    code = "range_not_satisfiable"
    size_bytes: int
    """Of the whole file."""

    def __str__(self) -> str:
        return f"the file has {self.size_bytes:,} bytes, and none of those that are asked for"


@define
class WrongContentType(RequestError):
    """The body is of another kind than the endpoint takes."""

    code = "unsupported_content_type"
    found: str
    expected: str

    def __str__(self) -> str:
        return f"the body is {self.found or 'of no declared type'}, but has to be {self.expected}"


@define
class KeyReused(RequestError):
    """The ``Idempotency-Key`` was used before, with another request."""

    code = "idempotency_key_reused"
    key: str

    def __str__(self) -> str:
        return f"the Idempotency-Key {self.key!r} was used before for another request"


@define
class TooManyRequests(RequestError):
    """A rate limit is used up."""

    code = "rate_limit_exceeded"
    retry_after: int
    """Seconds until the next request is let through."""
    limit_type: str

    def __str__(self) -> str:
        return f"too many requests; try again in {self.retry_after} s"


@define
class Unavailable(RequestError):
    """The server cannot do it now, and may be able to soon."""

    code = "service_unavailable"
    reason: str
    retry_after: int | None = None
    """Seconds to wait before trying again."""

    def __str__(self) -> str:
        return self.reason


@define
class StorageFull(RequestError):
    """The server's disk has no room for it."""

    code = "storage_full"
    needed_bytes: int | None = None
    free_bytes: int | None = None

    def __str__(self) -> str:
        return "the server's disk is full"


class InternalError(RequestError):
    """The server failed. Its log has the details, under the request's id."""

    code = "internal_error"

    def __str__(self) -> str:
        return "the server failed; its log says more under this request_id"


@define
class RemoteError(RequestError):
    """A server answered with an error that this client does not know."""

    code = "remote_error"
    status: int
    """Of HTTP."""
    remote_code: str
    message: str

    def __str__(self) -> str:
        return f"{self.message} ({self.remote_code}, status {self.status})"


@define
class UnexpectedReply(RequestError):
    """What answered is not this API: a proxy's error page, for instance."""

    code = "unexpected_reply"
    status: int
    """Of HTTP."""
    content_type: str
    start: str
    """The first characters of the body."""

    def __str__(self) -> str:
        return f"an answer with status {self.status} that is not of this API ({self.content_type}): {self.start!r}"


@define
class Unreachable(RequestError):
    """There is no connection to the server, or it broke."""

    code = "unreachable"
    url: str
    reason: str

    def __str__(self) -> str:
        return f"{self.url} cannot be reached: {self.reason}"


@define
class TimedOut(RequestError):
    """The server did not answer in time."""

    code = "timed_out"
    url: str
    timeout_s: float

    def __str__(self) -> str:
        return f"{self.url} did not answer within {self.timeout_s:g} s"


@define
class JobFailed(RequestError):
    """A job that somebody waited for came to no transcript."""

    code = "job_failed"
    job_id: str
    failure_reason: str | None
    """For programs; ``cancelled`` if somebody cancelled it."""
    error: str | None = None
    """For people."""

    def __str__(self) -> str:
        return f"the job {self.job_id} failed: {self.error or self.failure_reason or 'the server does not say why'}"
