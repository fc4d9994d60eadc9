"""Making an installation of an archive. It is there whole at the end, or nothing of it is."""

from __future__ import annotations

import os
import shutil
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp
from typing import Final

from attrs import Factory, define, field

from whispercore.backup.archive import full_disks_told
from whispercore.backup.manifest import DATABASE
from whispercore.backup.new_database import NewDatabase
from whispercore.backup.placing import InFolder, Place
from whispercore.backup.reading import Contents, OnProgress, Reading
from whispercore.backup.snapshot import Snapshot
from whispercore.database.migrating import OURS, known_revisions
from whispercore.durable import sync_folder
from whispercore.errors import BackupDamaged, SchemaTooNew, StorageFull

FILES: Final = "files"
"""Where the blobs of an installation are, in its folder."""
_WORK: Final = ".restoring-"


@define(kw_only=True)
class Restoring:
    """One restoration. Blocks. Nobody else may use the folder meanwhile.

    Args:
        path: The archive.
        data: Folder of an installation that has neither a database nor files yet.
        database: Where the database will be.
        place: Where the recordings will be; in the folder, if not elsewhere.
        on_progress: Called with 0 to 1.
        stopped: Set when it is not wanted any more.
    """

    path: Path
    data: Path
    database: NewDatabase
    place: Place = Factory(lambda self: InFolder(self.data / FILES), takes_self=True)
    on_progress: OnProgress = lambda _: None
    stopped: threading.Event = field(factory=threading.Event)

    def restore(self) -> Contents:
        """Read the archive, compare all of it, and only then put it where it belongs.

        Raises:
            InvalidOption: There is an installation already.
            DatabaseNotEmpty: Somebody else has made one meanwhile.
            BackupDamaged: The archive is none, or not as it was written.
            SchemaTooNew: A newer version of whispercore has made it.
            StorageFull: There is no room for it.
            RowsDiffer: PostgreSQL has not what it was given; nothing was kept.
            DatabaseUnreachable: PostgreSQL cannot be used.
            Unavailable: The store of recordings, or the database, does not answer.
            OSError: The archive cannot be read, or the folder cannot be written.
        """
        self.database.check_empty()
        self.place.check_empty()
        with full_disks_told():
            self._check_room()
            with self._work() as work:
                reading = Reading(path=self.path, into=work, stopped=self.stopped, on_progress=self.on_progress)
                contents = reading.read()
                self._check(work, contents)
                self._put(work)
        return contents

    def _check_room(self) -> None:
        needed_bytes = self.path.stat().st_size
        self.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        free_bytes = shutil.disk_usage(self.data).free
        if free_bytes < needed_bytes:
            raise StorageFull(needed_bytes, free_bytes)

    @contextmanager
    def _work(self) -> Iterator[Path]:
        for left in self.data.glob(f"{_WORK}*"):  # of one that was killed
            shutil.rmtree(left, ignore_errors=True)
        work = Path(mkdtemp(prefix=_WORK, dir=self.data))
        try:
            yield work
        finally:
            shutil.rmtree(work, ignore_errors=True)

    def _check(self, work: Path, contents: Contents) -> None:
        """What is in the database fits to what there is of files, and to this version."""
        try:
            with Snapshot(work / DATABASE, immutable=True) as snapshot:
                snapshot.check()
                schemas = snapshot.schemas()
                _check_schema(schemas.get(OURS.name))
                if snapshot.rows() != contents.manifest.rows or schemas != contents.manifest.schemas:
                    raise BackupDamaged("its database is not the one that its manifest tells of")
                self._check_parts(work, snapshot, {member.name for member in contents.damaged})
        except sqlite3.Error as error:
            raise BackupDamaged(f"its database cannot be read: {error}") from error

    def _check_parts(self, work: Path, snapshot: Snapshot, damaged: set[str]) -> None:
        for batch in snapshot.parts():
            for part in batch:
                name = f"{FILES}/{part.file_id}/{part.number}"
                place = work / name
                if name in damaged:
                    continue
                if not place.is_file() or place.stat().st_size != part.stored_bytes:
                    raise BackupDamaged(f"its database knows of {name}, which is not in it")

    def _put(self, work: Path) -> None:
        os.sync()  # all of it, at once: each file by itself would take hours
        try:
            self.place.put(work / FILES)
            self.database.put(work / DATABASE)
        except BaseException:
            self.place.take_back(work / FILES)
            raise
        sync_folder(self.data)


def _check_schema(version: str | None) -> None:
    if version is None:
        raise BackupDamaged("its database is none of whispercore")
    if version not in known_revisions(OURS):
        raise SchemaTooNew(OURS.name, version)
