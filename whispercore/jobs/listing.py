"""Lists of jobs: which are wanted, and the queries for them."""

from __future__ import annotations

import asyncio
from functools import cache
from typing import Any, Final

from attrs import fields
from sqlalchemy import ColumnElement, Select, bindparam, func, select

from whispercore.database.json_rows import as_json, rows_of
from whispercore.database.page import Slice
from whispercore.database.tables import job_tags, jobs
from whispercore.encryption.texts import TextKeys
from whispercore.jobs.job import JobFilter, JobSummary
from whispercore.people.caller import Caller

_MANY: Final = 50
"""Jobs."""
_BETWEEN: Final = "\n"
"""Tags: they are of one line."""
_TAGS: Final = select(func.aggregate_strings(job_tags.c.name, _BETWEEN)).where(job_tags.c.job_id == jobs.c.id)
_COLUMNS: Final[tuple[ColumnElement[Any], ...]] = (
    *(jobs.c[attribute.name] for attribute in fields(JobSummary) if attribute.name != "tags"),
    _TAGS.correlate(jobs).scalar_subquery().label("tags"),
    jobs.c.text_key,
)

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


@cache
def query(*names: str) -> Select[str, int]:
    """A slice of the jobs that meet these conditions, for ``summaries``, and how many there are in all.

    It is built once, as that takes as long as many a query. Values come with each execution.

    Args:
        names: The conditions, as ``conditions`` names them.
    """
    where = [_CONDITIONS[name] for name in names]
    part = (
        select(*_COLUMNS)
        .where(*where)
        .order_by(jobs.c.created_at.desc(), jobs.c.id.desc())
        .offset(bindparam("offset"))
        .limit(bindparam("limit"))
        .subquery()
    )
    total = select(func.count()).select_from(jobs).where(*where)
    return select(as_json(*part.c), total.scalar_subquery())


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


async def summaries(page: str, texts: TextKeys) -> tuple[JobSummary, ...]:
    """The jobs of a slice. Many that are sealed would hold the event loop, and are opened outside of it."""
    rows = list(rows_of(page, _COLUMNS))
    many = len(rows) > _MANY and any(row[-1] for row in rows)
    return await asyncio.to_thread(_opened, rows, texts) if many else _opened(rows, texts)


def _opened(rows: list[list[Any]], texts: TextKeys) -> tuple[JobSummary, ...]:
    return tuple(_summary(row, texts) for row in rows)


def _summary(row: list[Any], texts: TextKeys) -> JobSummary:
    *values, preview, tags, text_key = row
    values += [texts.seal(text_key).shown(preview), tuple(tags.split(_BETWEEN)) if tags else ()]
    return JobSummary(*values)
