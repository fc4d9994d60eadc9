"""How much of the disk each user may have."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncConnection

from whispercore.database.alone import alone
from whispercore.database.session import Database
from whispercore.errors import QuotaExceeded
from whispercore.files.manifest import count_bytes
from whispercore.people.caller import Caller
from whispercore.uploads.rows import count_open


class Quota:
    """Looks whether more may be stored. What uploads have announced that are still open counts as if it were here.

    Args:
        database: Where the rows of files and uploads are.
        quota_bytes: What each user may have; None for no limit.
    """

    def __init__(self, database: Database, quota_bytes: int | None) -> None:
        self._database = database
        self.quota_bytes = quota_bytes

    async def check(self, caller: Caller, needed_bytes: int) -> None:
        """Refuse what does not fit any more.

        Raises:
            QuotaExceeded: It does not.
        """
        if self.quota_bytes is not None:
            async with self._database.read() as connection:
                await self.check_in(connection, caller.user_id, needed_bytes)

    async def check_in(self, connection: AsyncConnection, owner_id: str, needed_bytes: int) -> None:
        """The same in a transaction of the caller, so that nothing comes in between.

        Raises:
            QuotaExceeded: It does not fit.
        """
        if self.quota_bytes is None:
            return
        await alone(connection, "uploads", owner_id)
        used_bytes = await count_bytes(connection, owner_id) + (await count_open(connection, owner_id))[1]
        if used_bytes + needed_bytes > self.quota_bytes:
            raise QuotaExceeded(self.quota_bytes, used_bytes, needed_bytes)
