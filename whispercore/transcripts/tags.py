"""Tags: names by which people find jobs again."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from typing import Final

from attrs import frozen
from sqlalchemy import bindparam, delete, func, insert, select

from whispercore.audit.event import AuditEvent
from whispercore.audit.trail import Audit
from whispercore.database.page import Page, Slice
from whispercore.database.session import Database
from whispercore.database.tables import job_tags, jobs
from whispercore.errors import InvalidRequest, NotFound, Problem
from whispercore.formats.line import is_seen, one_line
from whispercore.jobs.job import Job
from whispercore.people.caller import Caller

MOST_TAGS: Final = 20
"""Of one job."""
LONGEST_TAG: Final = 50
"""Characters."""
_OF_JOB: Final = select(job_tags.c.name).where(job_tags.c.job_id == bindparam("job_id")).order_by(job_tags.c.key)


@frozen(kw_only=True)
class TagUse:
    """A tag and how many jobs have it."""

    name: str
    jobs: int


class Tags:
    """The tags of jobs.

    Args:
        database: Where they are.
        audit: Where it is noted who changes them; nowhere by default.
    """

    def __init__(self, database: Database, *, audit: Audit | None = None) -> None:
        self._database = database
        self._audit = audit

    async def put(self, job: Job, caller: Caller, names: Iterable[str]) -> tuple[str, ...]:
        """Give a job these tags, and no others.

        Args:
            job: A job of the caller.
            caller: Who does it.
            names: Those that differ only in case, or in how their characters are put together, are the same.

        Returns:
            The tags, in order.

        Raises:
            InvalidRequest: One cannot be a tag, or there are too many.
            NotFound: The job was deleted meanwhile.
        """
        wanted = checked(names)
        async with self._database.write() as tx:
            if (await tx.execute(select(jobs.c.id).where(jobs.c.id == job.id).with_for_update())).one_or_none() is None:
                raise NotFound("job", job.id)
            mine = job_tags.c.job_id == job.id
            before = (await tx.execute(select(job_tags.c.key, job_tags.c.name).where(mine))).all()
            if dict(tuple(row) for row in before) != wanted:
                await tx.execute(delete(job_tags).where(mine))
                rows = [{"job_id": job.id, "key": key, "name": name} for key, name in wanted.items()]
                if rows:
                    await tx.execute(insert(job_tags), rows)
                if self._audit is not None:
                    event = AuditEvent(
                        event_type="tags_changed",
                        action="change the tags of a job",
                        resource_type="job",
                        resource_id=job.id,
                        details={"tags": len(rows)},
                    )
                    await self._audit.append(tx, caller, event)
        return tuple(name for _, name in sorted(wanted.items()))

    async def of(self, job_id: str) -> tuple[str, ...]:
        """The tags of a job, in order.

        Args:
            job_id: A job of the caller.
        """
        return tuple(row.name for row in await self._database.rows(_OF_JOB, {"job_id": job_id}))

    async def page(self, caller: Caller, part: Slice) -> Page[TagUse]:
        """The tags of the caller's jobs, in order; an administrator's jobs are all.

        Args:
            caller: Who asks.
            part: Which of them.
        """
        of_jobs = select(job_tags.c.key, func.min(job_tags.c.name), func.count()).group_by(job_tags.c.key)
        if not caller.is_admin:
            of_jobs = of_jobs.join(jobs, jobs.c.id == job_tags.c.job_id).where(jobs.c.owner_id == caller.user_id)
        async with self._database.read() as tx:
            total = (await tx.execute(select(func.count()).select_from(of_jobs.subquery()))).scalar_one()
            rows = await tx.execute(of_jobs.order_by(job_tags.c.key).offset(part.offset).limit(part.limit))
            return Page(tuple(TagUse(name=name, jobs=count) for _, name, count in rows), total)


def key_of(name: str) -> str:
    """One spelling for all that look the same."""
    folded = unicodedata.normalize("NFKC", one_line(name)).casefold()
    return unicodedata.normalize("NFKC", folded)


def checked(names: Iterable[str]) -> dict[str, str]:
    """Tags by their keys.

    Raises:
        InvalidRequest: One cannot be a tag, or there are too many.
    """
    found: dict[str, str] = {}
    wrong: list[Problem] = []
    for number, given in enumerate(names):
        name = unicodedata.normalize("NFC", one_line(given))
        if len(name) > LONGEST_TAG or not is_seen(name):
            wrong.append(Problem(f"tags[{number}]", f"it needs 1 to {LONGEST_TAG} characters that can be seen"))
        else:
            found.setdefault(key_of(name), name)
    if len(found) > MOST_TAGS:
        wrong.append(Problem("tags", f"a job may have {MOST_TAGS}"))
    if wrong:
        raise InvalidRequest(tuple(wrong))
    return found
