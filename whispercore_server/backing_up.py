"""Backups without a server, or beside one: what the commands do."""

from __future__ import annotations

import asyncio
from pathlib import Path

from whispercore.audit.event import AuditEvent
from whispercore.audit.trail import Audit
from whispercore.backup.backups import Backups
from whispercore.backup.placing import InStore
from whispercore.backup.reading import Contents
from whispercore.backup.record import Record
from whispercore.backup.restoring import Restoring
from whispercore.backup.snapshot import Snapshot
from whispercore.clock import SystemClock
from whispercore.database.migrating import OURS, newest_revision
from whispercore.database.session import SQLITE, Database, parsed
from whispercore.errors import InvalidOption
from whispercore.ids import Uuid7Ids
from whispercore_server import data_folder
from whispercore_server.auditing import OPERATOR, audit_of
from whispercore_server.errors import CannotStart
from whispercore_server.settings import ServerSettings
from whispercore_server.storage import blobs_of, check_storage

_BY_ITS_OWN_MEANS = "backups of PostgreSQL are made with its own means, such as pg_dump"


async def make(settings: ServerSettings) -> Record:
    """Make a backup, whether a server is at work or not.

    Raises:
        InvalidOption: There is no installation in the folder, or the store of recordings cannot be used.
        CannotStart: It is of another version, or the backup failed.
        Conflict: A backup is being made.
        StorageFull: There is no room for it.
    """
    path = _database_of(settings)
    if not path.is_file():
        raise InvalidOption("--data", f"there is no installation in {settings.data}")
    with Snapshot(path) as snapshot:
        version = snapshot.schemas().get(OURS.name)
    if version != newest_revision(OURS):
        raise CannotStart(
            f"the database has schema {version}, and this is {newest_revision(OURS)}: make the backup with the version "
            "of whispercore that it belongs to, or start the server once, which brings it up to date"
        )
    await check_storage(settings)
    async with Database(settings.database_url) as database:
        audit = audit_of(settings, database)
        await audit.open()
        backups = _backups(settings, database, audit)
        try:
            record = await backups.create(OPERATOR)
        finally:
            await backups.close()
            await audit.close()
    if record.error is not None:
        raise CannotStart(f"the backup failed: {record.error}")
    return record


async def known(settings: ServerSettings) -> list[Record]:
    """The backups in the folder, the newest first."""
    database = Database("sqlite+aiosqlite://")
    return await _backups(settings, database, audit_of(settings, database)).listed()


def restore(settings: ServerSettings, archive: Path) -> Contents:
    """Make an installation of an archive, in a folder that has none yet.

    Raises:
        InvalidOption: There is one already, or the store of recordings cannot be used.
        CannotStart: A server uses the folder.
        BackupDamaged: It is no backup, or not as it was written.
        SchemaTooNew: A newer version has made it.
        StorageFull: There is no room for it.
    """
    database = _database_of(settings)
    restoring = Restoring(path=archive, data=settings.data, database=database)
    if settings.bucket is not None:
        asyncio.run(check_storage(settings))
        restoring.place = InStore(blobs_of(settings))
    with data_folder.held(settings.data):
        contents = restoring.restore()
        asyncio.run(_note(settings, contents))
    return contents


async def _note(settings: ServerSettings, contents: Contents) -> None:
    event = AuditEvent(
        event_type="backup_restored",
        action="make an installation of a backup",
        severity="high",
        resource_type="backup",
        resource_id=contents.manifest.id,
        details={"backup_of": contents.manifest.created_at.isoformat(), "version": contents.manifest.version},
    )
    async with Database(settings.database_url) as database:
        await database.upgrade()
        audit = audit_of(settings, database)
        await audit.take_over(OPERATOR, event)
        await audit.close()


def _backups(settings: ServerSettings, database: Database, audit: Audit) -> Backups:
    clock = SystemClock()
    return Backups(
        database,
        blobs_of(settings),
        settings.backups_dir,
        audit=audit,
        clock=clock,
        ids=Uuid7Ids(clock),
        keep=settings.keep_backups,
    )


def _database_of(settings: ServerSettings) -> Path:
    url = parsed(settings.database_url)
    if url.drivername != SQLITE:
        raise InvalidOption("database_url", _BY_ITS_OWN_MEANS)
    path = url.database
    if path in (None, "", ":memory:"):
        raise InvalidOption("database_url", "it is in memory, so there is nothing to copy")
    return Path(str(path))
