"""Lists of jobs: which are wanted, and the queries for them."""

from __future__ import annotations

from functools import cache
from typing import Any, Final

from attrs import fields, frozen
from sqlalchemy import ColumnElement, Row, Select, bindparam, func, select

from whispercore.database.page import Slice
from whispercore.database.tables import job_tags, jobs
from whispercore.jobs.job import JobFilter, JobSummary
from whispercore.people.caller import Caller

_COLUMNS: Final = tuple(jobs.c[attribute.name] for attribute in fields(JobSummary) if attribute.name != "tags")
_WIDTH: Final = len(_COLUMNS)
_BETWEEN: Final = "\n"
"""Tags: they are of one line."""
_TAGS: Final = select(func.aggregate_strings(job_tags.c.name, _BETWEEN)).where(job_tags.c.job_id == jobs.c.id)

_CONDITIONS: Final[dict[str, ColumnElement[bool]]] = {
    "visible_to": jobs.c.owner_id == bindparam("visible_to"),
    "state": jobs.c.state == bindparam("state"),
    "states": jobs.c.state.in_(bindparam("states", expanding=True)),
    "kind": jobs.c.kind == bindparam("kind"),
    "kinds": jobs.c.kind.in_(bindparam("kinds", expanding=True)),
    "created_after": jobs.c.created_at > bindparam("created_after"),
    "created_before": jobs.c.created_at < bindparam("created_before"),
    "owner_id": jobs.c.owner_id == bindparam("owner_id"),
    "tag": jobs.c.id.in_(select(job_tags.c.job_id).where(job_tags.c.key == bindparam("tag"))),
}


@frozen
class Queries:
    """The queries for one set of conditions. Their values come with each execution."""

    page: Select[*tuple[Any, ...]]
    """A slice; ``summary_of`` reads its rows, and behind each is how many there are in all."""
    total: Select[int]
    """How many there are in all."""


@cache
def queries(*names: str) -> Queries:
    """The queries for these conditions: built once, as that takes as long as many a query.

    Args:
        names: The conditions, as ``conditions`` names them.
    """
    where = [_CONDITIONS[name] for name in names]
    total = select(func.count()).select_from(jobs).where(*where)
    page = (
        select(*_COLUMNS, _TAGS.correlate(jobs).scalar_subquery(), total.scalar_subquery())
        .where(*where)
        .order_by(jobs.c.created_at.desc(), jobs.c.id.desc())
        .offset(bindparam("offset"))
        .limit(bindparam("limit"))
    )
    return Queries(page, total)


def conditions(caller: Caller, wanted: JobFilter) -> dict[str, object]:
    """The values of those conditions that there are."""
    every = {
        "visible_to": None if caller.is_admin else caller.user_id,
        **_among("state", wanted.states),
        **_among("kind", wanted.kinds),
        "created_after": wanted.created_after,
        "created_before": wanted.created_before,
        "owner_id": wanted.owner_id,
        "tag": wanted.tag,
    }
    return {name: value for name, value in every.items() if value not in (None, ())}


def _among(name: str, values: tuple[str, ...]) -> dict[str, object]:
    """One value, as most lists want, is compared: a query for several is written anew each time."""
    return {name: values[0]} if len(values) == 1 else {f"{name}s": values}


def sliced(part: Slice) -> dict[str, int]:
    """The values of a slice."""
    return {"offset": part.offset, "limit": part.limit}


def summary_of(row: Row[Any]) -> JobSummary:
    """The job of a row of a page."""
    tags: str | None = row[_WIDTH]
    values: list[Any] = [*row[:_WIDTH], tuple(tags.split(_BETWEEN)) if tags else ()]
    return JobSummary(*values)
