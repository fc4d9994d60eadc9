"""Links by which others read a transcript without an account."""

from __future__ import annotations

from datetime import datetime
from typing import Generic, Literal

from attrs import field, frozen

from whispercore.api.transcriber.dialect import TranscriberGroup
from whispercore.api.transcriber.jobs import SpokenSegment
from whispercore.contract.endpoint import Endpoint, Listing
from whispercore.contract.fields import between, length, told
from whispercore.contract.group import T_co
from whispercore.errors import Conflict, NotFound

ShareStatus = Literal["active", "expired", "withdrawn"]


@frozen(kw_only=True)
class ShareTranscript:
    """What to share, and for how long."""

    job_id: str = field(kw_only=False, metadata=told("Id of a completed job."))
    expires_hours: int = field(
        default=168, validator=between(1, 8760), metadata=told("Hours that the link is good for; a year at most.")
    )
    label: str | None = field(
        default=None, validator=length(0, 100), metadata=told("What it is for; who has the link does not see it.")
    )


@frozen(kw_only=True)
class ShareInfo:
    """What is known of a link."""

    share_id: str
    job_id: str
    label: str | None = None
    status: ShareStatus
    created_by: str
    """Name of a user."""
    created_at: datetime
    expires_at: datetime
    withdrawn_at: datetime | None = None
    last_used_at: datetime | None = None
    use_count: int


@frozen(kw_only=True)
class ShareCreated:
    """A link. It is shown here and never again."""

    share: ShareInfo
    url: str = field(repr=False)
    """To be given to others. Only a path if the request did not say which host it was sent to."""
    token: str = field(repr=False)
    """The secret in it."""


@frozen(kw_only=True)
class ListShares:
    """Which links to list, newest first."""

    job_id: str = field(kw_only=False, metadata=told("Id of the job."))
    limit: int = field(default=50, validator=between(1, 100), metadata=told("Rows on a page."))
    offset: int = field(default=0, validator=between(0, 10**9), metadata=told("Rows to leave out."))


@frozen(kw_only=True)
class ShareList:
    """A page of links."""

    shares: list[ShareInfo]
    total: int
    limit: int
    offset: int


@frozen(kw_only=True)
class ShareRef:
    """One link."""

    job_id: str = field(kw_only=False, metadata=told("Id of the job."))
    share_id: str = field(kw_only=False, metadata=told("Id of the link; no part of it."))


@frozen(kw_only=True)
class OpenShare:
    """Somebody who has a link."""

    token: str = field(kw_only=False, repr=False, metadata=told("The secret in the link."))


@frozen(kw_only=True)
class SharedTranscript:
    """A transcript that somebody has shared."""

    title: str
    """Name of the recording."""
    language: str
    duration_s: float
    text: str
    segments: list[SpokenSegment]
    expires_at: datetime
    """When the link ends."""


class Shares(TranscriberGroup[T_co], Generic[T_co]):
    """Links to transcripts."""

    tag = "shares"
    create = Endpoint(
        "POST",
        "/api/transcripts/{job_id}/shares",
        ShareTranscript,
        ShareCreated,
        scope="files:share",
        status=201,
        errors=(NotFound, Conflict),
        doc="Make a link by which everybody who has it reads the transcript.",
    )
    list = Listing(
        "GET",
        "/api/transcripts/{job_id}/shares",
        ListShares,
        ShareList,
        lambda page: page.shares,
        scope="files:share",
        errors=(NotFound,),
        doc="List the links to a transcript, newest first.",
    )
    withdraw = Endpoint(
        "DELETE",
        "/api/transcripts/{job_id}/shares/{share_id}",
        ShareRef,
        ShareInfo,
        scope="files:share",
        errors=(NotFound,),
        doc="End a link at once. Twice is as good as once.",
    )
    open = Endpoint(
        "GET",
        "/api/shared/{token}",
        OpenShare,
        SharedTranscript,
        scope=None,
        limit="general",
        errors=(NotFound,),
        doc="Read the transcript that a link leads to.",
    )
