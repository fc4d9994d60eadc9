"""Where the database of an archive goes: to a file of SQLite, or into a PostgreSQL."""

from __future__ import annotations

import asyncio
import os
import shutil
from pathlib import Path
from typing import Final, Protocol

from attrs import define
from sqlalchemy.exc import DBAPIError

from whispercore.database.moving import check_empty, move
from whispercore.database.session import Database
from whispercore.durable import sync_folder
from whispercore.errors import BackupDamaged, DatabaseNotEmpty, InvalidOption

_BESIDE: Final = ("", "-wal", "-shm", "-journal")
"""What SQLite may have beside a database, and the database itself."""


class NewDatabase(Protocol):
    """A place for a database. All calls block."""

    def check_empty(self) -> None:
        """See that there is none.

        Raises:
            InvalidOption: There is.
        """
        ...

    def put(self, found: Path) -> None:
        """Put the database of SQLite that is in this file there: all of it, or nothing. The file is used up."""
        ...


@define
class InFile:
    """SQLite."""

    path: Path

    def check_empty(self) -> None:
        """See that there is no file."""
        for ending in _BESIDE:
            beside = self.path.with_name(self.path.name + ending)
            if beside.exists():
                raise InvalidOption("--data", f"there is a database already: {beside}. Restore into an empty folder")

    def put(self, found: Path) -> None:
        """Move it there."""
        draft = self.path.with_name(f".{self.path.name}.restored")
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            shutil.move(found, draft)
            draft.chmod(0o600)
            os.sync()
            draft.rename(self.path)  # from here on there is an installation
        except BaseException:
            draft.unlink(missing_ok=True)
            raise
        sync_folder(self.path.parent)


@define
class InPostgres:
    """PostgreSQL. Its calls may raise ``DatabaseUnreachable`` and ``Unavailable`` too."""

    url: str

    def check_empty(self) -> None:
        """See that no table has rows."""
        asyncio.run(self._check())

    def put(self, found: Path) -> None:
        """Put its rows there in one transaction, which makes the tables too, and compare them.

        Raises:
            BackupDamaged: PostgreSQL does not take them.
            RowsDiffer: It has not what it was given.
            DatabaseNotEmpty: Somebody was quicker.
        """
        try:
            asyncio.run(self._move(found))
        except (DBAPIError, TypeError, ValueError, OverflowError) as error:  # whatever is in a stranger's rows
            said = error.orig if isinstance(error, DBAPIError) else error
            raise BackupDamaged(f"PostgreSQL does not take its rows: {said}") from error

    async def _check(self) -> None:
        async with Database(self.url) as database:
            try:
                await check_empty(database)
            except DatabaseNotEmpty as error:
                raise InvalidOption("database_url", f"{error}. Restore into an empty one") from None

    async def _move(self, found: Path) -> None:
        async with Database(f"sqlite+aiosqlite:///{found}") as source, Database(self.url) as target:
            await source.upgrade()
            await move(source, target)
