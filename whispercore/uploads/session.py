"""What is known of an upload that comes in pieces."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Final, Literal

from attrs import field, frozen

from whispercore.files.sealed import Encoding

Protocol = Literal["chunks", "tus"]
Role = Literal["whole", "part", "joined"]
"""``part`` and ``joined`` are of tus: what will be joined, and what was."""
SAID: Final = "Upload-Metadata"
"""Under which the metadata of an upload have what a client of tus says of it, in its own words."""
SAID_SEALED: Final = "sealed"
"""Under which they have it where it is sealed."""


class State(StrEnum):
    """Where an upload is."""

    ACTIVE = "active"
    ASSEMBLING = "assembling"
    """All is here, and is compared and made a file of."""
    COMPLETED = "completed"
    FAILED = "failed"
    """What came can never become a job."""
    CANCELLED = "cancelled"
    EXPIRED = "expired"


@frozen(kw_only=True)
class NewUpload:
    """What somebody wants to send."""

    filename: str
    content_type: str
    size_bytes: int
    protocol: Protocol = "chunks"
    role: Role = "whole"
    chunk_bytes: int | None = None
    """Of every chunk but the last; None where pieces may have any size."""
    file_hash: str | None = None
    """What the SHA-256 of all of it has to be, in hexadecimal."""
    metadata: Mapping[str, str] = field(factory=dict)

    @property
    def total_chunks(self) -> int | None:
        """How many chunks there will be; None where pieces may have any size."""
        return -(-self.size_bytes // self.chunk_bytes) if self.chunk_bytes else None


@frozen(kw_only=True)
class Session:
    """An upload."""

    id: str
    """Also that of the file that it becomes."""
    owner_id: str
    protocol: Protocol
    role: Role
    filename: str
    content_type: str
    size_bytes: int
    chunk_bytes: int | None
    total_chunks: int | None
    file_hash: str | None
    metadata: Mapping[str, str]
    state: State
    failure: str | None
    received_bytes: int
    received_chunks: int
    created_at: datetime
    expires_at: datetime
    """When it is given up if nothing more comes."""
    sha256: str | None
    """Of all of it, once it is completed."""
    job_id: str | None
    joined_into: str | None
    recipient: str | None
    """The public key that its pieces are sealed to; None where they are in clear."""
    assembling_until: datetime | None = None
    """How long nobody else may finalize it; None where nobody does."""

    @property
    def is_whole(self) -> bool:
        """Whether all bytes are here."""
        return self.received_bytes == self.size_bytes

    def chunk_size(self, number: int) -> int | None:
        """Bytes that a chunk has to have; None when there is no such chunk.

        Args:
            number: From 0.
        """
        if self.chunk_bytes is None or self.total_chunks is None or not 0 <= number < self.total_chunks:
            return None
        return min(self.chunk_bytes, self.size_bytes - number * self.chunk_bytes)


@frozen(kw_only=True)
class Chunk:
    """A piece that came in."""

    number: int
    """Its place among the pieces, from 0."""
    size_bytes: int
    sha256: str
    checksum: str
    """A quicker one, to see damage in the store; see ``whispercore.files.checksums``."""
    blob: str
    """The name of its bytes in the folder of the session."""
    is_doubted: bool = False
    """Whether the sender said later that he had sent other bytes."""
    encoding: Encoding = "clear"
    """How it lies in the store."""
    stored_bytes: int | None = None
    """What it takes there; None where that is its size."""
    stored_sha256: str | None = None
    """Of what lies there; None where that is in clear."""
