"""Backups without a server, or beside one: what the commands do."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

from sqlalchemy import select

from whispercore.audit.event import AuditEvent
from whispercore.audit.trail import Audit
from whispercore.backup.backups import Backups
from whispercore.backup.new_database import InFile, InPostgres
from whispercore.backup.placing import InStore
from whispercore.backup.reading import Contents
from whispercore.backup.record import Record
from whispercore.backup.restoring import Restoring
from whispercore.backup.snapshot import Snapshot
from whispercore.database.migrating import OURS, newest_revision
from whispercore.database.session import SQLITE, Database, parsed
from whispercore.database.tables import key_pairs
from whispercore.encryption.key_pairs import WORKERS
from whispercore.encryption.master_key import MasterKey
from whispercore.errors import Conflict, InvalidOption
from whispercore.files.owner import take_over
from whispercore.files.sealing import used
from whispercore.ids import Uuid7Ids
from whispercore.key_fingerprints import forget_keys
from whispercore.tasks.own_thread import in_own_thread
from whispercore_server import data_folder
from whispercore_server.auditing import OPERATOR, audit_of
from whispercore_server.errors import CannotStart
from whispercore_server.settings import ServerSettings
from whispercore_server.storage import blobs_of, check_owner, check_storage


async def make(settings: ServerSettings) -> Record:
    """Make a backup, whether a server is at work or not.

    Raises:
        InvalidOption: There is no installation in the folder, or the store of recordings cannot be used.
        CannotStart: It is of another version, or the backup failed.
        SchemaTooOld: The PostgreSQL has to be upgraded first.
        DatabaseUnreachable: The PostgreSQL cannot be used.
        Conflict: A backup is being made, or recordings are being sealed.
        StorageFull: There is no room for it.
    """
    path = _file_of(settings)
    if path is not None:
        await asyncio.to_thread(_check_version, path, settings)
    await check_storage(settings)
    async with Database(settings.database_url) as database:
        await database.check()
        await check_owner(settings, database)
        audit = audit_of(settings, database)
        await audit.open()
        backups = _backups(settings, database, audit)
        try:
            async with used(database, blobs_of(settings)):
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


async def missing_master_key(settings: ServerSettings) -> str | None:
    """The public half of the master key that the installation needs; None where it is here, or none is needed yet.

    Raises:
        InvalidOption: The master key that is here cannot be read.
        DatabaseUnreachable: The PostgreSQL cannot be used.
    """
    async with Database(settings.database_url) as database:
        rows = await database.rows(select(key_pairs.c.sealed_to).where(key_pairs.c.owner_id == WORKERS))
    key = MasterKey(settings.master_key_file, text=settings.master_key)
    if not rows or (await asyncio.to_thread(key.known) and await asyncio.to_thread(key.recipient) == rows[0].sealed_to):
        return None
    return str(rows[0].sealed_to)


def restore(settings: ServerSettings, archive: Path) -> Contents:
    """Make an installation of an archive, where the settings say and there is none yet.

    Raises:
        InvalidOption: There is one already, or the store of recordings cannot be used.
        CannotStart: A server uses the folder.
        BackupDamaged: It is no backup, or not as it was written.
        SchemaTooNew: A newer version has made it.
        DatabaseUnreachable: The PostgreSQL cannot be used.
        Conflict: A backup is being restored into it.
        StorageFull: There is no room for it.
    """
    path = _file_of(settings)
    database = InPostgres(settings.database_url) if path is None else InFile(path)
    restoring = Restoring(path=archive, data=settings.data, database=database)
    with data_folder.held(settings.data):
        return asyncio.run(_restored(settings, restoring))


async def _restored(settings: ServerSettings, restoring: Restoring) -> Contents:
    if settings.bucket is not None:
        await check_storage(settings)
        restoring.place = InStore(blobs_of(settings))
    async with AsyncExitStack() as stack:
        if isinstance(restoring.database, InPostgres):  # what two would send to a bucket, each would take back
            postgres = await stack.enter_async_context(Database(settings.database_url))
            if await stack.enter_async_context(postgres.reserved("restore")) is None:
                raise Conflict("a backup is being restored into this database")
        contents = await in_own_thread(restoring.restore, stop=restoring.stopped.set, name="whispercore-restore")
        await _note(settings, contents)
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
        await take_over(database, blobs_of(settings))  # the installation that the backup is of may go on elsewhere
        await forget_keys(database)  # they are in no backup
        audit = audit_of(settings, database)
        await audit.take_over(OPERATOR, event)
        await audit.close()


def _backups(settings: ServerSettings, database: Database, audit: Audit) -> Backups:
    return Backups(
        database,
        blobs_of(settings),
        settings.backups_dir,
        audit=audit,
        clock=database.clock,
        ids=Uuid7Ids(database.clock),
        keep=settings.keep_backups,
    )


def _check_version(path: Path, settings: ServerSettings) -> None:
    if not path.is_file():
        raise InvalidOption("--data", f"there is no installation in {settings.data}")
    with Snapshot(path) as snapshot:
        version = snapshot.schemas().get(OURS.name)
    if version != newest_revision(OURS):
        raise CannotStart(
            f"the database has schema {version}, and this is {newest_revision(OURS)}: make the backup with the version "
            "of whispercore that it belongs to, or start the server once, which brings it up to date"
        )


def _file_of(settings: ServerSettings) -> Path | None:
    """The file of SQLite; None for PostgreSQL."""
    url = parsed(settings.database_url)
    if url.drivername != SQLITE:
        return None
    if url.database in (None, "", ":memory:"):
        raise InvalidOption("database_url", "it is in memory, so there is nothing to copy")
    return Path(str(url.database))
