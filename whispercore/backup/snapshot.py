"""The database as it is at one moment, held still while everybody goes on."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Final, Self

from attrs import frozen

from whispercore.errors import Cancelled, DatabaseDamaged

_TOGETHER: Final = 2000
"""Rows that are asked for at once."""
_PAGES: Final = 2048
"""Pages that are copied between two looks whether to go on: 8 MB."""
_STEPS: Final = 100_000
"""Steps of SQLite's machine between two looks whether to go on: a few milliseconds."""
_VERSION: Final = "_version"


@frozen(kw_only=True)
class StoredPart:
    """A part of a file, as its rows say."""

    file_id: str
    staged_in: str
    """The folder that the file came in in."""
    number: int
    size_bytes: int
    checksum: str
    """Of what lies in the store."""
    stored_bytes: int


class Snapshot:
    """A transaction that reads, on a connection of its own. All its methods block.

    Args:
        path: The file of the database.
        immutable: Whether nobody else has the file open: then it is read without any locks and side files.

    Raises:
        sqlite3.Error: It cannot be read.
    """

    def __init__(self, path: Path, *, immutable: bool = False) -> None:
        uri = f"{path.absolute().as_uri()}?mode=ro{'&immutable=1' if immutable else ''}"
        self._connection = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False)
        try:
            self._connection.execute("PRAGMA trusted_schema = OFF")
            self._connection.execute("PRAGMA busy_timeout = 15000")
            self._connection.execute("BEGIN")
            # The moment is that of the first read, not that of BEGIN.
            self._connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        except BaseException:
            self._connection.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let it go. Twice does nothing."""
        self._connection.close()

    def end_when(self, stopped: threading.Event) -> None:
        """Break off what it is reading when this is set."""
        self._connection.set_progress_handler(stopped.is_set, _STEPS)

    def copy(self, target: Path, stopped: threading.Event) -> None:
        """Copy it to a file that is readable by this user only.

        Args:
            target: The file, which is made.
            stopped: Set when it is not wanted any more.

        Raises:
            Cancelled: It was stopped.
            sqlite3.Error: The disk is full, or something worse.
            OSError: The file cannot be made.
        """
        target.touch(mode=0o600, exist_ok=False)

        def look(_: int, __: int, ___: int) -> None:
            if stopped.is_set():
                raise Cancelled

        with closing(sqlite3.connect(target)) as copy:
            # Within the transaction, so that no writer makes it begin anew.
            self._connection.backup(copy, pages=_PAGES, progress=look)

    def check(self) -> None:
        """Look for damage.

        Raises:
            DatabaseDamaged: There is some.
        """
        try:
            found = self._connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        except sqlite3.DatabaseError as error:
            found = str(error)
        if found != "ok":
            raise DatabaseDamaged(str(found))

    def schemas(self) -> dict[str, str]:
        """The version of the tables, by whose they are."""
        found: dict[str, str] = {}
        for table in self._tables():
            if table.endswith(_VERSION):
                with suppress(sqlite3.Error, TypeError):
                    (version,) = self._connection.execute(f'SELECT version_num FROM "{table}"').fetchone()  # noqa: S608
                    found[table.removesuffix(_VERSION)] = str(version)
        return found

    def rows(self) -> dict[str, int]:
        """How many rows each table has."""
        return {
            table: self._connection.execute(f'SELECT count(*) FROM "{table}"').fetchone()[0]  # noqa: S608
            for table in self._tables()
        }

    def stored(self) -> tuple[int, int, int]:
        """How many files and parts are kept, and the bytes that these take in the store."""
        files = self._connection.execute("SELECT count(*) FROM files WHERE state = 'kept'").fetchone()[0]
        found = self._connection.execute(f"SELECT count(*), sum(p.stored_bytes) {_KEPT}")
        parts, stored_bytes = found.fetchone()
        return files, parts, stored_bytes or 0

    def parts(self) -> Iterator[list[StoredPart]]:
        """The parts of all files that are kept, by file and number, some at a time."""
        last = ("", -1)
        query = (
            f"SELECT f.id, p.number, {self._staged_in()}, p.size_bytes, {self._checksum()}, p.stored_bytes {_KEPT}"
            " AND (p.file_id, p.number) > (?, ?) ORDER BY p.file_id, p.number LIMIT ?"
        )
        while rows := self._connection.execute(query, (*last, _TOGETHER)).fetchall():
            yield [
                StoredPart(
                    file_id=file_id,
                    staged_in=staged_in,
                    number=number,
                    size_bytes=size,
                    checksum=checksum,
                    stored_bytes=stored,
                )
                for file_id, number, staged_in, size, checksum, stored in rows
            ]
            last = rows[-1][:2]

    def _checksum(self) -> str:
        """The checksum of what is stored; a backup may be from before the columns had these names."""
        columns = self._columns("parts")
        if "stored_sha256" in columns:
            return "coalesce('sha256:' || p.stored_sha256, p.checksum)"
        return "p.checksum" if "checksum" in columns else "'sha256:' || p.sha256"

    def _staged_in(self) -> str:
        """The folder that a file came in in; a backup may be from before there were others than its id."""
        return "coalesce(f.staged_in, f.id)" if "staged_in" in self._columns("files") else "f.id"

    def _columns(self, table: str) -> set[str]:
        return {name for (name,) in self._connection.execute("SELECT name FROM pragma_table_info(?)", (table,))}

    def _tables(self) -> list[str]:
        named = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
        return sorted(name for (name,) in self._connection.execute(named) if '"' not in name)


_KEPT: Final = "FROM parts p JOIN files f ON f.id = p.file_id WHERE f.state = 'kept'"
