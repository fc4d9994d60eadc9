"""Links by which others download a file without an account."""

from __future__ import annotations

from datetime import datetime
from typing import Generic, Literal

from attrs import field, frozen

from whispercore.api.files_v1.dialect import FilesV1Group
from whispercore.contract.endpoint import Download, Endpoint, Listing
from whispercore.contract.fields import between, header, length, told
from whispercore.contract.group import T_co
from whispercore.errors import Conflict, FileDamaged, NotFound, RangeNotSatisfiable, Unavailable

LinkStatus = Literal["active", "expired", "withdrawn"]


@frozen(kw_only=True)
class LinkFile:
    """What a link is to lead to, and for how long."""

    file_id: str = field(kw_only=False, metadata=told("Id of a file of the caller's."))
    expires_hours: int = field(
        default=24, validator=between(1, 8760), metadata=told("Hours that the link is good for; a year at most.")
    )
    label: str | None = field(
        default=None, validator=length(0, 100), metadata=told("What it is for; who has the link does not see it.")
    )


@frozen(kw_only=True)
class FileLinkInfo:
    """What is known of a link."""

    id: str
    file_id: str
    label: str | None = None
    status: LinkStatus
    created_by: str
    """Name of a user."""
    created_at: datetime
    expires_at: datetime
    withdrawn_at: datetime | None = None
    last_used_at: datetime | None = None
    use_count: int
    """Requests that came with it: a player that jumps about makes many."""


@frozen(kw_only=True)
class FileLinkCreated:
    """A link. It is shown here and never again."""

    link: FileLinkInfo
    url: str = field(repr=False)
    """To be given to others. Only a path if the request did not say which host it was sent to."""
    token: str = field(repr=False)
    """The secret in it."""


@frozen(kw_only=True)
class ListFileLinks:
    """Which links to list, newest first."""

    file_id: str = field(kw_only=False, metadata=told("Id of a file of the caller's."))
    limit: int = field(default=50, validator=between(1, 100), metadata=told("Rows on a page."))
    offset: int = field(default=0, validator=between(0, 10**9), metadata=told("Rows to leave out."))


@frozen(kw_only=True)
class FileLinkList:
    """A page of links."""

    links: list[FileLinkInfo]
    total: int
    limit: int
    offset: int


@frozen(kw_only=True)
class FileLinkRef:
    """One link."""

    file_id: str = field(kw_only=False, metadata=told("Id of a file of the caller's."))
    link_id: str = field(kw_only=False, metadata=told("Id of the link; no part of it."))


@frozen(kw_only=True)
class OpenFileLink:
    """Somebody who has a link, and what he wants of the file."""

    token: str = field(kw_only=False, repr=False, metadata=told("The secret in the link."))
    range: str | None = field(default=None, metadata=header("Range", "``bytes=0-99``: one part of it."))
    if_range: str | None = field(
        default=None, metadata=header("If-Range", "The ``ETag`` of what one has: of other bytes, all are sent.")
    )


class Links(FilesV1Group[T_co], Generic[T_co]):
    """Links to files."""

    tag = "links"
    create = Endpoint(
        "POST",
        "/api/v1/files/{file_id}/links",
        LinkFile,
        FileLinkCreated,
        scope="files:share",
        status=201,
        errors=(NotFound, Conflict),
        doc="Make a link by which everybody who has it downloads the file.",
    )
    list = Listing(
        "GET",
        "/api/v1/files/{file_id}/links",
        ListFileLinks,
        FileLinkList,
        lambda page: page.links,
        scope="files:share",
        errors=(NotFound,),
        doc="List the links to a file, newest first.",
    )
    withdraw = Endpoint(
        "DELETE",
        "/api/v1/files/{file_id}/links/{link_id}",
        FileLinkRef,
        FileLinkInfo,
        scope="files:share",
        errors=(NotFound,),
        doc="End a link at once. Twice is as good as once.",
    )
    open = Download(
        "GET",
        "/api/v1/links/{token}",
        OpenFileLink,
        scope=None,
        limit="general",
        also=(206, 307),
        errors=(NotFound, RangeNotSatisfiable, FileDamaged, Unavailable),
        doc="Download the file that a link leads to, or a part of it. Some stores give it themselves: see 307.",
    )
