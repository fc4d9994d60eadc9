"""Samples are taken every minute, kept for a while, and put together."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from attrs import evolve

from tests.databases import opened
from tests.unit.measures.test_findings import CALM
from tests.waiting import until
from whispercore.audit.key import AuditKey
from whispercore.audit.trail import Audit
from whispercore.database.session import Database
from whispercore.engines.pool import EnginePool
from whispercore.errors import StorageFull
from whispercore.files.obstore_blobs import ObstoreBlobs
from whispercore.ids import Uuid7Ids
from whispercore.jobs.job import NewJob
from whispercore.jobs.table import Jobs
from whispercore.measures.ended import EndedJobs
from whispercore.measures.figures import together
from whispercore.measures.machine import Machine
from whispercore.measures.measures import EVERY_S, Measures
from whispercore.measures.samples import KEPT, Sample, Samples, in_steps
from whispercore.measures.services import Services
from whispercore.testing import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def database(database_url: str, clock: FakeClock) -> AsyncIterator[Database]:
    async with opened(database_url, clock) as database:
        yield database


@pytest.fixture
def measures(clock: FakeClock, database: Database, tmp_path: Path) -> Measures:
    return Measures(
        clock=clock,
        database=database,
        audit=Audit(database, clock=clock, ids=Uuid7Ids(clock), key=AuditKey()),
        blobs=ObstoreBlobs.in_memory(),
        queue=Jobs(database).queue,
        engines=EnginePool(),
        data=tmp_path,
        services=Services(clock),
    )


async def test_a_minute_is_a_sample(measures: Measures, clock: FakeClock, database: Database) -> None:
    began = database.now()
    task = asyncio.create_task(measures.run())
    try:
        for number in range(1, 4):
            for _ in range(number):
                measures.traffic.answered(operation="a.b", method="GET", status=500, took_s=0.5)
            await until(lambda: clock.sleepers > 0)
            clock.advance(EVERY_S)
            await until(lambda: clock.sleepers > 0)
    finally:
        task.cancel()
    figures = [sample.figures for sample in await measures.samples.since(began)]
    assert [(one.requests, one.failures, one.span_s) for one in figures] == [
        (1, 1, 60.0),
        (2, 2, 60.0),
        (3, 3, 60.0),
    ]


async def test_a_minute_that_cannot_be_kept_is_added_to_the_next(
    measures: Measures, clock: FakeClock, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(*_: object) -> None:
        raise StorageFull

    measures.traffic.answered(operation="a.b", method="GET", status=200, took_s=0.5)
    clock.advance(60)
    with monkeypatch.context() as patch:
        patch.setattr(Samples, "keep", full)
        with pytest.raises(StorageFull):
            await measures.sample()
    measures.traffic.answered(operation="a.b", method="GET", status=200, took_s=0.5)
    clock.advance(60)
    await measures.sample()
    (kept,) = await measures.samples.since(database.now() - timedelta(hours=1))
    assert (kept.figures.requests, kept.figures.span_s) == (2, 120.0)


async def test_samples_go_after_their_time(database: Database, clock: FakeClock) -> None:
    samples = Samples(database, "server")
    began = database.now() - timedelta(seconds=1)
    await samples.keep(CALM)
    clock.advance(KEPT.total_seconds() - 1)
    await samples.keep(CALM)
    assert len(await samples.since(began)) == 2
    clock.advance(2)
    await samples.keep(CALM)
    assert len(await samples.since(began)) == 2


def test_steps_hold_means_and_sums(clock: FakeClock) -> None:
    began = clock.now().replace(minute=0, second=0, microsecond=0)
    found = [
        Sample(
            at=began + timedelta(minutes=number),
            figures=evolve(CALM, cpu_percent=10.0 * number, requests=number, queue_size=number, uptime_s=number),
        )
        for number in range(10)
    ]
    first, second = in_steps(found, timedelta(minutes=5))
    assert (first.figures.cpu_percent, first.figures.requests, first.figures.uptime_s) == (20.0, 10, 4)
    assert (second.figures.queue_size, second.figures.span_s) == (7, 5 * 3600)
    assert (first.at, second.at) == (found[4].at, found[9].at)
    assert in_steps([], timedelta(minutes=5)) == []
    assert together([CALM]) == CALM


def test_figures_of_nothing_divide_by_nothing() -> None:
    nothing = evolve(CALM, requests=0, took_s=0.0, memory_total_bytes=0, disk_used_bytes=0, disk_free_bytes=0, span_s=0)
    assert (nothing.failure_percent, nothing.mean_answer_ms, nothing.disk_percent) == (0.0, 0.0, 0.0)
    assert nothing.requests_per_s == 0


async def test_jobs_that_ended_before_are_not_counted_and_others_once(database: Database, measures: Measures) -> None:
    jobs = Jobs(database)

    async def do_one() -> None:
        async with database.write() as tx:
            await jobs.enqueue(tx, NewJob(owner_id="ada", kind="transcribe", model="micro"))
        claim = await jobs.queue.claim("worker", ("transcribe",))
        assert claim is not None
        await claim.complete()

    await do_one()
    assert isinstance(database.clock, FakeClock)
    database.clock.advance(1)
    ended = EndedJobs(database, registry := type(measures.registry)())
    await do_one()
    for _ in range(3):
        await ended.catch_up()
    database.clock.advance(30)
    await do_one()
    await ended.catch_up()
    assert registry.get_sample_value("jobs_ended_total", {"kind": "transcribe", "state": "completed"}) == 2
    labels = {"kind": "transcribe", "model": "micro"}
    assert registry.get_sample_value("job_processing_duration_seconds_count", labels) == 2
    database.clock.advance(3600)
    await ended.catch_up()
    assert len(ended._seen) == 0


def test_the_limit_of_a_control_group_is_the_memory_that_there_is(
    tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("whispercore.machine._CGROUP", tmp_path)
    machine = Machine(tmp_path, clock)
    assert not machine.memory().limited
    (tmp_path / "memory.max").write_text("1000\n")
    (tmp_path / "memory.current").write_text("700\n")
    (tmp_path / "memory.stat").write_text("anon 1\ninactive_file 200\n")
    memory = machine.memory()
    assert (memory.total_bytes, memory.used_bytes, memory.limited) == (1000, 500, True)
    assert (memory.percent, memory.available_bytes) == (50.0, 500)
    for text in ("max\n", "nonsense\n", ""):
        (tmp_path / "memory.max").write_text(text)
        assert not machine.memory().limited
