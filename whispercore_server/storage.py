"""The store of recordings that the settings mean."""

from __future__ import annotations

from typing import Final

from whispercore.database.session import Database
from whispercore.errors import InvalidOption
from whispercore.files.obstore_blobs import ObstoreBlobs
from whispercore.files.owner import is_owner
from whispercore.files.s3 import check, in_bucket
from whispercore_server.settings import ServerSettings

_FOLDER: Final = "files"


def blobs_of(settings: ServerSettings) -> ObstoreBlobs:
    """Blobs in the bucket, or in the data folder. A bucket is not opened yet.

    Raises:
        InvalidOption: The folder cannot be made, or there is only half of a key.
    """
    if settings.bucket is not None:
        return in_bucket(settings.bucket)
    return ObstoreBlobs.on_disk(settings.data / _FOLDER, durable=settings.durable_uploads)


async def check_storage(settings: ServerSettings) -> None:
    """See that a bucket can be used.

    Raises:
        InvalidOption: It cannot. ``option`` is the setting to look at, and the reason says what to do.
    """
    if settings.bucket is not None:
        await check(in_bucket(settings.bucket), settings.bucket)


async def check_owner(settings: ServerSettings, database: Database) -> None:
    """See that the recordings are those of this database: whoever else's they are, he would lose them.

    Raises:
        InvalidOption: They are another installation's.
        Unavailable: The store does not answer.
    """
    if await is_owner(database, blobs_of(settings)):
        return
    option, where = "--data", f"the folder {settings.data / _FOLDER}"
    if settings.bucket is not None:
        option, where = "s3_bucket", f"the bucket {settings.bucket.name!r}"
    raise InvalidOption(
        option,
        f"the recordings in {where} are another installation's, and each removes what its database does not know. Name "
        "another place. Only if the other database is gone for good, and this one is in its stead, run `whispercore db "
        "adopt-recordings`",
    )
