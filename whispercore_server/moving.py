"""An installation, moved from SQLite to PostgreSQL: what the command does."""

from __future__ import annotations

import asyncio
from pathlib import Path

from sqlalchemy.exc import DBAPIError

from whispercore.database.moving import Moved, move
from whispercore.database.session import POSTGRESQL, Database, parsed
from whispercore.errors import InvalidOption
from whispercore.jobs.table import Jobs
from whispercore_server import data_folder
from whispercore_server.errors import CannotStart
from whispercore_server.settings import ServerSettings


async def to_postgres(settings: ServerSettings) -> list[Moved]:
    """Put all that is in the SQLite of the data folder into an empty PostgreSQL, and compare.

    The SQLite stays as it is. No server or worker may be at work.

    Args:
        settings: Where both are: ``database_url`` is the PostgreSQL.

    Raises:
        InvalidOption: There is no PostgreSQL in the settings, or no installation in the folder.
        CannotStart: A server or worker is at work, or the rows cannot be written.
        DatabaseUnreachable: The PostgreSQL cannot be used.
        DatabaseNotEmpty: There is something in it.
        RowsDiffer: It has not what it was given; nothing was kept.
    """
    if parsed(settings.database_url).drivername != POSTGRESQL:
        raise InvalidOption(
            "--to", "name the PostgreSQL, such as postgresql://whispercore:…@db.example.com/whispercore"
        )
    path = settings.data / "whispercore.db"
    if not await asyncio.to_thread(Path.is_file, path):
        raise InvalidOption("--data", f"there is no installation with an SQLite database in {settings.data}")
    with data_folder.held(settings.data):
        async with (
            Database(f"sqlite+aiosqlite:///{path}") as source,
            Database(settings.database_url) as target,
        ):
            await source.upgrade()
            if await Jobs(source).queue.workers():
                raise CannotStart(f"a worker is at work in {settings.data}: stop it, or wait a minute if it has ended")
            try:
                return await move(source, target)
            except DBAPIError as error:
                raise CannotStart(f"the rows cannot be written: {error.orig}") from error
