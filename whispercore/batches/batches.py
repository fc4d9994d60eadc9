"""All batches. Whoever asks for one names the caller: somebody else's batch is none."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from attrs import asdict, fields, frozen
from sqlalchemy import ColumnElement, Row, Select, case, delete, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from whispercore.audit.event import AuditEvent, EventType
from whispercore.audit.trail import Audit
from whispercore.batches.batch import Batch, BatchItem, Counts, NewBatch, NewItem
from whispercore.database.alone import alone
from whispercore.database.page import Page, Slice
from whispercore.database.session import Database
from whispercore.database.tables import batch_items, batches, jobs
from whispercore.encryption.texts import TextKeys
from whispercore.errors import Conflict, KeyReused, NotFound
from whispercore.formats.line import encodable
from whispercore.ids import Ids
from whispercore.jobs.dispatch import Dispatch
from whispercore.jobs.holding import hold, let_go
from whispercore.jobs.job import State
from whispercore.jobs.queue_limit import QueueLimit
from whispercore.people.caller import Caller

_OWN = tuple(batches.c[one.name] for one in fields(Batch) if one.name != "counts")
_LIVE = jobs.c.state.in_((State.QUEUED, State.PROCESSING))


@frozen(kw_only=True)
class Summary:
    """All batches of somebody, in figures."""

    batches: int
    files: int
    successful: int
    failed: int
    in_work: int


class Batches:
    """Keeps them.

    Args:
        database: Where they are.
        dispatch: Who is woken for their jobs.
        ids: Their names.
        audit: Where it is noted what becomes of them.
    """

    def __init__(self, database: Database, *, dispatch: Dispatch, ids: Ids, audit: Audit) -> None:
        self._database = database
        self._dispatch = dispatch
        self._ids = ids
        self._audit = audit

    async def with_key(self, tx: AsyncConnection, owner_id: str, key: str, request_sha256: str) -> str | None:
        """The id of the batch that was made with this idempotency key; None when there is none.

        Raises:
            KeyReused: It came with another request.
        """
        await alone(tx, "batch", owner_id, key)
        mine = (batches.c.owner_id == owner_id, batches.c.idempotency_key == key)
        row = (await tx.execute(select(batches.c.id, batches.c.request_sha256).where(*mine))).one_or_none()
        if row is None:
            return None
        if row.request_sha256 != request_sha256:
            raise KeyReused(key)
        return str(row.id)

    async def begin(self, tx: AsyncConnection, new: NewBatch, caller: Caller) -> str:
        """Make a batch, when the transaction commits; its jobs are made with its id, held, and put in by ``fill``.

        Args:
            tx: A transaction that writes.
            new: What it is.
            caller: Who makes it.

        Returns:
            Its id.
        """
        values = asdict(new)
        now = self._database.now()
        batch_id = self._ids.new()
        starts = values.pop("starts")
        values["name"] = encodable(new.name)
        values["description"] = new.description and encodable(new.description)
        await tx.execute(
            insert(batches).values(id=batch_id, created_at=now, started_at=now if starts else None, **values)
        )
        await self._note(tx, caller, batch_id, "batch_created", "create a batch")
        return batch_id

    async def adopt(self, tx: AsyncConnection, batch_id: str, job_ids: Sequence[str]) -> None:
        """Hold jobs that are in the queue already, until the batch lets them go; those in work go on.

        Args:
            tx: The transaction that makes the batch.
            batch_id: Its id.
            job_ids: Jobs of its owner, of no batch yet.
        """
        these = (jobs.c.id.in_(job_ids), jobs.c.batch_id.is_(None))
        adopted = await tx.execute(update(jobs).where(*these).values(batch_id=batch_id).returning(jobs.c.id))
        await hold(tx, adopted.scalars().all())

    async def fill(self, tx: AsyncConnection, batch_id: str, items: Sequence[NewItem], room: int | None = None) -> None:
        """Put its files into a new batch, and let its first jobs go.

        Args:
            tx: The transaction that makes it.
            batch_id: Its id.
            items: Its files, in order.
            room: How many jobs the queue takes; None for any number.
        """
        rows = [
            {"batch_id": batch_id, "position": number, **asdict(item), "filename": encodable(item.filename)}
            for number, item in enumerate(items)
        ]
        await tx.execute(insert(batch_items), rows)
        await let_go(tx, self._dispatch, batch_id, room)

    async def owned(self, batch_id: str, caller: Caller) -> Batch:
        """A batch of the caller's; an administrator's are all.

        Raises:
            NotFound: There is none, or it is somebody else's.
        """
        rows = await self._database.rows(_counted().where(batches.c.id == batch_id, *_visible(caller)))
        if not rows:
            raise NotFound("batch", batch_id)
        return _batch_of(rows[0])

    async def listed(self, caller: Caller, part: Slice) -> Page[Batch]:
        """The caller's batches, newest first; an administrator's are all."""
        visible = _visible(caller)
        newest = _counted().where(*visible).order_by(batches.c.created_at.desc(), batches.c.id.desc())
        rows = await self._database.rows(newest.offset(part.offset).limit(part.limit))
        total = await self._database.rows(select(func.count()).select_from(batches).where(*visible))
        return Page(tuple(_batch_of(row) for row in rows), total[0][0])

    async def items(self, batch: Batch) -> tuple[BatchItem, ...]:
        """The files of a batch of the caller's, in order."""
        query = (
            select(
                batch_items.c.position,
                func.coalesce(jobs.c.filename, batch_items.c.filename).label("filename"),
                batch_items.c.job_id,
                jobs.c.state,
                func.coalesce(jobs.c.progress, 0.0).label("progress"),
                func.coalesce(jobs.c.failure_reason, batch_items.c.failure_reason).label("failure_reason"),
                func.coalesce(jobs.c.error, batch_items.c.error).label("error"),
                jobs.c.preview,
                jobs.c.text_key,
                jobs.c.audio_duration_s,
                jobs.c.completed_at,
            )
            .join_from(batch_items, jobs, jobs.c.id == batch_items.c.job_id, isouter=True)
            .where(batch_items.c.batch_id == batch.id)
            .order_by(batch_items.c.position)
        )
        rows = await self._database.rows(query)
        return tuple(_item_of(row, self._database.texts) for row in rows)

    async def start(self, batch_id: str, caller: Caller, limit: QueueLimit) -> None:
        """Begin with a batch that was made to wait.

        Args:
            batch_id: Which.
            caller: Who asks.
            limit: Of the queue. Where it has room for some of the first jobs only, the others follow when one ends.

        Raises:
            NotFound: There is none, or it is somebody else's.
            Conflict: It was started before, or cancelled.
            Unavailable: The queue is full.
        """
        async with self._database.write() as tx:
            row = await self._owned(tx, batch_id, caller)
            if row.started_at is not None or row.cancelled_at is not None:
                raise Conflict("the batch was started before, or cancelled")
            started = update(batches).where(batches.c.id == batch_id).values(started_at=self._database.now())
            await tx.execute(started)
            await let_go(tx, self._dispatch, batch_id, await limit.check_in(tx))
            await self._note(tx, caller, batch_id, "batch_started", "start a batch")

    async def stop(self, batch_id: str, caller: Caller) -> tuple[str, ...]:
        """Let no more of a batch's jobs go. May be repeated as long as any is not over: its caller may have died.

        Returns:
            Ids of those jobs that are not over, to be cancelled.

        Raises:
            NotFound: There is none, or it is somebody else's.
            Conflict: All of it is over.
        """
        async with self._database.write() as tx:
            await self._owned(tx, batch_id, caller)
            live = await self._jobs_of(tx, batch_id, _LIVE)
            if not live:
                raise Conflict("nothing of the batch waits or runs")
            if await self._end(tx, batch_id):
                await self._note(tx, caller, batch_id, "batch_cancelled", "cancel a batch")
        return live

    async def wind_up(self, batch_id: str, caller: Caller) -> tuple[str, ...]:
        """Let no more of a batch's jobs go, because it is to be deleted.

        Returns:
            Ids of all its jobs, to be deleted before it.

        Raises:
            NotFound: There is none, or it is somebody else's.
        """
        async with self._database.write() as tx:
            await self._owned(tx, batch_id, caller)
            _ = await self._end(tx, batch_id)
            return await self._jobs_of(tx, batch_id)

    async def delete(self, batch_id: str, caller: Caller) -> None:
        """Remove a batch that is wound up, and whose jobs are deleted.

        Raises:
            NotFound: There is none, or it is somebody else's.
        """
        async with self._database.write() as tx:
            await self._owned(tx, batch_id, caller)
            await tx.execute(delete(batches).where(batches.c.id == batch_id))
            await self._note(tx, caller, batch_id, "batch_deleted", "delete a batch")

    async def summary(self, caller: Caller) -> Summary:
        """All batches of the caller's, in figures; an administrator's are all."""
        visible = _visible(caller)
        counted = _counted().where(*visible).subquery()

        def whole(name: str) -> ColumnElement[int]:
            return func.coalesce(func.sum(counted.c[name]), 0)

        query = select(
            func.count(counted.c.id), whole("total"), whole("successful"), whole("failed"), whole("in_work")
        ).select_from(counted)
        row: Any = (await self._database.rows(query))[0]
        number, files, successful, failed, in_work = row
        return Summary(batches=number, files=files, successful=successful, failed=failed, in_work=in_work)

    async def _owned(self, tx: AsyncConnection, batch_id: str, caller: Caller) -> Row[Any]:
        query = select(batches).where(batches.c.id == batch_id, *_visible(caller)).with_for_update()
        row = (await tx.execute(query)).one_or_none()
        if row is None:
            raise NotFound("batch", batch_id)
        return row

    async def _end(self, tx: AsyncConnection, batch_id: str) -> bool:
        """Mark it as cancelled; whether it was not."""
        this = (batches.c.id == batch_id, batches.c.cancelled_at.is_(None))
        ended = await tx.execute(update(batches).where(*this).values(cancelled_at=self._database.now()))
        return ended.rowcount > 0

    async def _jobs_of(self, tx: AsyncConnection, batch_id: str, *so: ColumnElement[bool]) -> tuple[str, ...]:
        found = await tx.execute(select(jobs.c.id).where(jobs.c.batch_id == batch_id, *so))
        return tuple(found.scalars())

    async def _note(
        self, tx: AsyncConnection, caller: Caller, batch_id: str, event_type: EventType, action: str
    ) -> None:
        event = AuditEvent(event_type=event_type, action=action, resource_type="batch", resource_id=batch_id)
        await self._audit.append(tx, caller, event)


