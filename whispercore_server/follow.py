"""Following jobs: one reader for each job that is followed, however many clients follow it.

The reader is woken when the job moves, and looks by itself once a second, since the worker may be another process. It
reads the job and the segments that are new; its followers take from that what they have not sent yet, each in its own
time.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import suppress
from typing import Final

from attrs import define, field

from whispercore.database.undisturbed import broken_off
from whispercore.errors import StorageFull, Unavailable
from whispercore.jobs.job import Job
from whispercore.jobs.speed import Standing
from whispercore.jobs.table import Jobs
from whispercore.people.caller import Caller
from whispercore.transcript import Segment

_log = logging.getLogger(__name__)

LOOK_S: Final = 1.0
"""How often a job is looked at that nobody here moves."""


@define(eq=False)
class _Followed:
    """A job, as the reader saw it last."""

    job: Job
    segments: list[Segment] = field(factory=list)
    standing: tuple[Job, asyncio.Future[Standing]] | None = None
    version: int = 0
    failure: Exception | None = None
    """Why it cannot be followed any more."""
    moved: asyncio.Condition = field(factory=asyncio.Condition)
    followers: int = 0
    reader: asyncio.Task[None] | None = None


class Following:
    """Followers of jobs.

    Args:
        jobs: The table of jobs.
    """

    def __init__(self, jobs: Jobs) -> None:
        self._jobs = jobs
        self._followed: dict[str, _Followed] = {}
        self._closed = False

    async def follow(self, job_id: str, caller: Caller) -> AsyncGenerator[tuple[Job, list[Segment]], None]:
        """The job and all its segments so far, now and whenever it has moved, until it is over or deleted.

        The list of segments is shared and only grows: take what is new and leave the rest.

        Raises:
            NotFound: There is no such job, or it is somebody else's.
        """
        job = await self._jobs.owned(job_id, caller)
        followed = self._followed.get(job_id)
        if followed is None:
            followed = self._followed[job_id] = _Followed(job)
            followed.reader = asyncio.create_task(self._read(followed), name=f"follow {job_id}")
        followed.followers += 1
        seen = 0
        try:
            while not self._closed:
                async with followed.moved:
                    while followed.version == seen and not self._closed:
                        await followed.moved.wait()
                    seen = followed.version
                if followed.failure is not None:
                    raise followed.failure
                if self._closed:
                    return
                job = followed.job  # it moves on while the follower is busy
                yield job, followed.segments
                if job.state.is_over:
                    return
        finally:
            followed.followers -= 1
            if not followed.followers:
                self._leave(job_id, followed)

    async def standing(self, job: Job) -> Standing:
        """What the job can expect, reckoned once for all who follow it."""
        if job.state.is_over:
            return Standing(None, None)
        followed = self._followed.get(job.id)
        if followed is None or followed.job is not job:
            return await self._jobs.standing(job)
        if followed.standing is None or followed.standing[0] is not job:
            followed.standing = (job, asyncio.ensure_future(self._jobs.standing(job)))
        return await asyncio.shield(followed.standing[1])

    async def close(self) -> None:
        """End all following; clients come back to whoever serves next."""
        self._closed = True
        for followed in list(self._followed.values()):
            async with followed.moved:
                followed.moved.notify_all()
            if followed.reader is not None:
                await broken_off(followed.reader)

    def _leave(self, job_id: str, followed: _Followed) -> None:
        if self._followed.get(job_id) is followed:
            del self._followed[job_id]
        if followed.reader is not None:
            followed.reader.cancel()

    async def _read(self, followed: _Followed) -> None:
        with self._jobs.events.subscribe(followed.job.id) as subscription:
            while True:
                try:
                    await self._look(followed)
                except (StorageFull, Unavailable) as error:
                    _log.warning("the job %s is looked at again: %s", followed.job.id, error)
                except Exception as error:  # noqa: BLE001 (it is raised at every follower)
                    followed.failure = error
                    await _tell(followed)
                if followed.failure is not None or (followed.version and followed.job.state.is_over):
                    if self._followed.get(followed.job.id) is followed:
                        del self._followed[followed.job.id]  # who comes now gets a reader of his own
                    return
                with suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_S):
                        await subscription.moved()

    async def _look(self, followed: _Followed) -> None:
        owner = Caller(user_id=followed.job.owner_id, username="", scopes=frozenset())
        job = await self._jobs.owned(followed.job.id, owner)
        new = await self._jobs.segments(job, after=len(followed.segments) - 1)
        if job != followed.job or new or not followed.version:
            followed.job = job
            followed.segments.extend(segment for _, segment in new)
            await _tell(followed)


async def _tell(followed: _Followed) -> None:
    async with followed.moved:
        followed.version += 1
        followed.moved.notify_all()
