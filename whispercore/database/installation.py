"""What a database says of the installation that it is of: its name, and by which fingerprints its keys are known."""

from __future__ import annotations

from uuid import uuid4

from sqlalchemy import Row, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from whispercore.database.alone import alone
from whispercore.database.tables import installation


async def installation_of(tx: AsyncConnection) -> Row[tuple[str, str | None, str | None]]:
    """The only row, which is made once. Nobody else changes it before the transaction ends.

    Args:
        tx: A transaction that writes.
    """
    await alone(tx, "installation")
    found = (await tx.execute(select(installation))).one_or_none()
    if found is None:
        await tx.execute(insert(installation).values(id=str(uuid4())))
        found = (await tx.execute(select(installation))).one()
    return found
