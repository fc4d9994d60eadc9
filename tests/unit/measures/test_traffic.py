"""Answers are counted, in all and of late."""

from __future__ import annotations

import pytest
from prometheus_client import CollectorRegistry

from whispercore.measures.traffic import Answers, Traffic
from whispercore.testing import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def traffic(clock: FakeClock) -> Traffic:
    return Traffic(clock, CollectorRegistry())


def answer(traffic: Traffic, status: int = 200, took_s: float = 0.1) -> None:
    traffic.answered(operation="x.y", method="GET", status=status, took_s=took_s)


def test_nothing_has_no_rates(traffic: Traffic) -> None:
    assert (traffic.of_late().failure_percent, traffic.of_late().mean_ms) == (0.0, 0.0)
    assert traffic.late_s == 1.0


@pytest.mark.parametrize(("status", "failures"), [(101, 0), (200, 0), (404, 0), (499, 0), (500, 1), (503, 1), (507, 1)])
def test_only_our_failures_are_failures(traffic: Traffic, status: int, failures: int) -> None:
    answer(traffic, status)
    assert traffic.total.failures == failures


def test_of_late_is_the_last_minute(traffic: Traffic, clock: FakeClock) -> None:
    answer(traffic, 500, took_s=0.3)
    clock.advance(30)
    answer(traffic)
    assert traffic.of_late() == Answers(count=2, failures=1, took_s=0.4)
    assert traffic.of_late().failure_percent == 50
    assert traffic.of_late().mean_ms == pytest.approx(200)
    clock.advance(30)
    assert traffic.of_late() == Answers(count=1, took_s=0.1)
    clock.advance(30)
    assert traffic.of_late() == Answers()
    assert traffic.total.count == 2
    assert traffic.late_s == 60


def test_little_is_remembered_of_much(traffic: Traffic, clock: FakeClock) -> None:
    for _ in range(300):
        for _ in range(50):
            answer(traffic)
        clock.advance(1)
    assert len(traffic._seconds) <= 60
    assert traffic.total.count == 15_000
    assert 59 * 50 <= traffic.of_late().count <= 60 * 50


def test_uploads_are_bytes_and_errors(clock: FakeClock) -> None:
    registry = CollectorRegistry()
    traffic = Traffic(clock, registry)
    traffic.uploaded(size_bytes=100, took_s=1.0, failed=False)
    traffic.uploaded(size_bytes=50, took_s=1.0, failed=True)
    assert registry.get_sample_value("upload_bytes_total") == 100
    assert registry.get_sample_value("upload_errors_total") == 1
    assert registry.get_sample_value("upload_duration_seconds_count") == 1
