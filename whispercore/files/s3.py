"""Blobs in a bucket of S3: of AWS, of MinIO, or of what else speaks its protocol.

Every blob is sent whole in one request, which is tried again by itself while the store is away. None is larger than a
part of a file, so nothing is gained by S3's own uploads in pieces, and none can be left behind half done.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import timedelta
from secrets import token_hex
from typing import TYPE_CHECKING, Final

from obstore.store import S3Store

from whispercore.errors import InvalidOption, Unavailable
from whispercore.files.bucket import Bucket
from whispercore.files.obstore_blobs import ObstoreBlobs, reason_of

if TYPE_CHECKING:
    from obstore.store import ClientConfig, RetryConfig, S3Config  # they exist for type checkers only

_CONNECT_S: Final = 5.0
_REQUEST_S: Final = 60.0
"""For a whole request: 8 MB need 1.1 Mbit/s."""
_TRIES: Final = 20
_FIRST_WAIT_S: Final = 0.1
_LONGEST_WAIT_S: Final = 2.0
_PROBE: Final = "probe"

_BREAKS_OFF: Final = (
    "s3_endpoint",
    "breaks off in place of an answer: check its port, whether it is http or https, and what proxy cuts in between",
)
_NOT_S3: Final = (
    "s3_endpoint",
    "answers, but not as S3 does: check whether its name and port are those of the store, and not of its console",
)
_KEY_ADVICE: Final = "check s3_access_key and s3_secret_key (or MINIO_ACCESS_KEY and MINIO_SECRET_KEY)"
_ADVICE: Final = {
    "NoSuchBucket": ("s3_bucket", "has no bucket {bucket!r}: make it, or name another one"),
    "InvalidAccessKeyId": ("s3_access_key", f"does not know the access key: {_KEY_ADVICE}"),
    "SignatureDoesNotMatch": ("s3_secret_key", f"finds that the secret key is another one: {_KEY_ADVICE}"),
    "AccessDenied": (
        "s3_access_key",
        "refuses this access key: it has to be able to list the bucket {bucket!r}, and to get, put and delete in it",
    ),
    "NotImplemented": ("s3_endpoint", "cannot put a blob only where there is none (If-None-Match), as is needed"),
    "Connect": ("s3_endpoint", "cannot be reached: check its name, port and whether it is http or https"),
    "Interrupted": _BREAKS_OFF,
    "Request": _BREAKS_OFF,
    "Decode": _NOT_S3,
    "Unknown": _NOT_S3,
    "GenericError": _NOT_S3,
    "Timeout": ("s3_endpoint", "does not answer: check its name, port and whether it is http or https"),
}
"""By what it says: the setting that is to be looked at, and what is wrong."""


def in_bucket(bucket: Bucket) -> ObstoreBlobs:
    """Blobs of a bucket. Nothing is opened yet.

    Raises:
        InvalidOption: There is only half of a key.
    """
    config: S3Config = {}
    client: ClientConfig = {"connect_timeout": timedelta(seconds=_CONNECT_S), "timeout": timedelta(seconds=_REQUEST_S)}
    if bucket.endpoint is not None:
        config["endpoint"] = bucket.endpoint
        client["allow_http"] = bucket.endpoint.startswith("http:")
    if bucket.region is not None:
        config["region"] = bucket.region
    if (bucket.access_key is None) != (bucket.secret_key is None):
        missing = "s3_access_key" if bucket.access_key is None else "s3_secret_key"
        raise InvalidOption(missing, "it is not set, and the other half of the key is")
    if bucket.access_key is not None and bucket.secret_key is not None:
        config["access_key_id"], config["secret_access_key"] = bucket.access_key, bucket.secret_key
    retry: RetryConfig = {
        "max_retries": _TRIES,
        "retry_timeout": timedelta(seconds=bucket.patience_s),
        "backoff": {
            "init_backoff": timedelta(seconds=_FIRST_WAIT_S),
            "max_backoff": timedelta(seconds=_LONGEST_WAIT_S),
        },
    }
    return ObstoreBlobs(S3Store(bucket.name, config=config, client_options=client, retry_config=retry))


async def check(blobs: ObstoreBlobs, bucket: Bucket) -> None:
    """Do all that will be done, with a little blob.

    Args:
        blobs: Those in the bucket.
        bucket: The bucket.

    Raises:
        InvalidOption: It cannot be done. ``option`` is the setting to look at, and the reason says what to do.
    """
    key = f"{_PROBE}/{token_hex(8)}"
    try:
        async with asyncio.timeout(bucket.patience_s + _REQUEST_S):
            await blobs.put(key, b"probe")
            await blobs.rename(key, f"{key}.moved")
            await blobs.get(f"{key}.moved")
            await blobs.folders(_PROBE)
            await blobs.delete((f"{key}.moved",))
    except (Unavailable, TimeoutError) as error:
        with suppress(Unavailable, TimeoutError):
            async with asyncio.timeout(_CONNECT_S):
                await blobs.delete((key, f"{key}.moved"))
        reason = reason_of(error.__cause__) if error.__cause__ is not None else "Timeout"
        option, advice = _ADVICE.get(reason, ("s3_endpoint", "answers in a way that is not understood ({reason})"))
        told = advice.format(bucket=bucket.name, reason=reason)
        raise InvalidOption(option, f"the S3 store at {bucket} {told}") from None
