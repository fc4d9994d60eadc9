"""The store of recordings that the settings mean."""

from __future__ import annotations

from typing import Final

from whispercore.files.obstore_blobs import ObstoreBlobs
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
