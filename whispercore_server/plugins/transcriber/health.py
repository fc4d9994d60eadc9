"""Answers of ``api.transcriber.health``."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Final

from attrs import astuple, define
from sqlalchemy import select

from whispercore.api.transcriber.health import Alive, Checks, Health, Probe, Ready
from whispercore.errors import WhispercoreError
from whispercore.people.caller import Caller
from whispercore_server.plugin import Reply, serves
from whispercore_server.ports import Ports

_HEALTHY: Final = "healthy"
_LIMIT_S: Final = 2.0


@define
class HealthHandlers:
    """Answers probes."""

    ports: Ports

    @serves(Health.live)
    async def live(self, request: Probe, caller: Caller) -> Alive:
        """That it answers is the answer."""
        del request, caller
        return Alive(alive=True, timestamp=self.ports.clock.now())

    @serves(Health.ready)
    async def ready(self, request: Probe, caller: Caller) -> Reply[Ready]:
        """503 when something is wrong, and what."""
        del request, caller
        database, storage, worker = await asyncio.gather(
            _looked_at(self._database()), _looked_at(self._storage()), _looked_at(self._worker())
        )
        checks = Checks(database=database, storage=storage, worker=worker)
        ready = set(astuple(checks)) == {_HEALTHY}
        return Reply(
            body=Ready(ready=ready, checks=checks, timestamp=self.ports.clock.now()), status=200 if ready else 503
        )

    async def _database(self) -> str:
        async with self.ports.database.read() as tx:
            await tx.execute(select(1))
        return _HEALTHY

    async def _storage(self) -> str:
        return _HEALTHY if await self.ports.files.has_room() else "there is no room for more recordings"

    async def _worker(self) -> str:
        return _HEALTHY if await self.ports.jobs.queue.workers() else "no worker is there"


async def _looked_at(check: Awaitable[str]) -> str:
    try:
        async with asyncio.timeout(_LIMIT_S):
            return await check
    except TimeoutError:
        return f"no answer within {_LIMIT_S:g} s"
    except (WhispercoreError, OSError) as error:
        return str(error)
    except Exception as error:  # noqa: BLE001 (a probe tells what is wrong, whatever it is)
        return type(error).__name__
