"""Answers of ``api.transcriber.admin.backups``."""

from __future__ import annotations

from attrs import define

from whispercore.api.transcriber.admin.backups import (
    Backup,
    BackupDeleted,
    BackupList,
    BackupRef,
    Backups,
    BackupVerified,
    CreateBackup,
    ListBackups,
)
from whispercore.backup.record import Record
from whispercore.contract.messages import Content
from whispercore.people.caller import Caller
from whispercore_server.plugin import serves
from whispercore_server.ports import Ports


@define
class BackupsHandlers:
    """Makes, shows and sends backups."""

    ports: Ports

    @serves(Backups.create)
    async def create(self, request: CreateBackup, caller: Caller) -> Backup:
        """It is made beside the answering of requests; nobody has to wait for it on the line."""
        del request
        return _backup(await self.ports.backups.begin(caller))

    @serves(Backups.list)
    async def list(self, request: ListBackups, caller: Caller) -> BackupList:
        """By their records, which are small."""
        del caller
        found = await self.ports.backups.listed()
        page = found[request.offset : request.offset + request.limit]
        return BackupList(
            backups=[_backup(record) for record in page],
            total=len(found),
            limit=request.limit,
            offset=request.offset,
        )

    @serves(Backups.get)
    async def get(self, request: BackupRef, caller: Caller) -> Backup:
        """As it is now."""
        del caller
        return _backup(await self.ports.backups.get(request.backup_id))

    @serves(Backups.download)
    async def download(self, request: BackupRef, caller: Caller) -> Content:
        """The archive, a megabyte at a time."""
        record, pieces = await self.ports.backups.content(request.backup_id, caller)
        return Content(
            body=pieces,
            media_type="application/x-tar",
            filename=record.filename,
            size_bytes=record.size_bytes,
        )

    @serves(Backups.verify)
    async def verify(self, request: BackupRef, caller: Caller) -> BackupVerified:
        """Damage is an answer, and no error."""
        del caller
        verified = await self.ports.backups.verify(request.backup_id)
        return BackupVerified(
            id=request.backup_id,
            valid=verified.problem is None,
            problem=verified.problem,
            verified_at=self.ports.clock.now(),
        )

    @serves(Backups.delete)
    async def delete(self, request: BackupRef, caller: Caller) -> BackupDeleted:
        """The archive and its record."""
        await self.ports.backups.delete(request.backup_id, caller)
        return BackupDeleted(message="Backup deleted successfully")


def _backup(record: Record) -> Backup:
    return Backup(
        id=record.id,
        status=record.status,
        filename=record.filename,
        created_at=record.created_at,
        completed_at=record.completed_at,
        progress=100 if record.status == "completed" else min(99, int(100 * record.progress)),
        size_bytes=record.size_bytes,
        sha256=record.sha256,
        files=record.files,
        rows=record.rows,
        damaged_parts=record.damaged,
        error=record.error,
    )
