"""Checksums of parts, those of older versions included."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit.files.bytes_of_files import sample
from whispercore.files.checksums import checksum_of, matches, matches_file

DATA = sample((1 << 20) + 7)


def older(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def test_it_is_the_published_algorithm() -> None:
    """Of nothing, from the sanity checks of xxHash."""
    assert checksum_of(b"") == "xxh3_128:99aa06d3014798d86001c324468d497f"


@pytest.mark.parametrize("make", [checksum_of, older])
@pytest.mark.parametrize("data", [b"", b"x", DATA])
def test_every_flipped_byte_is_seen(tmp_path: Path, make: Callable[[bytes], str], data: bytes) -> None:
    checksum, path = make(data), tmp_path / "part"
    path.write_bytes(data)
    assert matches(checksum, data)
    assert matches(checksum, memoryview(data))
    assert matches_file(checksum, path)
    others = [data + b"\0", data[:-1], data[1:]] if data else [b"\0"]
    others += [data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :] for at in {0, len(data) // 2, len(data) - 1} if data]
    for other in others:
        if other != data:
            path.write_bytes(other)
            assert not matches(checksum, other)
            assert not matches_file(checksum, path)


@pytest.mark.parametrize("checksum", ["", ":", "sha256", "md5:d41d8cd98f00b204e9800998ecf8427e", "sha256:", "x:y:z"])
def test_what_is_no_checksum_fits_nothing(tmp_path: Path, checksum: str) -> None:
    path = tmp_path / "part"
    path.write_bytes(b"")
    assert not matches(checksum, b"")
    assert not matches_file(checksum, path)


def test_a_file_that_is_gone_is_no_answer(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        matches_file(checksum_of(b""), tmp_path / "gone")
