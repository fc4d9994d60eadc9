"""What requests were answered with, and how quickly: in all, and of late."""

from __future__ import annotations

from collections import deque
from typing import Final

from attrs import define, frozen
from prometheus_client import CollectorRegistry, Counter, Histogram

from whispercore.clock import Clock

OF_LATE_S: Final = 60
"""What counts as of late."""
FAILURE: Final = 500
"""From this status on an answer is our failure; below it, it is the caller's."""
_BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_UPLOAD_BUCKETS: Final = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800)


@frozen(kw_only=True)
class Answers:
    """Answers within a time."""

    count: int = 0
    failures: int = 0
    """Those with a status from 500 on."""
    took_s: float = 0.0
    """All together."""

    def __add__(self, other: Answers) -> Answers:
        return Answers(
            count=self.count + other.count,
            failures=self.failures + other.failures,
            took_s=self.took_s + other.took_s,
        )

    def __sub__(self, other: Answers) -> Answers:
        return Answers(
            count=self.count - other.count,
            failures=self.failures - other.failures,
            took_s=self.took_s - other.took_s,
        )

    @property
    def failure_percent(self) -> float:
        """Of all."""
        return 100 * self.failures / self.count if self.count else 0.0

    @property
    def mean_ms(self) -> float:
        """How long one took."""
        return 1000 * self.took_s / self.count if self.count else 0.0


@define
class _Tally:
    """Answers that are still counted."""

    count: int = 0
    failures: int = 0
    took_s: float = 0.0

    def add(self, took_s: float, *, failed: bool) -> None:
        self.count += 1
        self.failures += failed
        self.took_s += took_s

    @property
    def answers(self) -> Answers:
        return Answers(count=self.count, failures=self.failures, took_s=self.took_s)


class Traffic:
    """Counts answers. Not for several threads.

    Args:
        clock: By whose time.
        registry: Where the counters are for Prometheus.
    """

    def __init__(self, clock: Clock, registry: CollectorRegistry) -> None:
        self._clock = clock
        self._began_s = clock.monotonic()
        self._total = _Tally()
        self._seconds: deque[tuple[int, _Tally]] = deque()
        self._series: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}
        """Of what was answered before: asking the metrics for them costs more than counting."""
        self._requests = Counter(
            "http_requests",
            "Requests that were answered.",
            ("operation", "method", "status"),
            registry=registry,
        )
        self._durations = Histogram(
            "http_request_duration_seconds",
            "Time until an answer began, with all of it for those that are no streams.",
            ("operation", "status"),
            buckets=_BUCKETS,
            registry=registry,
        )
        self._upload_duration = Histogram(
            "upload_duration_seconds",
            "Time from the first byte of an upload to its answer.",
            buckets=_UPLOAD_BUCKETS,
            registry=registry,
        )
        self._upload_bytes = Counter("upload_bytes", "Bytes of files that came in whole.", registry=registry)
        self._upload_errors = Counter("upload_errors", "Uploads that were refused or failed.", registry=registry)

    @property
    def total(self) -> Answers:
        """Since the beginning."""
        return self._total.answers

    def answered(self, *, operation: str, method: str, status: int, took_s: float) -> None:
        """Count an answer.

        Args:
            operation: Name of the endpoint; empty where a path leads nowhere.
            method: Of HTTP.
            status: Of HTTP.
            took_s: How long it took.
        """
        key = (operation, method, status)
        series = self._series.get(key)
        if series is None:
            self._series[key] = series = (
                self._requests.labels(operation, method, str(status)),
                self._durations.labels(operation, f"{status // 100}xx"),
            )
        requests, durations = series
        requests.inc()
        durations.observe(took_s)
        second = int(self._clock.monotonic())
        if not self._seconds or self._seconds[-1][0] != second:
            self._forget(second)
            self._seconds.append((second, _Tally()))
        for tally in (self._total, self._seconds[-1][1]):
            tally.add(took_s, failed=status >= FAILURE)

    def uploaded(self, *, size_bytes: int, took_s: float, failed: bool) -> None:
        """Count an upload.

        Args:
            size_bytes: Of its files.
            took_s: How long it took.
            failed: Whether it was refused, or broke off.
        """
        if failed:
            self._upload_errors.inc()
            return
        self._upload_bytes.inc(size_bytes)
        self._upload_duration.observe(took_s)

    def of_late(self) -> Answers:
        """Those of the last minute."""
        self._forget(int(self._clock.monotonic()))
        return sum((tally.answers for _, tally in self._seconds), Answers())

    @property
    def late_s(self) -> float:
        """How long *of late* is: shorter only in the first minute."""
        return min(float(OF_LATE_S), max(1.0, self._clock.monotonic() - self._began_s))

    def _forget(self, second: int) -> None:
        while self._seconds and self._seconds[0][0] <= second - OF_LATE_S:
            self._seconds.popleft()
