"""What API keys did on each day, in UTC."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Final

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from whispercore.database.tables import api_key_days, api_keys
from whispercore.database.upsert import upsert

KEPT_DAYS: Final = 400
"""A year, and some to compare with."""


def day_of(moment: datetime) -> str:
    """The day of a moment in UTC, as it is kept: ``2026-11-25``."""
    return moment.date().isoformat()


def midnight_after(moment: datetime) -> datetime:
    """When the day of a moment in UTC ends."""
    return moment.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)


async def add(tx: AsyncConnection, key_id: str, day: str, *, requests: int = 0, reserved: int = 0) -> None:
    """Add to the counts of a key's day. Nothing happens when the key is gone."""
    if (await tx.execute(select(api_keys.c.id).where(api_keys.c.id == key_id))).first():
        row = {"key_id": key_id, "day": day, "requests": requests, "reserved": reserved}
        more = {
            "requests": api_key_days.c.requests + requests,
            "reserved": api_key_days.c.reserved + reserved,
        }
        await upsert(tx, api_key_days, row, more)


async def reserved(tx: AsyncConnection, key_id: str, day: str) -> int:
    """How much of a day's quota was taken so far."""
    query = select(api_key_days.c.reserved).where(api_key_days.c.key_id == key_id, api_key_days.c.day == day)
    return (await tx.execute(query)).scalar_one_or_none() or 0


async def requests_since(tx: AsyncConnection, key_id: str, first: date) -> Mapping[str, int]:
    """Requests by day, of those days on which there were any."""
    query = select(api_key_days.c.day, api_key_days.c.requests).where(
        api_key_days.c.key_id == key_id, api_key_days.c.day >= first.isoformat()
    )
    return {row.day: row.requests for row in await tx.execute(query)}


async def forget_before(tx: AsyncConnection, first: date) -> None:
    """Remove what is older than this day."""
    await tx.execute(delete(api_key_days).where(api_key_days.c.day < first.isoformat()))
