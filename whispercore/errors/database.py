"""What can go wrong in the database."""

from __future__ import annotations

from attrs import define

from whispercore.errors.root import WhispercoreError


@define
class SchemaTooNew(WhispercoreError):
    """The database was written by a newer version."""

    code = "schema_too_new"
    name: str
    """Whose tables: ``whispercore``, or a plugin's name."""
    version: str

    def __str__(self) -> str:
        return (
            f"the database is of a newer {self.name} (schema {self.version!r}). Install that version again, or put "
            "back the copy that was made beside the database when it was upgraded."
        )


@define
class SchemaTooOld(WhispercoreError):
    """The database has to be upgraded before this version can use it."""

    code = "schema_too_old"
    name: str
    """Whose tables: ``whispercore``, or a plugin's name."""
    version: str | None
    """None: it has no tables yet."""
    wanted: str

    def __str__(self) -> str:
        there = "has no tables yet" if self.version is None else f"has schema {self.version!r}"
        return (
            f"the database {there}, and this {self.name} needs {self.wanted!r}. Stop all servers and workers, make a "
            "backup, and run: whispercore db upgrade"
        )


@define
class DatabaseUnreachable(WhispercoreError):
    """There is no PostgreSQL where there should be one, or it does not let us in, or is not as we need it."""

    code = "database_unreachable"
    where: str
    """Without a password."""
    reason: str

    def __str__(self) -> str:
        return (
            f"the database {self.where} cannot be used: {self.reason}. Look whether it runs, and whether "
            "WHISPERCORE_DATABASE_URL, or POSTGRES_HOST and those beside it, are right."
        )


@define
class DatabaseNotEmpty(WhispercoreError):
    """All rows were to be put into a database that has some already."""

    code = "database_not_empty"
    table: str

    def __str__(self) -> str:
        return f"there are rows in {self.table} already: only an empty database can take another one's place"


@define
class RowsDiffer(WhispercoreError):
    """What a database has is not what it was given."""

    code = "rows_differ"
    table: str
    given: int
    found: int

    def __str__(self) -> str:
        return f"of {self.given} rows of {self.table}, {self.found} came back, or not as they were; nothing was kept"


@define
class DatabaseDamaged(WhispercoreError):
    """The database has damage that its own check finds."""

    code = "database_damaged"
    found: str
    """The first thing that is wrong, in SQLite's words."""

    def __str__(self) -> str:
        return f"the database is damaged: {self.found}"
