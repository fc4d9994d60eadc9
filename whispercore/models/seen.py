"""Checksums of model files outside the store, kept for the next program: to read gigabytes again takes seconds."""

from __future__ import annotations

import hashlib
import time
from contextlib import suppress
from pathlib import Path

from attrs import frozen

from whispercore.models import records
from whispercore.models.verify import ModelBytes

_WORTH_BYTES = 32 << 20
"""Smaller files are read as quickly as what is kept of them."""
_SETTLED_NS = 2_000_000_000
"""A file that changed this lately may change again without a newer time: some disks count in seconds."""


@frozen(kw_only=True)
class Seen:
    """A file as it was when it was read."""

    device: int
    inode: int
    size_bytes: int
    mtime_ns: int
    sha256: str


def checksum(model: ModelBytes, folder: Path) -> str:
    """The SHA-256 of a file, in hexadecimal: read now, or as it was when the file last was as it is.

    Args:
        model: The file.
        folder: Where checksums are kept. One that cannot be written keeps none.

    Raises:
        ModelDamaged: The file cannot be read.
    """
    status = model.status
    if status.st_size < _WORTH_BYTES:
        return model.sha256()
    kept = folder / f"{hashlib.sha256(bytes(model.path.absolute())).hexdigest()[:32]}.json"
    seen = records.read(kept, Seen)
    now = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
    if seen is not None and (seen.device, seen.inode, seen.size_bytes, seen.mtime_ns) == now:
        return seen.sha256
    settled = time.time_ns() - status.st_mtime_ns > _SETTLED_NS
    sha256 = model.sha256()
    if settled:
        device, inode, size_bytes, mtime_ns = now
        with suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True)
            records.write(
                kept, Seen(device=device, inode=inode, size_bytes=size_bytes, mtime_ns=mtime_ns, sha256=sha256)
            )
    return sha256
