"""How a part lies in the store: sealed to the key of its file, and made smaller before where that pays.

Each part is an age file of its own, so that any of them can be read without the others.
"""

from __future__ import annotations

import hashlib
import sys
from typing import Final, Literal, Self

from attrs import frozen

from whispercore.encryption import age_file
from whispercore.errors import SealBroken

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

Encoding = Literal["clear", "age", "zstd+age"]
_LEVEL: Final = 1
"""The quickest: recordings that are worth it at all, like WAV, hardly get smaller by more."""
_SAMPLE_BYTES: Final = 1 << 16
_SAMPLES: Final = 3
_WORTH: Final = 0.9
"""What a sample must shrink to. Most media are compressed already, and would only cost time."""


@frozen(kw_only=True)
class Stored:
    """What is put into the store for some bytes."""

    data: bytes | bytearray | memoryview
    encoding: Encoding
    sha256: str | None
    """Of ``data``; None where that is the bytes themselves, which have a checksum."""

    @classmethod
    def of(cls, data: bytes | bytearray | memoryview) -> Self:
        """Bytes in clear."""
        return cls(data=data, encoding="clear", sha256=None)

    @classmethod
    def as_sent(cls, data: bytes | bytearray | memoryview) -> Self:
        """An age file that came as it is. Blocks."""
        return cls(data=data, encoding="age", sha256=hashlib.sha256(data).hexdigest())


def sealed(data: bytes | bytearray | memoryview, recipient: str, into: bytearray | None = None) -> Stored:
    """Seal bytes to the public key of their file. Blocks.

    Args:
        data: Some bytes.
        recipient: The public key.
        into: Memory to write them to, if it is large enough.
    """
    pays = _pays(memoryview(data))
    stored = age_file.seal(zstd.compress(data, _LEVEL) if pays else data, recipient, into)
    return Stored(data=stored, encoding="zstd+age" if pays else "age", sha256=hashlib.sha256(stored).hexdigest())


def unsealed(
    stored: bytes, encoding: Encoding, identity: str | None, size_bytes: int, into: bytearray | None = None
) -> bytes | memoryview:
    """The bytes that were sealed. Blocks.

    Args:
        stored: What lies in the store.
        encoding: How it was made.
        identity: The secret key of their file.
        size_bytes: How many they are. No more are unpacked.
        into: Memory to write them to, if it is large enough.

    Raises:
        SealBroken: It was sealed to another key, or has changed.
    """
    if encoding == "clear":
        return stored
    if identity is None:
        raise SealBroken
    data = age_file.unseal(stored, identity, into)
    return _unpacked(data, size_bytes) if encoding == "zstd+age" else data


def _pays(data: memoryview) -> bool:
    """Whether it becomes smaller, judged by samples from all of it."""
    step = max(0, len(data) - _SAMPLE_BYTES) // (_SAMPLES - 1)
    samples = [data[at : at + _SAMPLE_BYTES] for at in {number * step for number in range(_SAMPLES)}]
    packed = sum(len(zstd.compress(sample, _LEVEL)) for sample in samples)
    return packed < _WORTH * sum(map(len, samples))


def _unpacked(data: memoryview, size_bytes: int) -> bytes:
    unpacking = zstd.ZstdDecompressor()
    try:
        whole = unpacking.decompress(data, size_bytes)
    except zstd.ZstdError as error:
        raise SealBroken from error
    if not unpacking.eof and unpacking.decompress(b"", 1):
        raise SealBroken
    return whole
