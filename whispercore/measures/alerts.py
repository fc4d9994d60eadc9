"""What somebody should look at: figures beyond their limits, and services that do not work."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from attrs import evolve, frozen
from sqlalchemy import Row, delete, insert, select

from whispercore.audit.event import AuditEvent
from whispercore.audit.trail import Audit
from whispercore.database.alone import alone
from whispercore.database.session import Database
from whispercore.database.tables import acknowledgements
from whispercore.errors import NotFound
from whispercore.measures.figures import Figures
from whispercore.measures.samples import Sample
from whispercore.measures.services import Service
from whispercore.people.caller import Caller

Level = Literal["warning", "critical"]
LOOKED_BACK: Final = timedelta(hours=24)
"""How far is looked back for when an alert began."""

_ABOUT_SERVICES: Final = "service_"


@frozen(kw_only=True)
class Rule:
    """When a figure is beyond its limits."""

    name: str
    title: str
    value: Callable[[Figures], float]
    warning: float
    critical: float | None
    """None where it is never that bad."""
    unit: str = "%"

    def level(self, value: float) -> Level | None:
        """How bad a value is; None when it is good."""
        if self.critical is not None and value >= self.critical:
            return "critical"
        return "warning" if value >= self.warning else None


RULES: Final = (
    Rule(name="cpu_usage", title="The processors are busy", value=lambda f: f.cpu_percent, warning=80, critical=90),
    Rule(name="memory_usage", title="Memory is short", value=lambda f: f.memory_percent, warning=85, critical=95),
    Rule(name="disk_usage", title="The disk is nearly full", value=lambda f: f.disk_percent, warning=90, critical=95),
    Rule(name="error_rate", title="Requests fail", value=lambda f: f.failure_percent, warning=5, critical=10),
    Rule(
        name="queue_size",
        title="Many jobs wait",
        value=lambda f: f.queue_size,
        warning=101,
        critical=None,
        unit="jobs",
    ),
)


@frozen(kw_only=True)
class Alert:
    """Something to look at."""

    id: str
    """Stable for as long as it lasts: what it is about, and how bad it is."""
    name: str
    level: Level
    message: str
    value: float
    limit: float
    since: datetime
    acknowledged_at: datetime | None = None
    acknowledged_by: str | None = None
    """Id of a user."""


class Alerts:
    """Alerts as they are now, and who has seen them.

    Args:
        database: Where it is kept who has seen them.
        audit: Where it is noted.
    """

    def __init__(self, database: Database, audit: Audit) -> None:
        self._database = database
        self._audit = audit

    async def now(self, figures: Figures, services: Iterable[Service], history: Sequence[Sample]) -> list[Alert]:
        """All alerts.

        Args:
            figures: Of now.
            services: As they are now.
            history: Samples, the oldest first.
        """
        found = [*_of_figures(figures, history, self._database.now()), *_of_services(services)]
        seen = await self._settled({alert.id for alert in found}, services_too=True)
        return [
            evolve(alert, acknowledged_at=seen[alert.id].at, acknowledged_by=seen[alert.id].user_id)
            if alert.id in seen
            else alert
            for alert in found
        ]

    async def settle(self, figures: Figures) -> None:
        """Notice which alerts about figures are over."""
        present = {alert.id for alert in _of_figures(figures, (), self._database.now())}
        await self._settled(present, services_too=False)

    async def _settled(self, present: AbstractSet[str], *, services_too: bool) -> dict[str, Row[Any]]:
        """Acknowledgements of alerts that are there. Others are forgotten, so that the next such alert is a new one."""
        wanted = select(acknowledgements.c.alert, acknowledgements.c.user_id, acknowledgements.c.at)
        seen: dict[str, Row[Any]] = {row.alert: row for row in await self._database.rows(wanted)}
        over = {alert for alert in seen.keys() - present if services_too or not alert.startswith(_ABOUT_SERVICES)}
        if over:
            async with self._database.write() as tx:
                await tx.execute(delete(acknowledgements).where(acknowledgements.c.alert.in_(over)))
        return {alert: row for alert, row in seen.items() if alert not in over}

    async def acknowledge(self, alert_id: str, caller: Caller, present: Iterable[Alert]) -> Alert:
        """Say that somebody has seen one; the first who does is remembered.

        Args:
            alert_id: The alert.
            caller: Who has seen it.
            present: All alerts of now.

        Raises:
            NotFound: There is no such alert now.
        """
        alert = next((one for one in present if one.id == alert_id), None)
        if alert is None:
            raise NotFound("alert", alert_id)
        if alert.acknowledged_at is not None:
            return alert
        now = self._database.now()
        async with self._database.write() as tx:
            await alone(tx, "alert", alert_id)
            known = select(acknowledgements.c.alert).where(acknowledgements.c.alert == alert_id)
            if (await tx.execute(known)).first() is None:
                await tx.execute(insert(acknowledgements).values(alert=alert_id, user_id=caller.user_id, at=now))
                await self._audit.append(tx, caller, _seen(alert))
        return evolve(alert, acknowledged_at=now, acknowledged_by=caller.user_id)


def _seen(alert: Alert) -> AuditEvent:
    return AuditEvent(
        event_type="admin_action",
        action="acknowledge an alert",
        resource_type="alert",
        resource_id=alert.id,
        details={"message": alert.message},
    )


def _of_figures(figures: Figures, history: Sequence[Sample], now: datetime) -> Iterable[Alert]:
    for rule in RULES:
        value = rule.value(figures)
        level = rule.level(value)
        if level is not None:
            limit = rule.critical if level == "critical" and rule.critical is not None else rule.warning
            yield Alert(
                id=f"{rule.name}.{level}",
                name=rule.name,
                level=level,
                message=f"{rule.title}: {value:.4g} {rule.unit}, from {limit:g} on it is {level}",
                value=round(value, 2),
                limit=limit,
                since=_since(rule, limit, history, now),
            )


def _since(rule: Rule, limit: float, history: Sequence[Sample], now: datetime) -> datetime:
    """The time of the oldest sample without a good one after it."""
    since = now
    for sample in reversed(history):
        if rule.value(sample.figures) < limit:
            break
        since = sample.at
    return since


def _of_services(services: Iterable[Service]) -> Iterable[Alert]:
    for service in services:
        if service.status in ("unhealthy", "degraded"):
            level: Level = "critical" if service.status == "unhealthy" else "warning"
            yield Alert(
                id=f"{_ABOUT_SERVICES}{service.name}.{level}",
                name=f"{_ABOUT_SERVICES}{service.name}",
                level=level,
                message=f"{service.name} is {service.status}: {service.detail}",
                value=0.0,
                limit=1.0,
                since=service.checked_at,
            )
