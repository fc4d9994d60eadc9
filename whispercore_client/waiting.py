"""Waiting for a job: by its events, or by asking now and then where those do not come through."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Final

from attrs import evolve

from whispercore.api.transcriber.jobs import JobDetail, Jobs
from whispercore.api.transcriber.progress import Ended, JobProgress, Progress, Progressed
from whispercore.errors import JobFailed, TimedOut, UnexpectedReply, Unreachable
from whispercore_client.retry import WHILE_IT_STARTS
from whispercore_client.transport import AsyncHttp

FINISHED: Final = frozenset({"completed", "failed", "cancelled"})
_FIRST_WAIT_S: Final = 0.5
_LONGEST_WAIT_S: Final = 5.0

OnProgress = Callable[[JobProgress], None]
"""Told how far a job is."""


async def wait_for(
    http: AsyncHttp, job_id: str, timeout_s: float | None
) -> AsyncGenerator[JobProgress | JobDetail, None]:
    """How far a job is, whenever that changes, and at last the finished job.

    A server that starts anew is waited for, as its jobs go on then.

    Args:
        http: Asks the server; never again where its options say so.
        job_id: The job.
        timeout_s: How long to wait in all; None for as long as it takes.

    Raises:
        TimedOut: It is not finished by then. It goes on.
        NotFound: There is no such job.
    """
    loop = asyncio.get_running_loop()
    deadline = None if timeout_s is None else loop.time() + timeout_s
    if http.options.retries:
        http = http.with_options(evolve(http.options, retries=max(http.options.retries, WHILE_IT_STARTS)))
    steps = _steps(http, job_id)
    async with aclosing(steps):
        while True:
            try:
                async with asyncio.timeout_at(deadline):
                    step = await anext(steps)
            except StopAsyncIteration:
                return
            except TimeoutError:
                raise TimedOut(f"the job {job_id} at {http.connection.server.base_url}", timeout_s or 0.0) from None
            yield step


def succeeded(job: JobDetail) -> JobDetail:
    """The job, if it is completed.

    Raises:
        JobFailed: It is not.
    """
    if job.status != "completed":
        raise JobFailed(job.job_id, job.failure_reason or job.status, job.error)
    return job


async def _steps(http: AsyncHttp, job_id: str) -> AsyncGenerator[JobProgress | JobDetail, None]:
    try:
        async with aclosing(Progress(http).events(job_id)) as events:  # type: ignore[type-var]  # it is a generator
            async for event in events:
                if isinstance(event, Progressed):
                    yield event.progress
                elif isinstance(event, Ended):
                    break
    except (Unreachable, UnexpectedReply, TimedOut):
        pass  # Something in between holds events back; a plain question may still come through.
    last: JobProgress | None = None
    wait_s = _FIRST_WAIT_S
    while (job := await Jobs(http).get(job_id)).status not in FINISHED:
        now = await Progress(http).get(job_id)
        if now != last:
            yield now
        last = now
        await http.clock.sleep(wait_s)
        wait_s = min(2 * wait_s, _LONGEST_WAIT_S)
    yield job
