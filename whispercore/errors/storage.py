"""What can go wrong with stored bytes."""

from __future__ import annotations

from attrs import define

from whispercore.errors.root import WhispercoreError


class StorageError(WhispercoreError):
    """The store does not have what it should."""

    code = "storage_error"


@define
class BlobMissing(StorageError):
    """Nothing lies under this key."""

    code = "blob_missing"
    key: str

    def __str__(self) -> str:
        return f"nothing is stored under {self.key}"


@define
class BlobExists(StorageError):
    """Something lies under this key, and was not to be replaced."""

    code = "blob_exists"
    key: str

    def __str__(self) -> str:
        return f"something is stored under {self.key} already"


@define
class FileDamaged(StorageError):
    """A stored file is not what it was when it came in."""

    code = "file_damaged"
    id: str
    found: str
    """What is wrong, in words."""

    def __str__(self) -> str:
        return f"the stored file {self.id} is damaged: {self.found}"


@define
class BackupDamaged(StorageError):
    """A backup is not what was written, or no backup at all."""

    code = "backup_damaged"
    found: str
    """What is wrong, in words."""

    def __str__(self) -> str:
        return f"the backup cannot be used: {self.found}"


@define
class SealBroken(StorageError):
    """Something sealed was sealed for somebody else, or is not what it was."""

    code = "seal_broken"
    what: str = "it"

    def __str__(self) -> str:
        return f"{self.what} cannot be opened: it was sealed to another key, or has changed"


@define
class WrongMasterKey(StorageError):
    """The master key is not that of this installation."""

    code = "wrong_master_key"
    found: str
    """What is wrong, in words."""
    wanted: str
    """The public half of the key that is needed."""

    def __str__(self) -> str:
        return (
            f"the master key is not that of this installation: {self.found}, and needed is that of {self.wanted}. "
            "Set WHISPERCORE_MASTER_KEY to it, or put it back where WHISPERCORE_MASTER_KEY_FILE says; "
            "without it no recording can be read"
        )
