"""The people's side of the table of jobs: making them, looking at them, changing one's mind."""

from __future__ import annotations

import platform
from collections.abc import Awaitable, Callable
from typing import Any

from attrs import asdict, evolve
from sqlalchemy import ColumnElement, Select, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from whispercore.audit.event import AuditEvent, EventType
from whispercore.audit.trail import Audit
from whispercore.database.alone import alone
from whispercore.database.page import Page, Slice
from whispercore.database.session import Database
from whispercore.database.tables import jobs
from whispercore.errors import Conflict, KeyReused, NotFound
from whispercore.events import Events, LocalEvents
from whispercore.formats.line import encodable
from whispercore.ids import Ids, Uuid7Ids
from whispercore.jobs.dispatch import Dispatch
from whispercore.jobs.fairness import NO_TURN, next_turn
from whispercore.jobs.holding import HELD, hold, let_go, paces
from whispercore.jobs.job import Job, JobFilter, JobSummary, NewJob, State
from whispercore.jobs.listing import conditions, query, sliced, summaries
from whispercore.jobs.local import LocalDispatch
from whispercore.jobs.ports import JobPorts
from whispercore.jobs.queue import Queue
from whispercore.jobs.results import placed, preview, put_transcript, segments_after, whole_transcript
from whispercore.jobs.reuse import wake
from whispercore.jobs.rows import COLUMNS, job_of
from whispercore.jobs.speed import Standing, standing
from whispercore.people.caller import Caller
from whispercore.transcript import Segment, Transcript

DeleteFile = Callable[[AsyncConnection, str], Awaitable[object]]
"""Removes the rows of a file, in a transaction of the caller."""
Admit = Callable[[AsyncConnection], Awaitable[object]]
"""Lets a job into the queue, in a transaction of the caller, or raises."""


