"""Checksums that one program leaves for the next."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from whispercore.models import seen
from whispercore.models.seen import checksum
from whispercore.models.verify import ModelBytes

LONG_AGO_NS = 1_700_000_000_000_000_000


@pytest.fixture(autouse=True)
def _small_files_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seen, "_WORTH_BYTES", 1)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "own.bin"
    write(path, b"weights")
    return path


def write(path: Path, content: bytes, mtime_ns: int = LONG_AGO_NS) -> None:
    path.write_bytes(content)
    os.utime(path, ns=(mtime_ns, mtime_ns))


def asked(path: Path, folder: Path) -> str:
    with ModelBytes(path) as model:
        return checksum(model, folder)


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_a_file_that_stayed_as_it_was_is_not_read_again(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert asked(path, tmp_path / "seen") == sha256(b"weights")
    monkeypatch.setattr(ModelBytes, "sha256", lambda _: pytest.fail("it was read"))
    assert asked(path, tmp_path / "seen") == sha256(b"weights")


@pytest.mark.parametrize("change", ["time", "size", "file"])
def test_a_file_that_changed_is_read_again(path: Path, tmp_path: Path, change: str) -> None:
    asked(path, tmp_path / "seen")
    if change == "time":
        write(path, b"WEIGHTS", LONG_AGO_NS + 1)
    elif change == "size":
        write(path, b"heavy weights")
    else:
        other = tmp_path / "other"
        write(other, b"WEIGHTS")
        other.replace(path)
    assert asked(path, tmp_path / "seen") == sha256(path.read_bytes())


def test_what_may_still_change_is_not_kept(path: Path, tmp_path: Path) -> None:
    path.write_bytes(b"weights")
    assert asked(path, tmp_path / "seen") == sha256(b"weights")
    assert not (tmp_path / "seen").exists()


def test_a_record_that_makes_no_sense_counts_for_nothing(path: Path, tmp_path: Path) -> None:
    folder = tmp_path / "seen"
    asked(path, folder)
    (record,) = folder.iterdir()
    record.write_bytes(record.read_bytes()[:20])
    assert asked(path, folder) == sha256(b"weights")
    assert len(record.read_bytes()) > 20


def test_a_folder_that_cannot_be_written_keeps_nothing(path: Path, tmp_path: Path) -> None:
    (tmp_path / "seen").write_text("a file is in its place")
    assert asked(path, tmp_path / "seen") == sha256(b"weights")


def test_small_files_are_just_read(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seen, "_WORTH_BYTES", 100)
    assert asked(path, tmp_path / "seen") == sha256(b"weights")
    assert not (tmp_path / "seen").exists()
