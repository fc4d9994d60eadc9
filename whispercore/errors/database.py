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
class DatabaseDamaged(WhispercoreError):
    """The database has damage that its own check finds."""

    code = "database_damaged"
    found: str
    """The first thing that is wrong, in SQLite's words."""

    def __str__(self) -> str:
        return f"the database is damaged: {self.found}"
