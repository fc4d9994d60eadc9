"""One transaction at a time, where a row that others would wait for is not there yet."""

from __future__ import annotations

import hashlib

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection


async def alone(tx: AsyncConnection, *what: str) -> None:
    """Wait until no other transaction is between here and its end with the same words.

    What is read behind it is then still so when it is written. With SQLite, whoever writes is alone already.

    Args:
        tx: A transaction that writes.
        what: What is done, and to what.
    """
    if tx.dialect.name == "postgresql":
        await tx.execute(select(func.pg_advisory_xact_lock(number_of(*what))))


def number_of(*words: str) -> int:
    """The number of PostgreSQL's lock that has this name."""
    digest = hashlib.blake2b("\0".join(words).encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, signed=True)
