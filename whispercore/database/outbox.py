"""The outbox: what others are to be told, committed together with what has happened, so that neither is ever alone."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from whispercore.database.tables import outbox


async def put(tx: AsyncConnection, *, id: str, topic: str, payload: str, now: datetime) -> None:  # noqa: A002
    """Have others told when the transaction commits.

    Args:
        tx: The transaction that does what they are told of.
        id: Of the message; those that are greater are delivered later.
        topic: What it is about, for instance ``job.completed``.
        payload: JSON.
        now: When it happened.
    """
    await tx.execute(insert(outbox).values(id=id, topic=topic, payload=payload, created_at=now))


async def forget(tx: AsyncConnection, before: datetime) -> None:
    """Drop what is older, delivered or not."""
    await tx.execute(delete(outbox).where(outbox.c.created_at < before))
