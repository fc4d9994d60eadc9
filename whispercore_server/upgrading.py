"""The tables of an installation, brought from one version to the next: what the commands do."""

from __future__ import annotations

import asyncio
from pathlib import Path

from sqlalchemy.exc import DBAPIError

from whispercore.database.migrating import OURS, newest_revision
from whispercore.database.session import SQLITE, Database, parsed
from whispercore.errors import InvalidOption
from whispercore_server.errors import CannotStart
from whispercore_server.settings import ServerSettings


async def upgrade(settings: ServerSettings) -> str:
    """Bring the tables to the newest version.

    Returns:
        What was done, for people.

    Raises:
        DatabaseUnreachable: It cannot be reached.
        SchemaTooNew: A newer version of whispercore has written it.
        CannotStart: It cannot be changed.
    """
    newest = newest_revision(OURS)
    async with Database(settings.database_url) as database:
        before = await database.revision()
        try:
            await database.upgrade()
        except DBAPIError as error:
            raise CannotStart(f"the database cannot be upgraded: {error.orig}") from error
    if before == newest:
        return f"nothing to do: the database has schema {newest}"
    return f"the database has schema {newest}; it had {'no tables' if before is None else f'schema {before}'}"


async def check(settings: ServerSettings) -> str:
    """Look whether a server could use the database as it is.

    Returns:
        What it has, for people.

    Raises:
        InvalidOption: There is no installation in the folder.
        DatabaseUnreachable: It cannot be reached.
        SchemaTooOld: It has to be upgraded first.
        SchemaTooNew: A newer version of whispercore has written it.
    """
    url = parsed(settings.database_url)
    if url.drivername == SQLITE and not await asyncio.to_thread(Path(url.database or "").is_file):
        raise InvalidOption("--data", f"there is no installation in {settings.data}")
    async with Database(settings.database_url) as database:
        await database.check()
    return f"the database can be used: it has schema {newest_revision(OURS)}"
