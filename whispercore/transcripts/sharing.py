"""Links by which others read a transcript, without an account and until they expire or are withdrawn."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from attrs import frozen

from whispercore.audit.trail import Audit
from whispercore.database.page import Page, Slice
from whispercore.database.session import Database
from whispercore.database.tables import jobs, shares
from whispercore.ids import Ids
from whispercore.jobs.job import Job
from whispercore.jobs.rows import COLUMNS, job_of
from whispercore.people.caller import Caller
from whispercore.people.links import Link, LinkKind, Links, NewLink
from whispercore.transcripts.rows import head_of


@frozen(kw_only=True)
class Share(Link):
    """What is known of a link to a transcript. The link itself is not."""

    job_id: str


@frozen(kw_only=True)
class Opened:
    """What a link leads to."""

    share: Share
    job: Job


_KIND: Final = LinkKind(
    table=shares,
    record=Share,
    target=shares.c.job_id,
    owned=jobs,
    noun="transcript",
    name="share",
    created="share_created",
    used="share_used",
    withdrawn="share_withdrawn",
)


class Shares:
    """The links to transcripts.

    Args:
        database: Where they are.
        ids: Names for new ones.
        audit: Where it is noted who makes, uses and withdraws them; nowhere by default.
    """

    def __init__(self, database: Database, *, ids: Ids | None = None, audit: Audit | None = None) -> None:
        self._database = database
        self._links = Links(_KIND, database, ids=ids, audit=audit)

    async def create(self, job: Job, caller: Caller, *, lasts: timedelta, label: str | None = None) -> NewLink[Share]:
        """Make a link.

        Args:
            job: A job of the caller.
            caller: Who makes it.
            lasts: Until it expires.
            label: What it is for.

        Raises:
            Conflict: There is no transcript yet, or there are too many links.
        """
        async with self._database.write() as tx:
            await head_of(tx, job, to_change=True)
            return await self._links.create(tx, job.id, caller, lasts=lasts, label=label)

    async def page(self, job: Job, part: Slice) -> Page[Share]:
        """The links to a transcript, newest first.

        Args:
            job: A job of the caller.
            part: Which of them.
        """
        return await self._links.page(job.id, part)

    async def withdraw(self, job: Job, share_id: str, caller: Caller) -> Share:
        """End a link at once. Twice is as good as once.

        Args:
            job: A job of the caller.
            share_id: Of the link.
            caller: Who ends it.

        Raises:
            NotFound: There is none.
        """
        return await self._links.withdraw(job.id, share_id, caller)

    async def opened(self, token: str, caller: Caller) -> Opened:
        """What a link leads to. It is counted.

        It leads nowhere once it has expired or was withdrawn, the job is gone, or the owner of the job or whoever has
        made the link may not come in any more.

        Args:
            token: The secret in it.
            caller: Whoever comes with it, for the audit trail.

        Raises:
            NotFound: It leads nowhere; nobody is told why.
        """
        share, row = await self._links.opened(token, caller, *COLUMNS)
        return Opened(share=share, job=job_of(row, self._database.texts))
