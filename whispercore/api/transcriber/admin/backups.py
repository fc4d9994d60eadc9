"""Backups of the whole installation (seed 000, *Admin Endpoints*)."""

from __future__ import annotations

from datetime import datetime
from typing import Generic, Literal

from attrs import field, frozen

from whispercore.api.transcriber.dialect import TranscriberGroup
from whispercore.contract.endpoint import Download, Endpoint, Listing, alias
from whispercore.contract.fields import between, told
from whispercore.contract.group import T_co
from whispercore.errors import Conflict, NotFound, StorageFull

BackupStatus = Literal["running", "completed", "failed"]


@frozen(kw_only=True)
class CreateBackup:
    """A wish for a backup."""


@frozen(kw_only=True)
class Backup:
    """A backup."""

    id: str
    status: BackupStatus
    filename: str
    """What to call the archive."""
    created_at: datetime
    """When it was begun; once it is completed, the moment that it is of."""
    completed_at: datetime | None = None
    progress: int
    """Per cent."""
    size_bytes: int | None = None
    sha256: str | None = None
    """Of the archive, in hexadecimal."""
    files: int | None = None
    """Recordings in it."""
    rows: dict[str, int] | None = None
    """Rows of each table in it."""
    damaged_parts: int = 0
    """Parts of recordings that were damaged or missing before it was made."""
    error: str | None = None


@frozen(kw_only=True)
class ListBackups:
    """Which backups to list, newest first."""

    limit: int = field(default=50, validator=between(1, 100), metadata=told("Rows on a page."))
    offset: int = field(default=0, validator=between(0, 10**9), metadata=told("Rows to leave out."))


@frozen(kw_only=True)
class BackupList:
    """A page of backups."""

    backups: list[Backup]
    total: int
    limit: int
    offset: int


@frozen(kw_only=True)
class BackupRef:
    """One backup."""

    backup_id: str = field(kw_only=False, metadata=told("Id of the backup."))


@frozen(kw_only=True)
class BackupVerified:
    """What reading all of an archive has shown."""

    id: str
    valid: bool
    problem: str | None = None
    """What is wrong with it."""
    verified_at: datetime


@frozen(kw_only=True)
class BackupDeleted:
    """A backup is gone."""

    message: str


def _backups(page: BackupList) -> list[Backup]:
    return page.backups


class Backups(TranscriberGroup[T_co], Generic[T_co]):
    """Backups."""

    tag = "backups"
    create = Endpoint(
        "POST",
        "/admin/backup/create",
        CreateBackup,
        Backup,
        scope="admin",
        limit="admin",
        status=202,
        errors=(Conflict, StorageFull),
        doc="Begin a backup of database and recordings while the server works; look at it to see how far it is.",
    )
    list = Listing(
        "GET",
        "/admin/backup",
        ListBackups,
        BackupList,
        _backups,
        scope="admin",
        limit="admin",
        aliases=(alias("/admin/backup/list"),),
        doc="List all backups, newest first.",
    )
    get = Endpoint(
        "GET",
        "/admin/backup/{backup_id}",
        BackupRef,
        Backup,
        scope="admin",
        limit="admin",
        errors=(NotFound,),
        doc="A backup, as far as it is.",
    )
    download = Download(
        "GET",
        "/admin/backup/{backup_id}/download",
        BackupRef,
        scope="admin",
        limit="admin",
        media_types=("application/x-tar",),
        errors=(NotFound, Conflict),
        doc="The archive. Whoever has it has everything: keep it where nobody else can read it.",
    )
    verify = Endpoint(
        "POST",
        "/admin/backup/{backup_id}/verify",
        BackupRef,
        BackupVerified,
        scope="admin",
        limit="admin",
        errors=(NotFound, Conflict),
        stop_on_disconnect=True,
        doc="Read all of an archive, and compare it with what was written.",
    )
    delete = Endpoint(
        "DELETE",
        "/admin/backup/{backup_id}",
        BackupRef,
        BackupDeleted,
        scope="admin",
        limit="admin",
        errors=(NotFound, Conflict),
        doc="Delete a backup.",
    )
