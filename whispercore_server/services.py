"""The services that a server stands on, looked at together at a start: what is wrong is said at once."""

from __future__ import annotations

import asyncio

from whispercore.database.session import Database
from whispercore.errors import WhispercoreError
from whispercore_server.errors import CannotStart
from whispercore_server.limiting.counters import Counters
from whispercore_server.settings import ServerSettings
from whispercore_server.storage import check_storage


async def check_services(settings: ServerSettings, database: Database, counters: Counters) -> None:
    """See that the store of recordings and PostgreSQL can be used.

    A Redis that is away keeps nobody from starting, but is named beside the others, which are put right in one go.

    Raises:
        InvalidOption: The store of recordings cannot be used, and nothing else is wrong.
        DatabaseUnreachable: PostgreSQL cannot be used, and nothing else is wrong.
        CannotStart: Several are wrong.
    """
    checks = [check_storage(settings)]
    if database.dialect != "sqlite":  # which would be made here, and is not a service
        checks.append(database.connect())
    *found, redis = await asyncio.gather(*checks, counters.redis(), return_exceptions=True)
    wrong = [one for one in found if isinstance(one, BaseException)]
    for one in wrong:
        if not isinstance(one, WhispercoreError):
            raise one
    if not wrong:
        return
    told = [str(one).rstrip(".") for one in wrong]
    if redis == "unhealthy":
        told.append("redis_url: the Redis does not answer, so each server would count limits for itself")
    if len(told) == 1:
        raise wrong[0]
    numbered = "; ".join(f"({number}) {one}" for number, one in enumerate(told, 1))
    raise CannotStart(f"{len(told)} services cannot be used: {numbered}")
