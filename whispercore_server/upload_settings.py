"""Settings of uploads: how large, how many, how long."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from attrs import field, frozen

from whispercore import parsers
from whispercore.setting import setting
from whispercore_server.storage_settings import StorageSettings

MOST_MB: Final = 1 << 20
"""A terabyte."""


@frozen(kw_only=True)
class UploadSettings(StorageSettings):
    """What a server is told about uploads."""

    max_direct_upload_mb: int = field(
        default=1024,
        metadata=setting(
            "WHISPERCORE_MAX_DIRECT_UPLOAD_MB",
            "The largest recording in one request, in MB of 1,048,576 bytes.",
            parsers.whole(1, MOST_MB),
        ),
    )
    max_upload_mb: int = field(
        default=10_240,
        metadata=setting(
            "WHISPERCORE_MAX_UPLOAD_MB",
            "The largest recording that is sent in pieces, in MB of 1,048,576 bytes.",
            parsers.whole(1, MOST_MB),
        ),
    )
    part_mb: int = field(
        default=8,
        metadata=setting(
            "WHISPERCORE_PART_MB",
            "The size of the parts that new recordings are stored in, in MB of 1,048,576 bytes.",
            parsers.whole(1, 64),
        ),
    )
    upload_hours: int = field(
        default=24,
        metadata=setting(
            "WHISPERCORE_UPLOAD_HOURS",
            "Hours after its last piece that an upload is kept which is not finished.",
            parsers.whole(1, 8760),
        ),
    )
    max_open_uploads: int = field(
        default=50,
        metadata=setting(
            "WHISPERCORE_MAX_OPEN_UPLOADS",
            "Uploads in pieces that one user may have open.",
            parsers.whole(1, 100_000),
        ),
    )
    max_parallel_parts: int = field(
        default=8,
        metadata=setting(
            "WHISPERCORE_MAX_PARALLEL_PARTS",
            "Pieces of uploads that one user may be sending at the same time.",
            parsers.whole(1, 1000),
        ),
    )
    user_quota_mb: int = field(
        default=0,
        metadata=setting(
            "WHISPERCORE_USER_QUOTA_MB",
            "What the recordings of one user may take, in MB of 1,048,576 bytes; 0 for no limit.",
            parsers.whole(0, MOST_MB),
        ),
    )
    durable_uploads: bool = field(
        default=True,
        metadata=setting(
            "WHISPERCORE_DURABLE_UPLOADS",
            "Whether the disk itself has an upload when it is answered, so that a power cut cannot take it (1 or 0).",
            parsers.flag,
        ),
    )

    decoder_ready: bool = field(
        default=True,
        metadata=setting(
            "WHISPERCORE_DECODER_READY",
            "Whether a decoder waits for the next recording, so that its upload is answered sooner; it takes some "
            "50 MB all the time (1 or 0).",
            parsers.flag,
        ),
    )

    @property
    def part_bytes(self) -> int:
        """The parts that new recordings are stored in."""
        return self.part_mb << 20

    @property
    def max_direct_upload_bytes(self) -> int:
        """The largest recording in one request."""
        return self.max_direct_upload_mb << 20

    @property
    def max_upload_bytes(self) -> int:
        """The largest recording in pieces."""
        return self.max_upload_mb << 20

    @property
    def user_quota_bytes(self) -> int | None:
        """What one user may store; None for no limit."""
        return self.user_quota_mb << 20 or None

    @property
    def upload_lasts(self) -> timedelta:
        """How long an upload is kept after its last piece."""
        return timedelta(hours=self.upload_hours)
