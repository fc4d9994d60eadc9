"""Clients in the middle of chaos: they send recordings, wait for what becomes of them, and never give up."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar
from urllib.request import Request, urlopen
from uuid import uuid4

from attrs import define, field, frozen

from benchmarks.servers import ADMIN_KEY
from whispercore.api.transcriber.jobs import JobDetail
from whispercore.clock import SystemClock
from whispercore.errors import InternalError, TimedOut, Unavailable, UnexpectedReply, Unreachable
from whispercore_client import Client

RETRIES = 8
"""Of the client itself, for each call."""
_PASSING = (InternalError, TimedOut, Unavailable, UnexpectedReply, Unreachable)
_AGAIN_S = 1.0
_ASKED_EVERY_S = 0.2
_ANSWER_S = 5.0

_T = TypeVar("_T")


@frozen(kw_only=True)
class Sent:
    """What became of a recording, as its sender saw it."""

    recording: Path
    job_id: str
    job: JobDetail | None
    """None: it has not ended."""
    took_s: float

    @property
    def status(self) -> str:
        """Of the job; ``lost`` when it has not ended."""
        return self.job.status if self.job is not None else "lost"


class Waits(SystemClock):
    """Counts how often a client waits before it asks again."""

    def __init__(self) -> None:
        self.count = 0

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        self.count += 1
        await super().sleep(seconds)


@define(eq=False)
class Clients:
    """Many at once, over one client of the library.

    Args:
        client: Shared by all.
        patience_s: How long a job is waited for after the last was sent.
    """

    client: Client
    patience_s: float
    errors: Counter[str] = field(factory=Counter)
    """Those that the client of the library gave up with, by code; all were tried again."""

    def send_all(self, recordings: Sequence[Path], *, within_s: float, together: int) -> list[Sent]:
        """Send recordings at even distances, and wait until all have ended.

        Args:
            recordings: One for each job.
            within_s: When the last one is sent.
            together: How many are in hand at once, at most.
        """
        began = time.monotonic()
        deadline = began + within_s + self.patience_s

        def send(number: int) -> Sent:
            time.sleep(max(0.0, began + number * within_s / len(recordings) - time.monotonic()))
            return self._send(recordings[number], deadline)

        with ThreadPoolExecutor(together) as threads:
            return list(threads.map(send, range(len(recordings))))

    def _send(self, recording: Path, deadline: float) -> Sent:
        began = time.monotonic()
        name = uuid4().hex
        made = self._insist(
            lambda: self.client.jobs.create(file=recording, model="micro", idempotency_key=name), deadline
        )
        job = None
        if made is not None:
            job_id = made.job_id
            job = self._insist(
                lambda: self.client.wait(job_id, timeout_s=max(1.0, deadline - time.monotonic())), deadline
            )
        took_s = time.monotonic() - began
        return Sent(recording=recording, job_id=made.job_id if made is not None else "", job=job, took_s=took_s)

    def _insist(self, call: Callable[[], _T], deadline: float) -> _T | None:
        while time.monotonic() < deadline:
            try:
                return call()
            except _PASSING as error:
                self.errors[error.code] += 1
            time.sleep(_AGAIN_S)
        return None


@define
class Outage:
    """The longest time without an answer."""

    longest_s: float = 0.0


@contextmanager
def asked_all_the_time(url: str) -> Iterator[Outage]:
    """Ask for a list of jobs, five times a second and without trying again, until the block ends."""
    outage, over = Outage(), threading.Event()

    def ask() -> None:
        answered = time.monotonic()
        request = Request(f"{url}/api/jobs/?limit=1", headers={"X-API-Key": ADMIN_KEY})  # noqa: S310 (our own)
        while not over.wait(_ASKED_EVERY_S):
            try:
                with urlopen(request, timeout=_ANSWER_S) as answer:  # noqa: S310 (our own)
                    answer.read()
            except OSError:
                continue
            finally:
                outage.longest_s = max(outage.longest_s, time.monotonic() - answered)
            answered = time.monotonic()

    thread = threading.Thread(target=ask, name="asking")
    thread.start()
    try:
        yield outage
    finally:
        over.set()
        thread.join()
