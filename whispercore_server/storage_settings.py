"""Settings of where the bytes of recordings are: on the disk, or in a bucket of S3."""

from __future__ import annotations

import re
from typing import Any, Final
from urllib.parse import urlsplit

from attrs import Attribute, Factory, field, frozen

from whispercore import parsers
from whispercore.errors import InvalidOption
from whispercore.files.bucket import PATIENCE_S, Bucket
from whispercore.setting import setting

BLOBS: Final = ("auto", "disk", "s3")
_BUCKET: Final = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", re.ASCII)


def _bucket(text: str) -> str:
    if _BUCKET.fullmatch(text) is None:
        raise ValueError(f"{text!r} is not a name for a bucket: 3 to 63 small letters, digits, dots and hyphens")
    return text


def _key(text: str) -> str:
    if not (text.isascii() and text.isprintable()):
        raise ValueError("it has to be printable ASCII characters")
    return text


def _host(text: str) -> str:
    try:
        parts = urlsplit(f"http://{text}:9000")
        is_host = parts.port == 9000 and parts.hostname is not None and parts.hostname in text.lower()
    except ValueError:
        is_host = False
    if not is_host:
        raise ValueError(f"{text!r} is not the name of a host: it goes without http:// and port, which s3_port says")
    return parsers.word(text)


def _check_blobs(_: object, attribute: Attribute[Any], value: str) -> None:
    if value not in BLOBS:
        raise InvalidOption(attribute.name, f"{value!r} is not one of {', '.join(BLOBS)}")


@frozen(kw_only=True)
class StorageSettings:
    """What a server is told about where the bytes of recordings are."""

    blobs: str = field(
        default="auto",
        validator=_check_blobs,
        metadata=setting(
            "WHISPERCORE_BLOBS",
            "Where the bytes of recordings are: disk, which is the data folder, s3, or auto: s3 where one is named.",
            parsers.one_of(BLOBS),
        ),
    )
    s3_access_key: str | None = field(
        default=None,
        repr=False,
        metadata=setting(
            "WHISPERCORE_S3_ACCESS_KEY",
            "The access key of S3; when not set, AWS_ACCESS_KEY_ID, or what the machine's role gives.",
            _key,
            secret=True,
            aliases=("MINIO_ACCESS_KEY",),
        ),
    )
    s3_secret_key: str | None = field(
        default=None,
        repr=False,
        metadata=setting(
            "WHISPERCORE_S3_SECRET_KEY",
            "The secret key that belongs to it.",
            _key,
            secret=True,
            aliases=("MINIO_SECRET_KEY",),
        ),
    )
    s3_host: str | None = field(
        default=None,
        metadata=setting(
            "WHISPERCORE_S3_HOST",
            "The host of an S3 store that speaks plain HTTP; localhost where only its access key is set.",
            _host,
            aliases=("MINIO_HOST",),
        ),
    )
    s3_port: int = field(
        default=9000,
        metadata=setting("WHISPERCORE_S3_PORT", "Its port.", parsers.whole(1, 65535), aliases=("MINIO_PORT",)),
    )
    s3_endpoint: str | None = field(
        default=Factory(lambda self: self.usual_endpoint, takes_self=True),
        repr=parsers.without_password,
        metadata=setting(
            "WHISPERCORE_S3_ENDPOINT",
            "Where an S3 store answers, such as https://minio.example.com:9000; AWS's own when not set.",
            parsers.address,
            show=parsers.without_password,
        ),
    )
    s3_bucket: str = field(
        default="whispercore",
        metadata=setting("WHISPERCORE_S3_BUCKET", "The bucket of S3; it has to be there.", _bucket),
    )
    s3_region: str | None = field(
        default=None,
        metadata=setting(
            "WHISPERCORE_S3_REGION", "The region of S3; when not set, AWS_REGION, else us-east-1.", parsers.word
        ),
    )
    s3_patience_s: float = field(
        default=PATIENCE_S,
        metadata=setting(
            "WHISPERCORE_S3_PATIENCE_S",
            "Seconds that S3 may be away before a request is refused, and before a start is.",
            parsers.seconds,
        ),
    )
    presigned_links: bool = field(
        default=False,
        metadata=setting(
            "WHISPERCORE_PRESIGNED_LINKS",
            "Whether links to recordings that lie in S3 in clear and in one part lead to the bucket itself (1 or 0).",
            parsers.flag,
        ),
    )

    @property
    def usual_endpoint(self) -> str | None:
        """Where an S3 store answers when nothing says so; None where AWS does, or the disk is meant."""
        host = self.s3_host
        if host is None and self.blobs == "auto" and self.s3_access_key is not None:
            host = "localhost"
        return f"http://{host}:{self.s3_port}" if host else None

    @property
    def bucket(self) -> Bucket | None:
        """The bucket for recordings; None where they are on the disk."""
        if self.blobs == "disk" or (self.blobs == "auto" and self.s3_endpoint is None):
            return None
        return Bucket(
            name=self.s3_bucket,
            endpoint=self.s3_endpoint,
            region=self.s3_region,
            access_key=self.s3_access_key,
            secret_key=self.s3_secret_key,
            patience_s=self.s3_patience_s,
        )
