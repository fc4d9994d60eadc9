"""Links by which others download a file, without an account and until they expire or are withdrawn."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from attrs import frozen
from sqlalchemy import select

from whispercore.audit.trail import Audit
from whispercore.database.page import Page, Slice
from whispercore.database.session import Database
from whispercore.database.tables import file_links, files
from whispercore.errors import NotFound
from whispercore.files.files import Files
from whispercore.files.manifest import File
from whispercore.ids import Ids
from whispercore.people.caller import Caller
from whispercore.people.links import Link, LinkKind, Links, NewLink


@frozen(kw_only=True)
class FileLink(Link):
    """What is known of a link to a file. The link itself is not."""

    file_id: str


@frozen(kw_only=True)
class LinkedFile:
    """What a link leads to."""

    link: FileLink
    file: File


_KIND: Final = LinkKind(
    table=file_links,
    record=FileLink,
    target=file_links.c.file_id,
    owned=files,
    noun="file",
    name="file link",
    created="file_link_created",
    used="file_link_used",
    withdrawn="file_link_withdrawn",
)


class FileLinks:
    """The links to files.

    Args:
        database: Where they are.
        stored: The files.
        ids: Names for new ones.
        audit: Where it is noted who makes, uses and withdraws them; nowhere by default.
    """

    def __init__(
        self, database: Database, stored: Files, *, ids: Ids | None = None, audit: Audit | None = None
    ) -> None:
        self._database = database
        self._files = stored
        self._links = Links(_KIND, database, ids=ids, audit=audit)

    async def create(
        self, file_id: str, caller: Caller, *, lasts: timedelta, label: str | None = None
    ) -> NewLink[FileLink]:
        """Make a link.

        Args:
            file_id: Of a file of the caller; an administrator may have a link to any.
            caller: Who makes it.
            lasts: Until it expires.
            label: What it is for.

        Raises:
            NotFound: There is no such file, or it is somebody else's.
            Conflict: There are too many links.
        """
        await self._files.owned(file_id, caller)
        async with self._database.write() as tx:
            held = select(files.c.id).where(files.c.id == file_id).with_for_update()
            if (await tx.execute(held)).first() is None:  # it was deleted at this moment
                raise NotFound("file", file_id)
            return await self._links.create(tx, file_id, caller, lasts=lasts, label=label)

    async def page(self, file_id: str, caller: Caller, part: Slice) -> Page[FileLink]:
        """The links to a file of the caller, newest first.

        Raises:
            NotFound: There is no such file, or it is somebody else's.
        """
        await self._files.owned(file_id, caller)
        return await self._links.page(file_id, part)

    async def withdraw(self, file_id: str, link_id: str, caller: Caller) -> FileLink:
        """End a link at once. Twice is as good as once.

        Raises:
            NotFound: There is none, or the file is somebody else's.
        """
        await self._files.owned(file_id, caller)
        return await self._links.withdraw(file_id, link_id, caller)

    async def opened(self, token: str, caller: Caller) -> LinkedFile:
        """What a link leads to. It is counted.

        It leads nowhere once it has expired or was withdrawn, the file is gone, or its owner or whoever has made the
        link may not come in any more.

        Args:
            token: The secret in it.
            caller: Whoever comes with it, for the audit trail.

        Raises:
            NotFound: It leads nowhere; nobody is told why.
        """
        link, _ = await self._links.opened(token, caller)
        try:
            return LinkedFile(link=link, file=await self._files.get(link.file_id))
        except NotFound:  # it was deleted at this moment
            raise NotFound("shared file", "behind this link") from None

    async def check(self, token: str) -> None:
        """See that a link still leads somewhere, for who goes on to read the file. That is not counted.

        Args:
            token: The secret in it.

        Raises:
            NotFound: It leads nowhere; nobody is told why.
        """
        await self._links.check(token)
