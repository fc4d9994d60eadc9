"""Bringing tables from one version of the schema to the next, with Alembic.

It is imported where tables change: most starts find the newest ones, and would take a tenth longer for its import.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Final

from attrs import frozen
from sqlalchemy import Connection, String, column, func, inspect, select, table

from whispercore.errors import SchemaTooNew, SchemaTooOld

if TYPE_CHECKING:
    from alembic.config import Config


@frozen
class Migrations:
    """The versions of some tables: ours, or a plugin's."""

    name: str
    """Whose they are. Their present version is kept in a table ``NAME_version``."""
    folder: Path
    """Where Alembic's ``env.py`` and ``versions`` are: files ``vREVISION_SUBJECT.py``, in the order of their names."""

    @property
    def version_table(self) -> str:
        """The table that holds the present version."""
        return f"{self.name}_version"

    def config(self, connection: Connection | None = None) -> Config:
        """What Alembic and ``env.py`` are told."""
        from alembic.config import Config  # noqa: PLC0415 - see the top

        config = Config(attributes={"connection": connection, "version_table": self.version_table})
        config.set_main_option("script_location", str(self.folder).replace("%", "%%"))
        config.set_main_option("path_separator", "newline")
        config.set_main_option("file_template", "v%%(rev)s_%%(slug)s")
        return config


OURS = Migrations("whispercore", Path(__file__).with_name("migrations"))

_LOCK: Final = 0x77686973706572
"""Any number that nobody else takes."""


def migrate(connection: Connection, wanted: tuple[Migrations, ...], path: Path | None) -> None:
    """Bring all to their newest version, in the connection's transaction.

    Args:
        connection: A transaction that may write.
        wanted: Whose tables.
        path: The file to copy first, if there is one.

    Raises:
        SchemaTooNew: There is a version that we do not know.
    """
    if connection.dialect.name == "postgresql":  # of two who begin at once, the other finds nothing to do
        connection.execute(select(func.pg_advisory_xact_lock(_LOCK)))
    due = [migrations for migrations in wanted if _is_due(connection, migrations)]
    if path is not None and any(current_revision(connection, migrations) for migrations in due):
        _copy(path, "-".join(f"{migrations.name}-{current_revision(connection, migrations)}" for migrations in due))
    if not due:
        return
    from alembic import command  # noqa: PLC0415 - see the top

    for migrations in due:
        command.upgrade(migrations.config(connection), "head")


def check(connection: Connection, wanted: tuple[Migrations, ...]) -> None:
    """Look whether all are of their newest version.

    Args:
        connection: To the database.
        wanted: Whose tables.

    Raises:
        SchemaTooOld: They have to be upgraded first.
        SchemaTooNew: There is a version that we do not know.
    """
    for migrations in wanted:
        if _is_due(connection, migrations):
            raise SchemaTooOld(migrations.name, current_revision(connection, migrations), newest_revision(migrations))


def current_revision(connection: Connection, migrations: Migrations) -> str | None:
    """The version that the tables have; None when there are none yet."""
    if not inspect(connection).has_table(migrations.version_table):
        return None
    revision = select(column("version_num", String)).select_from(table(migrations.version_table))
    return connection.execute(revision).scalar_one_or_none()


def known_revisions(migrations: Migrations) -> tuple[str, ...]:
    """The versions that we can bring to the newest one, and that one, which is the last."""
    files = sorted(file.stem for file in migrations.folder.glob("versions/v*.py"))
    return tuple(name[1:].split("_")[0] for name in files)


def newest_revision(migrations: Migrations) -> str:
    """The version that we bring them to."""
    return known_revisions(migrations)[-1]


def _is_due(connection: Connection, migrations: Migrations) -> bool:
    current = current_revision(connection, migrations)
    if current is not None and current not in known_revisions(migrations):
        raise SchemaTooNew(migrations.name, current)
    return current != newest_revision(migrations)


def _copy(path: Path, version: str) -> None:
    """Beside the file; what has been committed until now. A copy of the same version is replaced."""
    copy = path.with_name(f"{path.name}.before-{version}")
    unfinished = copy.with_name(f"{copy.name}.tmp")
    unfinished.unlink(missing_ok=True)
    unfinished.touch(mode=0o600)
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(unfinished)) as target:
        source.backup(target)
    unfinished.replace(copy)
