"""A worker's hold on a job. Every write names the attempt, so one whose time is over writes nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta
from typing import Any

from attrs import define, field
from sqlalchemy import ColumnElement, Row, case, literal, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.dml import ReturningUpdate

from whispercore.checkpoints import FinishedWindow, Past
from whispercore.clock import Clock
from whispercore.database.tables import jobs
from whispercore.database.types import Moment
from whispercore.detection import likely_languages
from whispercore.engines.engine import DetectedLanguage
from whispercore.errors import ClaimLost, SealBroken
from whispercore.formats.line import encodable
from whispercore.jobs.job import Job, State
from whispercore.jobs.patience import patient
from whispercore.jobs.ports import JobPorts
from whispercore.jobs.results import (
    finished_windows,
    other_windows,
    preview,
    put_segments,
    put_transcript,
    put_window,
)
from whispercore.jobs.reuse import WAITING, Computed, Elsewhere, Reused, wake, whose
from whispercore.jobs.rows import PROCESSING, from_json, to_json
from whispercore.jobs.speed import measured
from whispercore.spoken import LikelyLanguage
from whispercore.transcript import Fallback, Segment, Transcript
from whispercore.transcripts.rows import original

BACKOFF_S = 60.0
"""Until the first retry; twice as long until each further one."""


@define(eq=False)
class Claim:
    """One attempt at a job.

    All writes raise ``ClaimLost`` when the job is not this attempt's any more, and have then changed nothing. While the
    database is away they wait, but for those that tell of progress or give the job back.
    """

    job: Job
    """As it was when it was claimed."""
    claimed_at: datetime
    _ports: JobPorts = field(repr=False)
    is_over: bool = field(default=False, init=False)
    """Whether it was completed, failed or given back."""
    _waited_for: bool = field(default=False, init=False, repr=False)
    """Jobs may wait for the result of this one."""
    _keeps: bool = field(init=False, repr=False)
    """Something may be kept of it already."""

    def __attrs_post_init__(self) -> None:
        self._keeps = self.job.attempt > 1

    @property
    def clock(self) -> Clock:
        """By whose time it waits."""
        return self._ports.database.clock

    async def report(
        self,
        *,
        stage: str | None = None,
        progress: float | None = None,
        done_s: float | None = None,
        windows_done: int | None = None,
        windows_total: int | None = None,
        audio_duration_s: float | None = None,
        moved: bool = False,
    ) -> None:
        """Tell how far it is; what is None stays. At most once a second, please: all writers wait for each other.

        Args:
            stage: What is being done.
            progress: 0 to 1. Less than before changes nothing.
            done_s: Seconds of the recording that are done. Less than before changes nothing.
            windows_done: How many windows are done.
            windows_total: How many there are, as far as is known.
            audio_duration_s: Length of the recording.
            moved: Something was done that no figure here tells, so the job does not stand still.

        Raises:
            ClaimLost: The job is not this attempt's any more.
        """
        now = literal(self._ports.database.now(), Moment)
        values: dict[str, Any] = {
            "windows_done": windows_done,
            "windows_total": windows_total,
            "audio_duration_s": audio_duration_s,
        }
        values = {name: value for name, value in values.items() if value is not None}
        more: list[ColumnElement[bool]] = []
        for column, value in ((jobs.c.progress, progress), (jobs.c.done_s, done_s)):
            if value is not None:
                more.append(column < value)
                values[column.name] = case((column < value, value), else_=column)
        if more:
            values["losses"] = case((or_(*more), 0), else_=jobs.c.losses)
        if stage is not None:
            # Every attempt goes through its stages again, so a new one is a movement, but nothing more that is done.
            more.append(jobs.c.stage.is_distinct_from(stage))
            values["stage"] = stage
        if moved:
            values["progressed_at"] = now
        elif more:
            values["progressed_at"] = case((or_(*more), now), else_=jobs.c.progressed_at)
        await self._set_alone(**values)

    @patient
    async def past(self) -> Past:
        """What earlier attempts left. Call it once, at the beginning."""
        if self.job.attempt == 1:
            return Past()
        async with self._ports.database.read() as tx:
            decided = select(
                jobs.c.language, jobs.c.language_probability, jobs.c.likely_languages, jobs.c.fallback_from
            )
            row = (await tx.execute(decided.where(jobs.c.id == self.job.id))).one_or_none()
            windows = await finished_windows(tx, self.job)
        if row is None:
            return Past(windows=windows)
        passed = from_json(row.fallback_from, tuple[Fallback, ...]) if row.fallback_from else ()
        language = None
        if row.language is not None and row.language_probability is not None:
            likely = from_json(row.likely_languages, tuple[LikelyLanguage, ...]) if row.likely_languages else ()
            language = DetectedLanguage(
                code=row.language,
                probability=row.language_probability,
                probabilities={one.code: one.probability for one in likely},
            )
        return Past(language=language, windows=windows, fallback_from=passed)

    @patient
    async def decided(self, language: DetectedLanguage) -> None:
        """The language was detected; it holds for all attempts.

        Raises:
            ClaimLost: The job is not this attempt's any more.
        """
        await self._set_alone(
            language=language.code,
            language_probability=language.probability,
            likely_languages=to_json(likely_languages(language)),
        )

    @patient
    async def fell_back(self, passed: tuple[Fallback, ...]) -> None:
        """What was to compute it cannot, and another model goes on; that holds for all attempts.

        Args:
            passed: All that was passed over so far.

        Raises:
            ClaimLost: The job is not this attempt's any more.
        """
        await self._set_alone(fallback_from=to_json(passed))

    @patient
    async def checkpoint(self, window: FinishedWindow, segments: Sequence[Segment], first: int) -> None:
        """Keep a finished window, and the segments that now have their final place, together.

        Args:
            window: Instead of one in the same place.
            segments: Of this window, and of others that waited for it.
            first: Place of the first of them in the transcript, from 0. What is there or behind goes.

        Raises:
            ClaimLost: The job is not this attempt's any more.
            ValueError: There would be a hole before the first segment.
        """
        self._keeps = True
        async with self._ports.database.write() as tx:
            windows_done = other_windows(self.job.id, window) + 1
            await self._set(tx, windows_done=windows_done, losses=0, progressed_at=self._ports.database.now())
            await put_window(tx, self.job, window)
            await put_segments(tx, self.job, segments, first)
        self._tell()

    @patient
    async def received(self, keep: Callable[[AsyncConnection], Awaitable[object]], file_id: str, name: str) -> None:
        """The job has got its recording.

        Args:
            keep: Makes it a file of the owner's, in the same transaction.
            file_id: Of the file.
            name: What it is called.

        Raises:
            ClaimLost: The job is not this attempt's any more.
        """
        async with self._ports.database.write() as tx:
            await self._set(tx)
            has = (await tx.execute(select(jobs.c.file_id).where(jobs.c.id == self.job.id))).scalar_one()
            if has != file_id:  # else it was committed, and that was not heard
                await keep(tx)
                await self._set(tx, file_id=file_id, filename=encodable(name))
        self._tell()

    @patient
    async def reuse(self, key: str) -> Reused | Elsewhere | None:
        """The result of the same work, if a job of the same owner has it; None: it is this job's to be computed.

        Args:
            key: Of all that the result depends on.

        Raises:
            ClaimLost: The job is not this attempt's any more.
        """
        useless: str | None = None
        while True:
            async with self._ports.database.write() as tx:
                await self._set(tx)
                found = await whose(tx, self.job, key, without=useless)
            if not isinstance(found, Computed):
                self._waited_for = found is None
                return found
            transcript = None
            with suppress(SealBroken):  # that is no reason to fail for anybody else
                async with self._ports.database.read() as tx:
                    transcript = await original(tx, found.job_id, self._ports.database.texts.seal(found.text_key))
            if transcript is not None and transcript.is_as_asked:
                return Reused(transcript=transcript, windows=found.windows)
            useless = found.job_id

    @patient
    async def complete(
        self, transcript: Transcript | None = None, *, windows: int | None = None, reused: bool = False
    ) -> None:
        """The job is done. All that comes of it is kept, in one transaction.

        Args:
            transcript: What came of it, if that is what the job was for.
            windows: Of how many it is; None for as many as were kept.
            reused: Whether an earlier job has decoded them, so that nothing is learned of the speed of this machine.

        Raises:
            ClaimLost: The job is not this attempt's any more.
        """
        now = self._ports.database.now()
        values: dict[str, Any] = {}
        if transcript is not None:
            values = {
                "preview": self.job.seal.close(encodable(preview(one.text for one in transcript.segments))),
                "language": transcript.language,
                "audio_duration_s": transcript.duration_s,
                "done_s": transcript.duration_s,
                "windows_total": jobs.c.windows_done if windows is None else windows,
            }
            if windows is not None:
                values["windows_done"] = windows
        async with self._last() as tx:
            await self._end(
                tx, State.COMPLETED, progress=1.0, completed_at=now, failure_reason=None, error=None, **values
            )
            if transcript is not None:
                await put_transcript(tx, self.job, transcript, is_first=not self._keeps)
            if transcript is not None and not reused:
                sound_s = transcript.duration_s - self.job.done_s
                work_s = (now - self.claimed_at).total_seconds()
                await measured(tx, self._ports.machine, transcript.model, sound_s=sound_s, work_s=work_s, now=now)

    @patient
    async def fail(self, reason: str, error: str, *, retry: bool) -> None:
        """The job failed by itself. What it has finished so far can still be read.

        Args:
            reason: A stable name for programs.
            error: A sentence for people.
            retry: Whether another attempt may help. It comes after a minute, then two, four …, at most
                ``max_retries`` times.

        Raises:
            ClaimLost: The job is not this attempt's any more.
        """
        now = self._ports.database.now()
        failures = self.job.failures + 1
        values: dict[str, Any] = {"failures": failures, "failure_reason": reason, "error": encodable(error)}
        async with self._last() as tx:
            if retry and failures <= self.job.max_retries:
                wait = timedelta(seconds=BACKOFF_S * 2 ** (failures - 1))
                await self._requeue(tx, next_attempt_at=now + wait, retries=self.job.retries + 1, **values)
            else:
                await self._end(tx, State.FAILED, completed_at=now, **values)

    async def release(self) -> None:
        """Give the job back as it is; it is nobody's fault, and somebody else's turn at once.

        Raises:
            ClaimLost: The job is not this attempt's any more.
        """
        async with self._last() as tx:
            await self._requeue(tx, next_attempt_at=None)

    @patient
    async def postpone(self, wait_s: float) -> None:
        """Give the job back for a while, as when another one does the same work.

        Args:
            wait_s: It is nobody's turn before.

        Raises:
            ClaimLost: The job is not this attempt's any more.
        """
        async with self._last() as tx:
            next_attempt_at = self._ports.database.now() + timedelta(seconds=wait_s)
            await self._requeue(tx, next_attempt_at=next_attempt_at, stage=WAITING)

    # ------------------------------------------------------------ writing

    @asynccontextmanager
    async def _last(self) -> AsyncIterator[AsyncConnection]:
        self.is_over = True  # before the write, for those who look at the table in between
        try:
            async with self._ports.database.write() as tx:
                yield tx
        except BaseException:
            self.is_over = False
            raise
        self._tell()

    async def _set(self, tx: AsyncConnection, **values: Any) -> None:
        self._check((await tx.execute(self._setting(values))).all())

    async def _set_alone(self, **values: Any) -> None:
        self._check(await self._ports.database.changed(self._setting(values)))
        self._tell()

    def _setting(self, values: dict[str, Any]) -> ReturningUpdate[str]:
        mine = (jobs.c.id == self.job.id, jobs.c.attempt == self.job.attempt, PROCESSING)
        # Without values the statement only asks whether it is still ours.
        return update(jobs).where(*mine).values(values or {"attempt": jobs.c.attempt}).returning(jobs.c.id)

    def _check(self, written: Sequence[Row[Any]]) -> None:
        if len(written) != 1:
            raise ClaimLost(self.job.id, self.job.attempt)

    async def _requeue(self, tx: AsyncConnection, *, next_attempt_at: datetime | None, **values: Any) -> None:
        values["next_attempt_at"] = next_attempt_at
        await self._set(tx, state=State.QUEUED, lease_owner=None, lease_until=None, **values)
        await self._ports.dispatch.announce(tx, self.job.kind, next_attempt_at)

    async def _end(self, tx: AsyncConnection, state: State, **values: Any) -> None:
        await self._set(tx, state=state, lease_owner=None, lease_until=None, **values)
        if self._waited_for:
            await wake(tx, self._ports.dispatch, self.job.owner_id)
        await self._ports.note(tx, self.job, state)

    def _tell(self) -> None:
        self._ports.events.publish(self.job.id)
