"""The services that an installation stands on, each really asked, and within a time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import datetime
from typing import Final, Literal, Protocol, runtime_checkable

from attrs import define, field, frozen

from whispercore.clock import Clock
from whispercore.errors import WhispercoreError

Status = Literal["healthy", "degraded", "unhealthy", "not_configured"]
Whole = Literal["healthy", "degraded", "unhealthy"]
LIMIT_S: Final = 2.0
"""How long a service has for its answer."""
_VITAL: Final = frozenset({"database", "storage"})
"""Without these nothing works; without others something does."""


class NotConfigured(Exception):
    """The installation does without this service."""


class Degraded(Exception):
    """It works, but not as it should; the message says why."""


Probe = Callable[[], Awaitable[str]]
"""Asks a service; tells in a few words how it is, or raises. ``NotConfigured`` and ``Degraded`` are no failures."""


@runtime_checkable
class Lasting(Protocol):
    """A probe that goes on with something after its answer."""

    async def close(self) -> None:
        """Wait for it."""
        ...


@frozen(kw_only=True)
class Service:
    """How a service is."""

    name: str
    status: Status
    detail: str
    """In words."""
    latency_ms: float
    """How long its answer took."""
    checked_at: datetime


@define
class Services:
    """Asks services.

    Args:
        clock: By whose time.
        probes: What asks each, by name.
        limit_s: How long each has for its answer.
    """

    clock: Clock
    probes: Mapping[str, Probe] = field(factory=dict)
    limit_s: float = LIMIT_S

    async def look(self) -> list[Service]:
        """Ask all of them, at the same time."""
        return list(await asyncio.gather(*(self._asked(name, probe) for name, probe in self.probes.items())))

    async def close(self) -> None:
        """Wait for what probes have begun."""
        for probe in self.probes.values():
            if isinstance(probe, Lasting):
                await probe.close()

    async def _asked(self, name: str, probe: Probe) -> Service:
        began_s = self.clock.monotonic()
        status, detail = await self._answer(probe)
        return Service(
            name=name,
            status=status,
            detail=detail,
            latency_ms=round(1000 * (self.clock.monotonic() - began_s), 3),
            checked_at=self.clock.now(),
        )

    async def _answer(self, probe: Probe) -> tuple[Status, str]:
        try:
            async with asyncio.timeout(self.limit_s):
                return "healthy", await probe()
        except TimeoutError:
            return "unhealthy", f"no answer within {self.limit_s:g} s"
        except NotConfigured:
            return "not_configured", "this installation does without it"
        except Degraded as reason:
            return "degraded", str(reason)
        except (WhispercoreError, OSError) as error:
            return "unhealthy", str(error)
        except Exception as error:  # noqa: BLE001 (a probe tells what is wrong, whatever it is)
            return "unhealthy", type(error).__name__


def whole(services: Iterable[Service]) -> Whole:
    """How all of it is. What is not configured does not matter."""
    states = {service.name: service.status for service in services}
    if any(states.get(name) == "unhealthy" for name in _VITAL):
        return "unhealthy"
    return "degraded" if {"unhealthy", "degraded"} & set(states.values()) else "healthy"
