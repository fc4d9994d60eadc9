"""Makes incidents while events are written, in the same transaction: nothing is lost with a process."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from attrs import frozen
from sqlalchemy import func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from whispercore.audit.chain import Written
from whispercore.audit.event import AuditEvent
from whispercore.database.tables import audit_events, incidents
from whispercore.ids import Ids
from whispercore.incidents.rules import RULES, Rule

UNRESOLVED: Final = ("open", "investigating")


class Detection:
    """Holds events against the rules. It remembers nothing itself, so that any number of processes may do so.

    Args:
        ids: Names for incidents.
        rules: What to look for.
    """

    def __init__(self, ids: Ids, rules: Sequence[Rule] = RULES) -> None:
        self._ids = ids
        self._rules: Mapping[str, Sequence[Rule]] = {
            kind: [rule for rule in rules if kind in rule.event_types]
            for kind in {kind for rule in rules for kind in rule.event_types}
        }

    async def written(self, tx: AsyncConnection, events: Sequence[Written]) -> Sequence[AuditEvent]:
        """Open or continue incidents for these events, which were written in this transaction.

        Returns:
            What the trail should say about that.
        """
        news: dict[tuple[str, str], _News] = {}
        told: list[AuditEvent] = []
        counts: defaultdict[tuple[str, str], int] = defaultdict(int)
        for event in events:
            for rule in self._rules.get(event["event_type"], ()):
                subject = "" if rule.subject == "everything" else event[rule.subject]
                if subject is not None:
                    counts[rule.name, subject] += event["occurrences"]
                    news[rule.name, subject] = _News(rule=rule, subject=subject, at=event["at"])
        for key, one in news.items():
            if not await self._continued(tx, one, counts[key]):
                told += await self._opened(tx, one)
        return told

    async def _continued(self, tx: AsyncConnection, news: _News, count: int) -> bool:
        """Whether there is an incident about this already, which now has more events."""
        changed = await tx.execute(
            update(incidents)
            .where(
                incidents.c.rule == news.rule.name,
                incidents.c.subject == news.subject,
                incidents.c.status.in_(UNRESOLVED),
            )
            .values(event_count=incidents.c.event_count + count, last_event_at=news.at)
        )
        return changed.rowcount > 0

    async def _opened(self, tx: AsyncConnection, news: _News) -> Sequence[AuditEvent]:
        rule = news.rule
        count = await self._count(tx, news)
        if count < rule.threshold:
            return ()
        incident_id = self._ids.new()
        await tx.execute(
            insert(incidents),
            {
                "id": incident_id,
                "rule": rule.name,
                "subject": news.subject,
                "title": rule.title.format(subject=news.subject),
                "severity": rule.severity,
                "status": "open",
                "opened_at": news.at,
                "last_event_at": news.at,
                "event_count": count,
            },
        )
        return (
            AuditEvent(
                event_type="incident_opened",
                action="open an incident",
                severity=rule.severity,
                resource_type="incident",
                resource_id=incident_id,
                details={"rule": rule.name, "subject": news.subject, "events": count},
            ),
        )

    async def _count(self, tx: AsyncConnection, news: _News) -> int:
        """Events within the time of the rule; those before the last incident about this was resolved are dealt with."""
        rule = news.rule
        dealt_with: datetime | None = (
            await tx.execute(
                select(func.max(incidents.c.resolved_at)).where(
                    incidents.c.rule == rule.name, incidents.c.subject == news.subject
                )
            )
        ).scalar_one()
        wanted = select(func.coalesce(func.sum(audit_events.c.occurrences), 0)).where(
            audit_events.c.event_type.in_(rule.event_types),
            audit_events.c.at >= news.at - timedelta(seconds=rule.within_s),
        )
        if rule.subject != "everything":
            wanted = wanted.where(audit_events.c[rule.subject] == news.subject)
        if dealt_with is not None:
            wanted = wanted.where(audit_events.c.at > dealt_with)
        count: int = (await tx.execute(wanted)).scalar_one()
        return count


@frozen(kw_only=True)
class _News:
    """What a rule has to be asked about."""

    rule: Rule
    subject: str
    at: datetime