def _counted() -> Select[*tuple[Any, ...]]:
    """Batches, each with how far its files are."""

    def number(condition: ColumnElement[bool], name: str) -> ColumnElement[int]:
        return func.coalesce(func.sum(case((condition, 1), else_=0)), 0).label(name)

    completed, cancelled = jobs.c.state == State.COMPLETED, jobs.c.state == State.CANCELLED
    there = batch_items.c.position.is_not(None)
    progress = case((completed, 1.0), (_LIVE, jobs.c.progress), (there, 1.0), else_=0.0)
    return (
        select(
            *_OWN,
            number(there, "total"),
            number(completed, "successful"),
            number(there & or_(jobs.c.state.is_(None), jobs.c.state == State.FAILED), "failed"),
            number(cancelled, "cancelled"),
            number(jobs.c.state == State.PROCESSING, "in_work"),
            number(_LIVE, "live"),
            func.coalesce(func.avg(progress), 0.0).label("progress"),
        )
        .select_from(
            batches.outerjoin(batch_items, batch_items.c.batch_id == batches.c.id).outerjoin(
                jobs, jobs.c.id == batch_items.c.job_id
            )
        )
        .group_by(*_OWN)
    )


def _batch_of(row: Row[Any]) -> Batch:
    own = {column.name: row._mapping[column.name] for column in _OWN}  # noqa: SLF001 (the public name of it)
    counts = Counts(
        total=row.total,
        processed=row.total - row.live,
        successful=row.successful,
        failed=row.failed,
        cancelled=row.cancelled,
        in_work=row.in_work,
        progress=float(row.progress),
    )
    return Batch(**own, counts=counts)


def _item_of(row: Row[Any], texts: TextKeys) -> BatchItem:
    values = dict(row._mapping)  # noqa: SLF001 (the public name of it)
    values["state"] = State(row.state) if row.state is not None else None
    values["preview"] = texts.seal(values.pop("text_key")).shown(row.preview)
    return BatchItem(**values)


def _visible(caller: Caller) -> tuple[ColumnElement[bool], ...]:
    return () if caller.is_admin else (batches.c.owner_id == caller.user_id,)
