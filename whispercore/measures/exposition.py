"""The figures in the words of Prometheus."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import version
from typing import Final

from attrs import frozen
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from whispercore.database.tables import jobs, speeds
from whispercore.jobs.job import State
from whispercore.measures.counts import count_files

MEDIA_TYPE: Final = "text/plain; version=0.0.4"


@frozen(kw_only=True)
class Levels:
    """What is not counted up, but looked at when somebody asks."""

    jobs: Mapping[str, int]
    """By state."""
    waiting: int
    """Jobs that wait for a worker, or to be tried again."""
    retries: int
    """Failed attempts of the jobs that there are."""
    workers: int
    file_bytes: int
    database_bytes: int
    free_bytes: int
    connections: int
    """To the database."""
    engines: int
    speeds: Mapping[tuple[str, str], float]
    """Seconds of work for a second of sound, by machine and model."""
    uptime_s: float


@frozen(kw_only=True)
class JobLevels:
    """The part of them that the database knows."""

    jobs: Mapping[str, int]
    retries: int
    file_bytes: int
    speeds: Mapping[tuple[str, str], float]


async def job_levels(tx: AsyncConnection) -> JobLevels:
    """Count them."""
    rows = await tx.execute(select(jobs.c.state, func.count(), func.sum(jobs.c.failures)).group_by(jobs.c.state))
    by_state = dict.fromkeys((state.value for state in State), 0)
    retries = 0
    for state, count, failures in rows:
        by_state[state] = count
        retries += failures
    measured = await tx.execute(select(speeds.c.machine, speeds.c.model, speeds.c.factor))
    return JobLevels(
        jobs=by_state,
        retries=retries,
        file_bytes=(await count_files(tx)).size_bytes,
        speeds={(row.machine, row.model): row.factor for row in measured},
    )


def exposed(registry: CollectorRegistry, levels: Levels) -> bytes:
    """All figures as text.

    Args:
        registry: What is counted up.
        levels: What is looked at.
    """
    both = CollectorRegistry()
    both.register(_Both(registry, levels))
    return generate_latest(both)


class _Both(Collector):
    def __init__(self, registry: CollectorRegistry, levels: Levels) -> None:
        self._registry = registry
        self._levels = levels

    def collect(self) -> Iterator[Metric]:
        for family in self._registry.collect():
            # When each series began is of no use to anybody, and doubles them.
            family.samples = [sample for sample in family.samples if not sample.name.endswith("_created")]
            yield family
        yield from _families(self._levels)


def _families(at: Levels) -> Iterator[Metric]:
    yield _gauge("jobs", "Jobs, by state.", ("state",), ((((state,)), count) for state, count in at.jobs.items()))
    yield _gauge("job_queue_size", "Jobs that wait for a worker.", (), (((), at.waiting),))
    yield _gauge("job_retry_count", "Failed attempts of the jobs that there are.", (), (((), at.retries),))
    yield _gauge("workers", "Workers that were seen of late.", (), (((), at.workers),))
    stored = [(("files",), at.file_bytes), (("database",), at.database_bytes), (("free",), at.free_bytes)]
    yield _gauge("storage_bytes", "Bytes of recordings, of the database, and free ones.", ("kind",), stored)
    yield _gauge("db_connections", "Open connections to the database.", (), (((), at.connections),))
    yield _gauge("engines_loaded", "Engines that this process has loaded.", (), (((), at.engines),))
    yield _gauge(
        "engine_seconds_per_sound_second",
        "Seconds of work for a second of sound, of late.",
        ("machine", "model"),
        at.speeds.items(),
    )
    yield _gauge("uptime_seconds", "How long the server has been there.", (), (((), at.uptime_s),))
    yield _gauge("whispercore_info", "Its version.", ("version",), (((version("whispercore"),), 1),))


def _gauge(
    name: str, about: str, labels: tuple[str, ...], values: Iterable[tuple[tuple[str, ...], float]]
) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, about, labels=labels)
    for its_labels, value in values:
        family.add_metric(its_labels, value)
    return family
