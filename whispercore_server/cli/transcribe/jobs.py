"""Several transcriptions at once, each in a thread; their segments are taken in any order by the main thread.

The threads are daemons: Ctrl-C must not wait for one that is stuck.
"""

from __future__ import annotations

import collections
import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from attrs import define, field

from whispercore.errors import Cancelled
from whispercore.transcript import Segment, Transcript
from whispercore_server.cli.transcribe.place import Work

AT_ONCE = 3
"""The engine has two slots; a third transcription keeps them busy while another one decodes its file or ends."""
_FAREWELL_S = 3.0


@define(kw_only=True, eq=False)
class Job:
    """One recording on its way."""

    work: Work
    keep: Callable[[Transcript], None]
    """Called with the result, in the thread of the job."""
    over: Callable[[], None]
    """Called at its end, however it ended."""
    stop: Callable[[], None]
    """Called in addition when it is cancelled."""
    outcome: Transcript | Exception | None = None
    """Known when there are no more segments."""
    _events: queue.SimpleQueue[Segment | Transcript | Exception] = field(init=False, factory=queue.SimpleQueue)

    def run(self) -> None:
        """Do it, in this thread."""
        try:
            self._events.put(self._transcript())
        except Exception as error:  # noqa: BLE001 (it belongs to whoever waits for the outcome)
            self._events.put(error)
        finally:
            self.over()

    def segments(self) -> Iterator[Segment]:
        """Its segments as they come, for another thread; ``outcome`` is known then."""
        while isinstance(event := self._events.get(), Segment):
            yield event
        self.outcome = event

    def cancel(self) -> None:
        """End it, from another thread."""
        self.work.cancel()
        self.stop()

    def _transcript(self) -> Transcript:
        with self.work as work:
            for segment in work:
                self._events.put(segment)
        if work.transcript is None:
            raise Cancelled
        self.keep(work.transcript)
        return work.transcript


@contextmanager
def running(jobs: Sequence[Job]) -> Iterator[None]:
    """Work on the jobs in their order, a few at once; leaving cancels what is not done."""
    waiting = collections.deque(jobs)
    threads = [threading.Thread(target=_work, args=(waiting,), daemon=True) for _ in range(min(AT_ONCE, len(jobs)))]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        waiting.clear()
        for job in jobs:
            job.cancel()
        deadline = time.monotonic() + _FAREWELL_S
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))


def _work(waiting: collections.deque[Job]) -> None:
    while True:
        try:
            job = waiting.popleft()
        except IndexError:
            return
        job.run()
