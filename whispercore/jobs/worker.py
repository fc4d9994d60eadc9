"""A worker: claims jobs, has them done, and keeps its hold on them meanwhile."""

from __future__ import annotations

import asyncio
import functools
import logging
import math
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping
from contextlib import contextmanager

from attrs import field, frozen
from sqlalchemy.exc import SQLAlchemyError

from whispercore.database.undisturbed import undisturbed
from whispercore.errors import Cancelled, ClaimLost, Unavailable, WhispercoreError
from whispercore.jobs.claim import Claim
from whispercore.jobs.failure import Failure
from whispercore.jobs.job import Job
from whispercore.jobs.queue import LEASE_S, PATIENCE_S
from whispercore.jobs.table import Jobs

LOOK_S = 0.5
"""How often it looks whether its jobs are still its own."""
SWEEP_S = 2.0
"""How often it looks for jobs that others have left lying."""
TIMEOUT_S = 120 * 60.0
"""How long a job may stand still."""
RENEWALS = 0.3
"""The part of a lease after which it is renewed: two may fail, and the third is still in time."""
GRACE_S = 0.2
"""How long a handler has to end by itself when its job is cancelled."""

_log = logging.getLogger(__name__)


@frozen(kw_only=True, eq=False)
class Running:
    """What a handler is given."""

    claim: Claim
    """The hold on the job: all that is written goes through it."""
    cancelled: asyncio.Event = field(factory=asyncio.Event, repr=False)
    """Set when the job is not ours any more. A handler that does not end within ``GRACE_S`` is cancelled."""

    @property
    def job(self) -> Job:
        """The job, as it was when it was claimed."""
        return self.claim.job


Handler = Callable[[Running], Awaitable[None]]
"""Does jobs of one kind. It completes its claim; when it only returns, the job is completed without a transcript. An
error that it raises fails the job, see ``whispercore.jobs.failure``. It never blocks the event loop."""


