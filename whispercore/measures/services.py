"""The services that an installation stands on, each really asked, and within a time."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final, Literal, Protocol, runtime_checkable

from attrs import define, field, frozen

from whispercore.clock import Clock
from whispercore.errors import WhispercoreError

Status = Literal["healthy", "degraded", "unhealthy", "starting", "not_configured"]
Whole = Literal["healthy", "degraded", "unhealthy"]
LIMIT_S: Final = 2.0
"""How long a service has for its answer."""
_VITAL: Final = frozenset({"database", "storage"})
"""Without these nothing works; without others something does."""


class _Otherwise(Exception):
    """A service that is neither healthy nor unhealthy; the message says why."""

    status: Status


class NotConfigured(_Otherwise):
    """The installation does without this service."""

    status = "not_configured"

    def __init__(self) -> None:
        super().__init__("this installation does without it")


class Starting(_Otherwise):
    """It was not seen at work yet, and nothing is wrong with it so far; the message says what is awaited."""

    status = "starting"


class Degraded(_Otherwise):
    """It works, but not as it should; the message says why."""

    status = "degraded"


class Probe(Protocol):
    """Asks a service."""

    async def __call__(self) -> str:
        """In a few words, how it is when it is healthy.

        Raises:
            NotConfigured: It is not used.
            Starting: It was not seen at work yet.
            Degraded: It works, but not as it should.
            Exception: It is unhealthy.
        """
        ...


@runtime_checkable
class Lasting(Protocol):
    """A probe that looks by itself now and then, and tells what it has seen last."""

    @property
    def checked_at(self) -> datetime | None:
        """When that was; None before it has looked."""
        ...

    async def run(self) -> None:
        """Look now and then, until cancelled."""
        ...

    async def close(self) -> None:
        """End what it is doing."""
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
    """When it was seen like that."""


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

    async def run(self) -> None:
        """Have those probes look that do so by themselves, until cancelled."""
        async with asyncio.TaskGroup() as group:
            for probe in self._lasting():
                group.create_task(probe.run())

    async def close(self) -> None:
        """End what probes have begun."""
        for probe in self._lasting():
            await probe.close()

    def _lasting(self) -> list[Lasting]:
        return [probe for probe in self.probes.values() if isinstance(probe, Lasting)]

    async def _asked(self, name: str, probe: Probe) -> Service:
        began_s = self.clock.monotonic()
        status, detail = await self._answer(probe)
        seen_at = probe.checked_at if isinstance(probe, Lasting) else None
        return Service(
            name=name,
            status=status,
            detail=detail,
            latency_ms=round(1000 * (self.clock.monotonic() - began_s), 3),
            checked_at=seen_at or self.clock.now(),
        )

    async def _answer(self, probe: Probe) -> tuple[Status, str]:
        try:
            async with asyncio.timeout(self.limit_s):
                return "healthy", await probe()
        except TimeoutError:
            return "unhealthy", f"no answer within {self.limit_s:g} s"
        except _Otherwise as reason:
            return reason.status, str(reason)
        except (WhispercoreError, OSError) as error:
            return "unhealthy", str(error)
        except Exception as error:  # noqa: BLE001 (a probe tells what is wrong, whatever it is)
            return "unhealthy", type(error).__name__


def whole(services: Iterable[Service]) -> Whole:
    """How all of it is. What is not configured does not matter, nor what is still starting."""
    states = {service.name: service.status for service in services}
    if any(states.get(name) == "unhealthy" for name in _VITAL):
        return "unhealthy"
    return "degraded" if {"unhealthy", "degraded"} & set(states.values()) else "healthy"
