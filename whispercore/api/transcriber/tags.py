"""Tags of jobs."""

from __future__ import annotations

from typing import Generic

from attrs import field, frozen

from whispercore.api.transcriber.dialect import TranscriberGroup
from whispercore.contract.endpoint import Endpoint, Listing
from whispercore.contract.fields import between, length, told
from whispercore.contract.group import T_co
from whispercore.errors import NotFound


@frozen(kw_only=True)
class ListTags:
    """Which tags to list."""

    limit: int = field(default=100, validator=between(1, 500), metadata=told("Rows on a page."))
    offset: int = field(default=0, validator=between(0, 10**9), metadata=told("Rows to leave out."))


@frozen(kw_only=True)
class TagRow:
    """A tag and how many jobs have it."""

    name: str
    jobs: int


@frozen(kw_only=True)
class TagList:
    """A page of tags."""

    tags: list[TagRow]
    total: int
    limit: int
    offset: int


@frozen(kw_only=True)
class TagsRef:
    """The tags of one job."""

    job_id: str = field(kw_only=False, metadata=told("Id of the job, in whatever state."))


@frozen(kw_only=True)
class SetTags:
    """The tags that a job shall have, and no others."""

    job_id: str = field(kw_only=False, metadata=told("Id of the job, in whatever state."))
    tags: list[str] = field(
        validator=length(0, 100),
        metadata=told("At most 20 of 50 characters. Those that differ only in case are the same."),
    )


@frozen(kw_only=True)
class JobTags:
    """The tags of a job, in order."""

    job_id: str
    tags: list[str]


class Tags(TranscriberGroup[T_co], Generic[T_co]):
    """Tags of jobs."""

    tag = "tags"
    list = Listing(
        "GET",
        "/api/tags/",
        ListTags,
        TagList,
        lambda page: page.tags,
        scope="jobs:read",
        doc="List the tags of your jobs.",
    )
    get = Endpoint(
        "GET",
        "/api/transcripts/{job_id}/tags",
        TagsRef,
        JobTags,
        scope="jobs:read",
        errors=(NotFound,),
        doc="The tags of a job.",
    )
    set = Endpoint(
        "PUT",
        "/api/transcripts/{job_id}/tags",
        SetTags,
        JobTags,
        scope="jobs:write",
        errors=(NotFound,),
        doc="Give a job tags, in place of those that it has.",
    )