class Worker:
    """One worker.

    Args:
        jobs: The jobs.
        handlers: What is done for each kind; other kinds are left to others.
        name: Unlike that of any other worker; see ``whispercore.jobs.identity``.
        slots: How many jobs are done at once.
        loaded_models: Tells which models cost no loading.
        lease_s: How long the worker may be silent before its jobs are another's.
        timeout_s: How long a job may stand still.
    """

    def __init__(
        self,
        jobs: Jobs,
        handlers: Mapping[str, Handler],
        *,
        name: str,
        slots: int = 2,
        loaded_models: Callable[[], Collection[str]] = tuple,
        lease_s: float = LEASE_S,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        self.name = name
        self._queue = jobs.queue
        self._dispatch = jobs.dispatch
        self._clock = jobs.database.clock
        self._now = jobs.database.now
        self._handlers = handlers
        self._slots = slots
        self._loaded_models = loaded_models
        self._lease_s = lease_s
        self._timeout_s = timeout_s
        self._running: dict[Claim, Running] = {}
        self._switched_s = -math.inf
        """When it last took a job that cost a loading."""

    async def run(self) -> None:
        """Work until cancelled. Jobs that are not done then are given back, for others to go on with at once."""
        await self._queue.enter(self.name, self._slots, self.kinds)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._tend())
                group.create_task(self._dispatch.work(self, self._slots))
        finally:
            await undisturbed(self._leave())

    async def _leave(self) -> None:
        for claim in tuple(self._running):  # those that were claimed, but not begun
            await self._give_back(claim)
        with _logged("leave"):
            await self._queue.leave(self.name)

    # ------------------------------------------------------------ one job

    @property
    def kinds(self) -> Collection[str]:
        """The kinds of jobs that it knows."""
        return tuple(self._handlers)

    async def claim(self) -> Callable[[], Awaitable[None]] | None:
        """Take the job whose turn it is. Who is cancelled meanwhile keeps none."""
        taken: list[Running] = []
        try:
            with _logged("claim a job"):
                await undisturbed(self._take(taken))
        except asyncio.CancelledError:
            for running in taken:
                del self._running[running.claim]
                await undisturbed(self._give_back(running.claim))
            raise
        return functools.partial(self._work, taken[0]) if taken else None

    async def _take(self, taken: list[Running]) -> None:
        loaded, now_s = self._loaded_models(), self._clock.monotonic()
        claim = await self._queue.claim(
            self.name,
            self.kinds,
            lease_s=self._lease_s,
            loaded_models=loaded,
            has_switched=now_s - self._switched_s < PATIENCE_S,
        )
        if claim is not None:
            if claim.job.model is not None and claim.job.model not in loaded:
                self._switched_s = now_s
            taken.append(Running(claim=claim))
            self._running[claim] = taken[0]

    def interrupt(self, job_id: str) -> None:
        """Stop working on this job."""
        for claim, running in self._running.items():
            if claim.job.id == job_id:
                running.cancelled.set()

    async def _work(self, running: Running) -> None:
        _log.info("job %s: attempt %d begins", running.job.id, running.job.attempt, extra=_about(running.job))
        handling = asyncio.ensure_future(self._handled(running))
        try:
            await self._until_over(handling, running.cancelled)
            await self._conclude(handling, running)
        except asyncio.CancelledError:
            handling.cancel()
            await undisturbed(_ended(handling))
            await undisturbed(self._give_back(running.claim))
            raise
        finally:
            del self._running[running.claim]

    async def _handled(self, running: Running) -> None:
        running.job.seal.check()  # its options cannot be read
        await self._handlers[running.job.kind](running)

    async def _until_over(self, handling: asyncio.Future[None], cancelled: asyncio.Event) -> None:
        stopped = asyncio.ensure_future(cancelled.wait())
        try:
            await asyncio.wait((handling, stopped), return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopped.cancel()
        if not handling.done():
            grace = asyncio.ensure_future(self._clock.sleep(GRACE_S))
            try:
                await asyncio.wait((handling, grace), return_when=asyncio.FIRST_COMPLETED)
            finally:
                grace.cancel()
            handling.cancel()
            await _ended(handling)

    async def _conclude(self, handling: asyncio.Future[None], running: Running) -> None:
        error = Cancelled() if handling.cancelled() else handling.exception()
        claim, job = running.claim, running.job
        if running.cancelled.is_set() or isinstance(error, ClaimLost):
            _log.info("job %s: attempt %d was stopped", job.id, job.attempt, extra=_about(job))
            return
        if error is not None:
            _log.warning("job %s: attempt %d failed", job.id, job.attempt, exc_info=error, extra=_about(job))
        else:
            _log.info("job %s: completed", job.id, extra=_about(job))
        if claim.is_over:
            return
        with _logged(f"write how job {job.id} ended"):
            if error is None:
                await claim.complete()
            else:
                failure = Failure.of(error)
                await claim.fail(failure.reason, failure.error, retry=failure.retry)

    async def _give_back(self, claim: Claim) -> None:
        if not claim.is_over:
            with _logged(f"give job {claim.job.id} back"):
                await claim.release()

    # ------------------------------------------------------------ all jobs

    async def _tend(self) -> None:
        renew_at = sweep_at = self._clock.monotonic()
        apart_s = self._apart_s()
        while True:
            now = self._clock.monotonic()
            before_s, apart_s = apart_s, self._apart_s()
            jumped = abs(apart_s - before_s) > self._lease_s / 2
            if jumped:
                renew_at = now
            # Its own first: those of a process that was stopped have lapsed, and are not to be taken for left lying.
            kept = False
            with _logged("keep its jobs"):
                if now >= renew_at:
                    held, models = self._held(), self._loaded_models()
                    self._stop(await self._queue.renew(self.name, held, lease_s=self._lease_s, loaded_models=models))
                    renew_at = now + RENEWALS * self._lease_s
                elif self._running:
                    self._stop(await self._queue.lost(self._held()))
                kept = True
            if jumped or not kept:  # nobody else has renewed a lease either: they get the time for it
                sweep_at = self._clock.monotonic() + self._lease_s
            with _logged("sweep"):
                if now >= sweep_at:
                    sweep_at = now + SWEEP_S
                    await self._queue.sweep(timeout_s=self._timeout_s)
            await self._clock.sleep(LOOK_S)

    def _apart_s(self) -> float:
        """How far the time of leases is from that of waiting: it jumps when the clock is set, or the machine slept."""
        return self._now().timestamp() - self._clock.monotonic()

    def _held(self) -> list[Claim]:
        return [claim for claim in self._running if not claim.is_over]

    def _stop(self, lost: list[Claim]) -> None:
        for claim in lost:
            if not claim.is_over and claim in self._running:
                self._running[claim].cancelled.set()


def _about(job: Job) -> dict[str, object]:
    """Attributes for the log."""
    return {"job_id": job.id, "kind": job.kind, "user_id": job.owner_id, "model": job.model, "attempt": job.attempt}


async def _ended(handling: asyncio.Future[None]) -> None:
    await asyncio.wait((handling,))


@contextmanager
def _logged(what: str) -> Iterator[None]:
    """Go on when the database refuses for now, as when the disk is full. What is left lying lapses, and is swept."""
    try:
        yield
    except ClaimLost as error:
        _log.info("a worker did not %s: %s", what, error)
    except Unavailable as error:
        _log.warning("a worker could not %s for now: %s", what, error)
    except (WhispercoreError, SQLAlchemyError):
        _log.exception("a worker could not %s", what)
