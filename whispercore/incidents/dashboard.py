"""Figures for the dashboard: all counted at the moment when somebody asks."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from attrs import frozen
from sqlalchemy import ColumnElement, Select, and_, case, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from whispercore.audit.event import EventType
from whispercore.database.session import Database
from whispercore.database.tables import api_keys, audit_events, incidents, login_failures, sessions, users
from whispercore.incidents.detection import UNRESOLVED

VIOLATIONS: Final[tuple[EventType, ...]] = (
    "suspicious_input",
    "csrf_failure",
    "token_reuse",
    "api_key_used_after_revocation",
    "authorization_failure",
    "audit_broken",
)
"""What was refused because it looked like an attack, or like somebody who has no right to it."""
_DAY: Final = timedelta(hours=24)


@frozen(kw_only=True)
class Figures:
    """How it stands; ``24h`` means the last day, the other counts of events are of the period that was asked for."""

    active_sessions: int
    failed_attempts_24h: int
    rate_limit_hits_24h: int
    unresolved_incidents: int
    api_keys_active: int
    audit_events_24h: int
    total_events: int
    security_violations: int
    auth_failures: int
    rate_limit_violations: int
    open_incidents: int
    """Opened in the period, and not resolved."""
    banned_addresses: int
    risk_score: int
    previous_risk_score: int
    """Of the period before."""


async def figures(database: Database, period: timedelta) -> Figures:
    """Count everything, in one state of the database."""
    now = database.now()
    async with database.read() as tx:
        row = (await tx.execute(_of_events(now, period))).one()
        return Figures(
            active_sessions=await _count(
                tx,
                select(func.count())
                .select_from(sessions.join(users, users.c.id == sessions.c.user_id))
                .where(sessions.c.ended_at.is_(None), sessions.c.expires_at > now, users.c.is_active),
            ),
            failed_attempts_24h=row.failed_attempts_24h,
            rate_limit_hits_24h=row.rate_limit_hits_24h,
            unresolved_incidents=await _count(
                tx, select(func.count()).select_from(incidents).where(incidents.c.status.in_(UNRESOLVED))
            ),
            api_keys_active=await _count(
                tx,
                select(func.count())
                .select_from(api_keys.join(users, users.c.id == api_keys.c.user_id))
                .where(
                    api_keys.c.revoked_at.is_(None),
                    or_(api_keys.c.expires_at.is_(None), api_keys.c.expires_at > now),
                    users.c.is_active,
                ),
            ),
            audit_events_24h=row.audit_events_24h,
            total_events=row.total_events,
            security_violations=row.security_violations,
            auth_failures=row.auth_failures,
            rate_limit_violations=row.rate_limit_violations,
            open_incidents=await _count(
                tx,
                select(func.count())
                .select_from(incidents)
                .where(incidents.c.status.in_(UNRESOLVED), incidents.c.opened_at > now - period),
            ),
            banned_addresses=await _count(
                tx,
                select(func.count(login_failures.c.network.distinct())).where(login_failures.c.locked_until > now),
            ),
            risk_score=row.risk_score,
            previous_risk_score=row.previous_risk_score,
        )


def _of_events(now: datetime, period: timedelta) -> Select[*tuple[Any, ...]]:
    table = audit_events.c
    in_day, in_period = table.at > now - _DAY, table.at > now - period
    before = and_(table.at > now - 2 * period, table.at <= now - period)
    return select(
        _sum(table.occurrences, in_day).label("audit_events_24h"),
        _sum(table.occurrences, and_(in_day, table.event_type == "auth_failure")).label("failed_attempts_24h"),
        _sum(table.occurrences, and_(in_day, table.event_type == "rate_limit_violation")).label("rate_limit_hits_24h"),
        _sum(table.occurrences, in_period).label("total_events"),
        _sum(table.occurrences, and_(in_period, table.event_type.in_(VIOLATIONS))).label("security_violations"),
        _sum(table.occurrences, and_(in_period, table.event_type == "auth_failure")).label("auth_failures"),
        _sum(table.occurrences, and_(in_period, table.event_type == "rate_limit_violation")).label(
            "rate_limit_violations"
        ),
        _sum(table.occurrences * table.risk_score, in_period).label("risk_score"),
        _sum(table.occurrences * table.risk_score, before).label("previous_risk_score"),
    ).where(table.at > now - max(_DAY, 2 * period))


def _sum(what: ColumnElement[int], where: ColumnElement[bool]) -> ColumnElement[int]:
    return func.coalesce(func.sum(case((where, what), else_=0)), 0)


async def _count(tx: AsyncConnection, statement: Select[Any]) -> int:
    count: int = (await tx.execute(statement)).scalar_one()
    return count
