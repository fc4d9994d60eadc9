"""The parts of an installation, and the situation that it is in."""

from __future__ import annotations

import asyncio
import platform
from datetime import timedelta
from importlib.metadata import version
from pathlib import Path

from sqlalchemy import case, func, select

from whispercore.api.transcriber.admin.system import SystemComponents, WorkerPart
from whispercore.backup.record import Record
from whispercore.database.migrating import OURS
from whispercore.database.tables import jobs, samples, speeds, workers
from whispercore.jobs.job import State
from whispercore.jobs.speed import PRESENT_S
from whispercore.measures.counts import count_files
from whispercore.measures.figures import together
from whispercore.measures.findings import Situation
from whispercore.measures.measures import database_bytes
from whispercore.measures.probes import schema_version
from whispercore_server.ports import Ports


async def components(ports: Ports) -> SystemComponents:
    """What there is."""
    database = ports.database
    async with database.read() as tx:
        files = await count_files(tx)
        schema = await schema_version(tx)
        last_sample_at = (await tx.execute(select(samples.c.at).order_by(samples.c.at.desc()).limit(1))).scalar()
    models = await asyncio.to_thread(ports.models.list)
    backups = await _completed(ports)
    return SystemComponents(
        version=version("whispercore"),
        python=platform.python_version(),
        started_at=ports.measures.started_at,
        database_bytes=await asyncio.to_thread(database_bytes, database),
        database_log_bytes=await asyncio.to_thread(lambda: database_bytes(database, log=True)),
        database_connections=database.connections,
        schema_version=f"{OURS.name} {schema}",
        files=files.count,
        file_bytes=files.size_bytes,
        free_bytes=(await asyncio.to_thread(ports.measures.machine.disk)).free_bytes,
        workers=await _workers(ports),
        engines_loaded=ports.engines.loaded,
        models=[model.name for model in models if model.downloaded],
        default_model=ports.settings.library.default_model,
        backups=len(backups),
        last_backup_at=backups[0].created_at if backups else None,
        last_sample_at=last_sample_at,
    )


async def situation(ports: Ports) -> Situation:
    """What rules can look at."""
    now, settings, measures = ports.clock.now(), ports.settings, ports.measures
    last_hour = [sample.figures for sample in await measures.samples.since(now - timedelta(hours=1))]
    present = await measures.now()
    there = await _workers(ports)
    backups = await _completed(ports)
    async with ports.database.read() as tx:
        late = jobs.c.completed_at > now - timedelta(days=1)
        ended = await tx.execute(
            select(
                func.coalesce(func.sum(case((jobs.c.state == State.COMPLETED, 1), else_=0)), 0),
                func.coalesce(func.sum(case((jobs.c.state == State.FAILED, 1), else_=0)), 0),
            ).where(late)
        )
        completed, failed = ended.one()
        slowest = (
            await tx.execute(select(speeds.c.model, speeds.c.factor).order_by(speeds.c.factor.desc()).limit(1))
        ).one_or_none()
    return Situation(
        now=now,
        last_hour=together(last_hour) if last_hour else None,
        present=present,
        slots=sum(worker.slots for worker in there),
        workers=len(there),
        completed_last_day=completed,
        failed_last_day=failed,
        slowest_factor=slowest.factor if slowest is not None else None,
        slowest_model=slowest.model if slowest is not None else None,
        last_backup_at=backups[0].created_at if backups else None,
        backups_beside_data=await asyncio.to_thread(_same_disk, settings.backups_dir, settings.data),
        database_bytes=await asyncio.to_thread(database_bytes, ports.database),
        wal_bytes=await asyncio.to_thread(lambda: database_bytes(ports.database, log=True)),
        default_model=settings.library.default_model,
        default_model_here=await asyncio.to_thread(ports.models.is_here, settings.library.default_model),
    )


async def _completed(ports: Ports) -> list[Record]:
    return [record for record in await ports.backups.listed() if record.status == "completed"]


async def _workers(ports: Ports) -> list[WorkerPart]:
    here = workers.c.seen_at > ports.clock.now() - timedelta(seconds=PRESENT_S)
    rows = await ports.database.rows(select(workers).where(here).order_by(workers.c.name))
    return [WorkerPart(name=row.name, slots=row.slots, started_at=row.started_at, seen_at=row.seen_at) for row in rows]


def _same_disk(one: Path, other: Path) -> bool:
    try:
        return one.stat().st_dev == other.stat().st_dev
    except FileNotFoundError:
        return False
