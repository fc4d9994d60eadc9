"""Answers of ``api.transcriber.admin.resources``."""

from __future__ import annotations

import asyncio

from attrs import define

from whispercore.api.transcriber.admin.resources import (
    ApplicationUse,
    AskResource,
    CpuUse,
    MemoryUse,
    NetworkUse,
    Overview,
    ProcessesUse,
    ProcessUse,
    Resources,
    StorageUse,
)
from whispercore.measures.counts import count_busy, count_files
from whispercore.measures.measures import database_bytes
from whispercore.people.caller import Caller
from whispercore_server.plugin import serves
from whispercore_server.ports import Ports


@define
class ResourcesHandlers:
    """Tells what of the machine is used."""

    ports: Ports

    @serves(Resources.overview)
    async def overview(self, request: AskResource, caller: Caller) -> Overview:
        """All of them, at the same time."""
        cpu, memory, storage, network, processes, application = await asyncio.gather(
            self.cpu(request, caller),
            self.memory(request, caller),
            self.storage(request, caller),
            self.network(request, caller),
            self.processes(request, caller),
            self.application(request, caller),
        )
        return Overview(
            cpu=cpu,
            memory=memory,
            storage=storage,
            network=network,
            processes=processes,
            application=application,
        )

    @serves(Resources.cpu)
    async def cpu(self, request: AskResource, caller: Caller) -> CpuUse:
        """Since the last look."""
        del request, caller
        cpu = await asyncio.to_thread(self.ports.measures.machine.cpu)
        return CpuUse(
            usage_percent=round(cpu.percent, 1),
            cores=cpu.cores,
            machine_cores=cpu.machine_cores,
            load_1m=round(cpu.load[0], 2),
            load_5m=round(cpu.load[1], 2),
            load_15m=round(cpu.load[2], 2),
        )

    @serves(Resources.memory)
    async def memory(self, request: AskResource, caller: Caller) -> MemoryUse:
        """What this server may use of it."""
        del request, caller
        memory = await asyncio.to_thread(self.ports.measures.machine.memory)
        return MemoryUse(
            total_bytes=memory.total_bytes,
            used_bytes=memory.used_bytes,
            available_bytes=memory.available_bytes,
            usage_percent=round(memory.percent, 1),
            swap_total_bytes=memory.swap_total_bytes,
            swap_used_bytes=memory.swap_used_bytes,
            limited=memory.limited,
        )

    @serves(Resources.storage)
    async def storage(self, request: AskResource, caller: Caller) -> StorageUse:
        """The disk, and what of it is ours."""
        del request, caller
        database = self.ports.database
        async with database.read() as tx:
            files = await count_files(tx)
        disk = await asyncio.to_thread(self.ports.measures.machine.disk)
        backups = [record for record in await self.ports.backups.listed() if record.status == "completed"]
        return StorageUse(
            total_bytes=disk.total_bytes,
            used_bytes=disk.used_bytes,
            free_bytes=disk.free_bytes,
            usage_percent=round(disk.percent, 1),
            files=files.count,
            file_bytes=files.size_bytes,
            database_bytes=await asyncio.to_thread(database_bytes, database),
            database_log_bytes=await asyncio.to_thread(lambda: database_bytes(database, log=True)),
            backups=len(backups),
            backup_bytes=sum(record.size_bytes or 0 for record in backups),
        )

    @serves(Resources.network)
    async def network(self, request: AskResource, caller: Caller) -> NetworkUse:
        """What has come and gone."""
        del request, caller
        network = await asyncio.to_thread(self.ports.measures.machine.network)
        return NetworkUse(
            rx_bytes=network.rx_bytes,
            tx_bytes=network.tx_bytes,
            connections=network.connections,
            listening=network.listening,
        )

    @serves(Resources.processes)
    async def processes(self, request: AskResource, caller: Caller) -> ProcessesUse:
        """Engines and decoders are children."""
        del request, caller
        found = await asyncio.to_thread(self.ports.measures.machine.processes)
        return ProcessesUse(
            processes=[
                ProcessUse(
                    pid=one.pid,
                    name=one.name,
                    memory_bytes=one.memory_bytes,
                    cpu_s=round(one.cpu_s, 2),
                    threads=one.threads,
                )
                for one in found
            ],
            count=len(found),
            memory_bytes=sum(one.memory_bytes for one in found),
            cpu_s=round(sum(one.cpu_s for one in found), 2),
        )

    @serves(Resources.application)
    async def application(self, request: AskResource, caller: Caller) -> ApplicationUse:
        """From our own counters."""
        del request, caller
        ports, measures = self.ports, self.ports.measures
        async with ports.database.read() as tx:
            busy = await count_busy(tx)
        late, total = measures.traffic.of_late(), measures.traffic.total
        return ApplicationUse(
            started_at=measures.started_at,
            uptime_s=round(measures.uptime_s, 3),
            active_jobs=busy.processing,
            queue_size=busy.queued,
            workers=await ports.jobs.queue.workers(),
            engines_loaded=ports.engines.loaded,
            database_connections=ports.database.connections,
            requests=total.count,
            failures=total.failures,
            error_rate=round(late.failure_percent, 2),
            avg_response_time=round(late.mean_ms, 3),
            throughput=round(late.count / measures.traffic.late_s, 3),
        )
