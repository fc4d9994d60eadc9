"""What is known of a backup without opening it: a small file beside the archive."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Final, Literal

from attrs import frozen

from whispercore.contract.wire import STRICT, dumps, loads
from whispercore.durable import sync_folder

Status = Literal["running", "completed", "failed"]
_ID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)


@frozen(kw_only=True)
class Record:
    """A backup."""

    id: str
    status: Status
    created_at: datetime
    """When it was begun; once it is completed, the moment that it is of."""
    completed_at: datetime | None = None
    """When it was completed, or failed."""
    progress: float = 0.0
    """0 to 1."""
    size_bytes: int | None = None
    """Of the archive."""
    sha256: str | None = None
    """Of the archive, in hexadecimal."""
    files: int | None = None
    """How many files are in it."""
    rows: dict[str, int] | None = None
    """How many rows of each table are in it."""
    damaged: int = 0
    """Parts of files that were damaged or missing already when it was made."""
    error: str | None = None
    """Why it failed."""

    @property
    def filename(self) -> str:
        """What people call the archive."""
        return f"whispercore-{self.created_at:%Y%m%dT%H%M%SZ}-{self.id[-8:]}.tar"


class Records:
    """The records in a folder. All methods block.

    Args:
        folder: The folder.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def archive(self, backup_id: str) -> Path:
        """Where the archive of a backup is."""
        return self.folder / f"{backup_id}.tar"

    def write(self, record: Record) -> None:
        """Keep a record, in place of an older one.

        Raises:
            OSError: The disk does not take it.
        """
        draft = self.folder / f".{record.id}.{secrets.token_hex(4)}.json"
        try:
            with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
                file.write(dumps(record))
                file.flush()
                os.fsync(file.fileno())
            draft.replace(self._path(record.id))
        finally:
            draft.unlink(missing_ok=True)
        sync_folder(self.folder)

    def read(self, backup_id: str) -> Record | None:
        """The record of a backup; None when there is none that can be read."""
        if _ID.fullmatch(backup_id) is None:
            return None
        try:
            record: Record = STRICT.structure(loads(self._path(backup_id).read_bytes()), Record)
        except Exception:  # noqa: BLE001 (whatever somebody has put there is no record)
            return None
        return record if record.id == backup_id else None

    def all(self) -> Iterator[Record]:
        """All of them, in no order."""
        for path in self.folder.glob("*.json"):
            if (record := self.read(path.stem)) is not None:
                yield record

    def remove(self, backup_id: str) -> None:
        """Remove a backup: first the archive, as a record without one tells what has happened."""
        self.archive(backup_id).unlink(missing_ok=True)
        self._path(backup_id).unlink(missing_ok=True)

    def _path(self, backup_id: str) -> Path:
        return self.folder / f"{backup_id}.json"