class Jobs:
    """All jobs. Whoever asks for one names the caller: somebody else's job is none.

    Args:
        database: Where they are.
        ids: Where their names come from.
        dispatch: Who is woken for them; workers of this event loop by default.
        events: Who is told when they move; readers of this event loop by default.
        machine: Whose speed is measured and expected; this machine's name by default.
        audit: Where it is noted what becomes of them; nowhere by default.
    """

    def __init__(
        self,
        database: Database,
        *,
        ids: Ids | None = None,
        dispatch: Dispatch | None = None,
        events: Events | None = None,
        machine: str | None = None,
        audit: Audit | None = None,
    ) -> None:
        self._ports = JobPorts(
            database=database,
            ids=ids if ids is not None else Uuid7Ids(database.clock),
            dispatch=dispatch if dispatch is not None else LocalDispatch(database),
            events=events if events is not None else LocalEvents(),
            machine=machine if machine is not None else platform.node(),
            audit=audit,
        )
        self.queue = Queue(self._ports)
        """The workers' side."""

    @property
    def database(self) -> Database:
        """Where they are."""
        return self._ports.database

    @property
    def dispatch(self) -> Dispatch:
        """Who is woken for them."""
        return self._ports.dispatch

    @property
    def events(self) -> Events:
        """Who is told when they move."""
        return self._ports.events

    # ------------------------------------------------------------ making

    async def enqueue(self, tx: AsyncConnection, new: NewJob, caller: Caller | None = None) -> Job:
        """Queue a job, when the transaction commits.

        Args:
            tx: A transaction that writes; what the job needs is best kept in the same.
            new: What is to be done.
            caller: Who asks for it, for the audit trail; not noted if not given.
        """
        now = self.database.now()
        values = asdict(new)
        text_key = values["text_key"] = self.database.texts.new()
        values["options"] = self.database.texts.seal(text_key).close(new.options)
        if new.filename is not None:
            values["filename"] = encodable(new.filename)
        is_held = new.next_attempt_at == HELD
        turn = NO_TURN if is_held else await next_turn(tx, new.owner_id, new.priority, new.cost)
        made = (
            insert(jobs)
            .values(id=self._ports.ids.new(), state=State.QUEUED, created_at=now, **turn, **values)
            .returning(*COLUMNS)
        )
        job = job_of((await tx.execute(made)).one(), self.database.texts)
        await self.dispatch.announce(tx, job.kind, job.next_attempt_at)
        if caller is not None:
            await self._note(tx, caller, job, "job_created", "create a job")
        return job

    async def record(self, tx: AsyncConnection, new: NewJob, transcript: Transcript, caller: Caller) -> Job:
        """A job that was done before it is made, as what was transcribed live: it is completed when this commits.

        Args:
            tx: A transaction that writes; what the job needs is best kept in the same.
            new: What was asked for.
            transcript: What came of it.
            caller: Who asked for it.
        """
        queued = await self.enqueue(tx, evolve(new, next_attempt_at=HELD), caller)
        await put_transcript(tx, queued, transcript)
        job = await self._change(
            tx,
            queued,
            state=State.COMPLETED,
            progress=1.0,
            next_attempt_at=None,
            started_at=queued.created_at,
            completed_at=queued.created_at,
            preview=queued.seal.close(encodable(preview(one.text for one in transcript.segments))),
            language=transcript.language,
            language_probability=transcript.language_probability,
            audio_duration_s=transcript.duration_s,
            done_s=transcript.duration_s,
        )
        await self._ports.note(tx, job, State.COMPLETED)
        return job

    async def with_key(self, tx: AsyncConnection, owner_id: str, key: str, request_sha256: str) -> Job | None:
        """The job that was made with this idempotency key; the same request asks for the same job, for ever.

        Ask in the transaction that would make it, so that no two are made at once.

        Args:
            tx: A transaction that writes.
            owner_id: Whose key.
            key: The key.
            request_sha256: Checksum of the request.

        Raises:
            KeyReused: It came with another request.
        """
        await alone(tx, "job", owner_id, key)
        mine = (jobs.c.owner_id == owner_id, jobs.c.idempotency_key == key)
        row = (await tx.execute(select(*COLUMNS).where(*mine))).one_or_none()
        if row is None:
            return None
        if (await tx.execute(select(jobs.c.request_sha256).where(*mine))).scalar() != request_sha256:
            raise KeyReused(key)
        return job_of(row, self.database.texts)

    # ------------------------------------------------------------ looking

    async def owned(self, job_id: str, caller: Caller) -> Job:
        """A job of the caller; an administrator's are all.

        Raises:
            NotFound: There is none, or it is somebody else's.
        """
        rows = await self.database.rows(_one(job_id, caller))
        if not rows:
            raise NotFound("job", job_id)
        return job_of(rows[0], self.database.texts)

    async def listed(
        self, caller: Caller, wanted: JobFilter | None = None, part: Slice | None = None
    ) -> Page[JobSummary]:
        """The caller's jobs, newest first; an administrator's are all.

        Args:
            caller: Who asks.
            wanted: Which; all by default.
            part: Which of them; the first fifty by default.
        """
        part = part if part is not None else Slice()
        values = conditions(caller, wanted if wanted is not None else JobFilter())
        row: Any = (await self.database.rows(query(*values), {**values, **sliced(part)}))[0]
        return Page(await summaries(row[0], self.database.texts), row[1])

    async def segments(self, job: Job, *, after: int = -1, limit: int | None = None) -> tuple[tuple[int, Segment], ...]:
        """What was said so far, each segment with its place in the transcript.

        Args:
            job: A job of the caller.
            after: The place before the first that is wanted; -1 for all.
            limit: How many at most.
        """
        return await placed(await self.database.rows(segments_after(job.id, after, limit)), job.seal)

    async def transcript(self, job: Job) -> Transcript | None:
        """The whole transcript; None until the job is completed, and when it is of a kind that makes none.

        Args:
            job: A job of the caller.
        """
        async with self.database.read() as tx:
            return await whole_transcript(tx, job.id, job.seal)

    async def standing(self, job: Job) -> Standing:
        """Where a job stands in the queue, and when it will be done.

        Args:
            job: A job of the caller.
        """
        async with self.database.read() as tx:
            return await standing(tx, job, self._ports.machine, self.database.now())

    # ------------------------------------------------------------ changing one's mind

    async def cancel(self, job_id: str, caller: Caller) -> Job:
        """Stop a job, whether it waits or runs.

        Returns:
            The job, as it is now.

        Raises:
            NotFound: There is none, or it is somebody else's.
            Conflict: It is over.
        """
        now = self.database.now()
        async with self.database.write() as tx:
            job = await self._owned(tx, job_id, caller, to_change=True)
            if not job.state.may_become(State.CANCELLED):
                raise Conflict(f"the job is {job.state} and cannot be cancelled")
            job = await self._change(
                tx, job, state=State.CANCELLED, cancelled_at=now, lease_owner=None, lease_until=None
            )
            await wake(tx, self.dispatch, job.owner_id)
            await self._ports.note(tx, job, State.CANCELLED, caller)
        self.dispatch.interrupt(job.id)
        self.events.publish(job.id)
        return job

    async def retry(self, job_id: str, caller: Caller, *, admit: Admit | None = None) -> Job:
        """Do a job again that failed or was cancelled. It goes on from the windows that it has finished.

        Args:
            job_id: Which.
            caller: Who asks.
            admit: Raises where there is no room in the queue. A job that waits for its batch is not asked about.

        Returns:
            The job, as it is now.

        Raises:
            NotFound: There is none, or it is somebody else's.
            Conflict: It did neither fail nor was it cancelled.
        """
        async with self.database.write() as tx:
            job = await self._owned(tx, job_id, caller, to_change=True)
            if not (job.state.is_over and job.state.may_become(State.QUEUED)):
                raise Conflict(f"the job is {job.state}; only one that failed or was cancelled can be tried again")
            is_paced = job.batch_id is not None and await paces(tx, job.batch_id)
            if admit is not None and not is_paced:
                await admit(tx)
            # The batch comes before the turn, as wherever a batch lets its jobs go.
            turn = NO_TURN if is_paced else await next_turn(tx, job.owner_id, job.priority, job.cost)
            job = await self._change(
                tx,
                job,
                state=State.QUEUED,
                next_attempt_at=None,
                stage=None,
                progress=0.0,
                done_s=0.0,
                failures=0,
                retries=job.retries + 1,
                losses=0,
                failure_reason=None,
                error=None,
                completed_at=None,
                cancelled_at=None,
                **turn,
            )
            if job.batch_id is not None and is_paced:
                await hold(tx, (job.id,))
                await let_go(tx, self.dispatch, job.batch_id)
            await self.dispatch.announce(tx, job.kind, job.next_attempt_at)
        self.events.publish(job.id)
        return job

    async def delete(self, job_id: str, caller: Caller, *, with_file: DeleteFile | None = None) -> Job:
        """Remove a job and all that came of it. One that runs is stopped.

        Args:
            job_id: Which.
            caller: Who asks.
            with_file: Removes the rows of its file, in the same transaction.

        Returns:
            The job, as it was: the bytes of its file are still to be removed.

        Raises:
            NotFound: There is none, or it is somebody else's.
        """
        async with self.database.write() as tx:
            job = await self._owned(tx, job_id, caller, to_change=True)
            await tx.execute(delete(jobs).where(jobs.c.id == job.id))
            await wake(tx, self.dispatch, job.owner_id)
            if with_file is not None and job.file_id is not None:
                await with_file(tx, job.file_id)
            if job.batch_id is not None:
                await let_go(tx, self.dispatch, job.batch_id)
            await self._note(tx, caller, job, "job_deleted", "delete a job")
        self.dispatch.interrupt(job.id)
        self.events.publish(job.id)
        return job

    async def _note(self, tx: AsyncConnection, caller: Caller, job: Job, kind: EventType, action: str) -> None:
        if self._ports.audit is not None:
            event = AuditEvent(
                event_type=kind, action=action, resource_type="job", resource_id=job.id, details={"kind": job.kind}
            )
            await self._ports.audit.append(tx, caller, event)

    async def _owned(self, tx: AsyncConnection, job_id: str, caller: Caller, *, to_change: bool = False) -> Job:
        query = select(*COLUMNS).where(jobs.c.id == job_id, *_visible(caller))
        row = (await tx.execute(query.with_for_update() if to_change else query)).one_or_none()
        if row is None:
            raise NotFound("job", job_id)
        return job_of(row, self.database.texts)

    async def _change(self, tx: AsyncConnection, job: Job, **values: object) -> Job:
        changed = update(jobs).where(jobs.c.id == job.id).values(values).returning(*COLUMNS)
        return job_of((await tx.execute(changed)).one(), self.database.texts)


def _one(job_id: str, caller: Caller) -> Select[Any]:
    return select(*COLUMNS).where(jobs.c.id == job_id, *_visible(caller))


def _visible(caller: Caller) -> tuple[ColumnElement[bool], ...]:
    return () if caller.is_admin else (jobs.c.owner_id == caller.user_id,)
