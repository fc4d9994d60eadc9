"""An installation comes back whole, or not at all; whatever is in an archive of strangers."""

from __future__ import annotations

import hashlib
import io
import json
import os
import random
import resource
import shutil
import sqlite3
import tarfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.unit.backup.a_house import ADMIN, house, noise, restore
from whispercore.backup.new_database import InFile
from whispercore.backup.reading import Reading
from whispercore.backup.restoring import Restoring
from whispercore.errors import BackupDamaged, Cancelled, InvalidOption, SchemaTooNew, StorageFull


@pytest.fixture
async def archive(tmp_path: Path) -> Path:
    """Of two jobs with a recording each."""
    async with house(tmp_path / "data") as here:
        for number in range(2):
            await here.job(noise(5000, number))
        record = await here.backups.create(ADMIN)
        copy = tmp_path / "backup.tar"
        shutil.copy(here.archives / f"{record.id}.tar", copy)
    return copy


def refused(archive: Path, tmp_path: Path, match: str) -> None:
    """By both who look at it and who restore it; nothing is left of it."""
    with pytest.raises(BackupDamaged, match=match):
        Reading(path=archive).read()
    refused_by_restoring(archive, tmp_path, match)


def refused_by_restoring(archive: Path, tmp_path: Path, match: str, kind: type[Exception] = BackupDamaged) -> None:
    target = tmp_path / "new"
    with pytest.raises(kind, match=match):
        restore(archive, target)
    assert list(target.iterdir()) == []


Members = list[tuple[tarfile.TarInfo, bytes]]


def members(archive: Path) -> Members:
    with tarfile.open(archive) as tar:
        return [(info, reader.read()) for info in tar if (reader := tar.extractfile(info)) is not None]


def write(archive: Path, found: Members) -> None:
    with tarfile.open(archive, "w", format=tarfile.GNU_FORMAT) as tar:
        for info, data in found:
            info.size = len(data) if info.isreg() else info.size
            tar.addfile(info, io.BytesIO(data))


def listed(found: Members) -> Members:
    """With a list of members that is true again."""
    lines = [
        json.dumps({"name": info.name, "size_bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()})
        for info, data in found[:-1]
    ]
    return [*found[:-1], (found[-1][0], "".join(f"{line}\n" for line in lines).encode())]


def test_the_rebuilt_archive_of_these_tests_is_a_good_one(archive: Path, tmp_path: Path) -> None:
    write(archive, listed(members(archive)))
    assert restore(archive, tmp_path / "new").manifest.files == 2


# ---------------------------------------------------------------- where it goes


def test_an_installation_is_not_written_over(archive: Path, tmp_path: Path) -> None:
    restore(archive, tmp_path / "new")
    before = sorted((tmp_path / "new").rglob("*"))
    with pytest.raises(InvalidOption, match="there is a database already"):
        restore(archive, tmp_path / "new")
    (tmp_path / "new" / "whispercore.db").unlink()
    with pytest.raises(InvalidOption, match="there are files already"):
        restore(archive, tmp_path / "new")
    assert sorted((tmp_path / "new").rglob("*")) == [path for path in before if path.name != "whispercore.db"]


@pytest.mark.parametrize("ending", ["-wal", "-shm", "-journal"])
def test_what_another_database_left_would_be_mixed_into_it(archive: Path, tmp_path: Path, ending: str) -> None:
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / f"whispercore.db{ending}").write_bytes(b"")
    with pytest.raises(InvalidOption, match="already"):
        restore(archive, tmp_path / "new")


def test_the_key_of_the_audit_trail_and_empty_folders_may_be_there(archive: Path, tmp_path: Path) -> None:
    target = tmp_path / "new"
    (target / "files" / "staging").mkdir(parents=True)
    shutil.copy(tmp_path / "data" / "audit.key", target)
    (target / ".restoring-of-one-that-was-killed").mkdir()
    restore(archive, target)
    assert sorted(path.name for path in target.iterdir()) == ["audit.key", "files", "whispercore.db"]


def test_the_database_may_be_elsewhere(archive: Path, tmp_path: Path) -> None:
    database = tmp_path / "databases" / "ours.db"
    Restoring(path=archive, data=tmp_path / "new", database=InFile(database)).restore()
    assert database.is_file()
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["files"]


def test_a_full_disk_leaves_nothing(archive: Path, tmp_path: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, before[1]))
    try:
        refused_by_restoring(archive, tmp_path, "full", StorageFull)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_last_step_that_fails_leaves_nothing(archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rename = Path.rename

    def fails(self: Path, target: Any) -> Path:
        if Path(target).name == "whispercore.db":
            raise PermissionError(13, "Permission denied")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", fails)
    with pytest.raises(PermissionError):
        restore(archive, tmp_path / "new")
    assert [path for path in (tmp_path / "new").rglob("*") if path.is_file()] == []
    monkeypatch.undo()
    restore(archive, tmp_path / "new")


# ---------------------------------------------------------------- what is in it


def test_an_archive_that_was_cut_off_anywhere_is_refused(archive: Path, tmp_path: Path) -> None:
    whole = archive.read_bytes()
    used = len(whole.rstrip(b"\0")) + 1
    cuts = {0, 1, 511, 512, 513, used // 2, used - 1, used} | set(random.Random(5).sample(range(used), 20))  # noqa: S311 (any will do)
    for cut in sorted(cuts):
        archive.write_bytes(whole[:cut])
        refused(archive, tmp_path, "it breaks off|its list|its manifest|no archive|is missing")


def test_any_byte_that_changed_is_found(archive: Path, tmp_path: Path) -> None:
    """But for those that mean nothing: padding, and times and owners in headers, which a checksum guards too."""
    whole = archive.read_bytes()
    with tarfile.open(archive) as tar:
        places = [at for info in tar for at in _some(info.offset_data, info.offset_data + info.size)]
        # Behind the digits of its checksum a header has a space and a null, in whatever order.
        places += [at for info in tar.getmembers() for at in _some(info.offset, info.offset + 148)]
        places += [at for info in tar.getmembers() for at in _some(info.offset + 156, info.offset + 500)]
    for at in places:
        data = bytearray(whole)
        data[at] ^= 0x20
        archive.write_bytes(data)
        refused(archive, tmp_path, ".")


def _some(first: int, last: int) -> Iterator[int]:
    yield from random.Random(first).sample(range(first, last), min(8, last - first))  # noqa: S311 (any will do)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0" * 512,
        b"\0" * 4096,
        b"PK\x03\x04" + bytes(2000),
        b"\x1f\x8b" + bytes(2000),
        b"SQLite format 3\0" + bytes(2000),
        b"{" * 5000,
    ],
)
def test_something_else_is_no_backup(content: bytes, tmp_path: Path) -> None:
    archive = tmp_path / "backup.tar"
    archive.write_bytes(content)
    refused(archive, tmp_path, ".")


HOSTILE_NAMES = [
    "../evil",
    "/tmp/evil",
    "files/../../evil",
    "files/./0",
    "files//0",
    "files/a/../0",
    "files/a/00",
    "files/a/-1",
    "files/a/0/1",
    "files/a",
    "files\\a\\0",
    "files/a/0\n",
    "files/a/1e1",
    "audit.key",
    "manifest.json",
    "database.sqlite",
    "x" * 99,
]


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_a_member_with_another_name_is_refused(archive: Path, tmp_path: Path, name: str) -> None:
    found = members(archive)
    write(archive, listed([*found[:-1], (tarfile.TarInfo(name), b"evil"), found[-1]]))
    refused(archive, tmp_path, "is no name|not where it belongs|comes twice|no archive")
    assert not Path("/tmp/evil").exists()
    assert not list(tmp_path.rglob("evil"))


@pytest.mark.parametrize(
    "kind",
    [
        tarfile.SYMTYPE,
        tarfile.LNKTYPE,
        tarfile.CHRTYPE,
        tarfile.BLKTYPE,
        tarfile.FIFOTYPE,
        tarfile.DIRTYPE,
        tarfile.CONTTYPE,
        tarfile.GNUTYPE_SPARSE,
        tarfile.GNUTYPE_LONGNAME,
        tarfile.GNUTYPE_LONGLINK,
        tarfile.XHDTYPE,
        tarfile.XGLTYPE,
        b"Z",
    ],
)
def test_what_is_no_plain_file_is_refused_unread(archive: Path, tmp_path: Path, kind: bytes) -> None:
    found = members(archive)
    link = tarfile.TarInfo("files/zz/0")
    link.type, link.linkname = kind, "/etc/passwd"
    header = link.tobuf(tarfile.GNU_FORMAT)
    whole = archive.read_bytes()
    with tarfile.open(archive) as tar:
        at = tar.getmembers()[-1].offset
    assert found
    archive.write_bytes(whole[:at] + header + whole[at:])
    refused(archive, tmp_path, "no plain file")


def test_a_member_that_says_it_is_larger_than_the_archive_takes_no_room(archive: Path, tmp_path: Path) -> None:
    whole = archive.read_bytes()
    with tarfile.open(archive) as tar:
        at = tar.getmembers()[-1].offset
    for size in (1 << 50, (1 << 33) - 1):
        bomb = tarfile.TarInfo("files/zz/0")
        bomb.size = size
        archive.write_bytes(whole[:at] + bomb.tobuf(tarfile.GNU_FORMAT) + whole[at:])
        refused(archive, tmp_path, "breaks off")


def test_a_huge_manifest_is_not_read(archive: Path, tmp_path: Path) -> None:
    found = members(archive)
    write(archive, [(found[0][0], b" " * (2 << 20)), *found[1:]])
    refused(archive, tmp_path, "manifest has")


@pytest.mark.parametrize(
    "line", [b"{}\n", b"[]\n", b"null\n", b'{"name": 1}\n', b'{"name": "x", "more": 1}\n', b"x" * 10_000, b"\xff\n"]
)
def test_a_list_that_is_none_is_refused(archive: Path, tmp_path: Path, line: bytes) -> None:
    found = members(archive)
    write(archive, [*found[:-1], (found[-1][0], line)])
    refused(archive, tmp_path, "list")


@pytest.mark.parametrize(
    "change",
    [
        lambda one: one.update(format=2),
        lambda one: one.update(format="1"),
        lambda one: one.update(more=1),
        lambda one: one.pop("rows"),
        lambda one: one.update(rows=[]),
        lambda one: one.update(created_at="now"),
    ],
)
def test_another_manifest_is_refused(archive: Path, tmp_path: Path, change: Callable[[Any], Any]) -> None:
    found = members(archive)
    manifest = json.loads(found[0][1])
    change(manifest)
    write(archive, listed([(found[0][0], json.dumps(manifest).encode()), *found[1:]]))
    refused(archive, tmp_path, "manifest|format")


def test_members_that_are_not_where_they_belong_are_refused(archive: Path, tmp_path: Path) -> None:
    manifest, database, one, two, last = members(archive)
    for order in (
        [manifest, one, database, two, last],
        [manifest, database, two, one, last],
        [manifest, database, one, one, two, last],
        [database, manifest, one, two, last],
        [manifest, last],
        [manifest, database, one, two],
        [manifest, database, one, last, two],
        [manifest, database, one, two, last, last],
        [manifest, database, database, one, two, last],
    ):
        write(archive, [(tarfile.TarInfo(info.name), data) for info, data in order])
        refused(archive, tmp_path, ".")


def test_what_follows_the_end_is_refused(archive: Path, tmp_path: Path) -> None:
    whole = archive.read_bytes()
    archive.write_bytes(whole + b"x")
    refused(archive, tmp_path, "follows its end")
    archive.write_bytes(whole + whole)
    refused(archive, tmp_path, "follows its end")


def test_a_recording_that_the_database_knows_has_to_be_there(archive: Path, tmp_path: Path) -> None:
    found = members(archive)
    write(archive, listed([*found[:2], *found[3:]]))
    assert Reading(path=archive).read().manifest.files == 2
    refused_by_restoring(archive, tmp_path, "knows of files/")


def changed(archive: Path, tmp_path: Path, *statements: str) -> None:
    """Change the database in it."""
    found, place = members(archive), tmp_path / "changed.sqlite"
    place.write_bytes(found[1][1])
    with closing(sqlite3.connect(place, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
        for statement in statements:
            connection.execute(statement)
    write(archive, listed([found[0], (found[1][0], place.read_bytes()), *found[2:]]))
    place.unlink()


def test_a_database_of_a_newer_version_is_refused(archive: Path, tmp_path: Path) -> None:
    changed(archive, tmp_path, "UPDATE whispercore_version SET version_num = '9999'")
    refused_by_restoring(archive, tmp_path, "newer", SchemaTooNew)


def test_a_database_of_something_else_is_refused(archive: Path, tmp_path: Path) -> None:
    changed(archive, tmp_path, "DROP TABLE whispercore_version")
    refused_by_restoring(archive, tmp_path, "none of whispercore")
    changed(archive, tmp_path, "DELETE FROM jobs")
    refused_by_restoring(archive, tmp_path, ".")


def test_a_database_that_is_none_is_refused(archive: Path, tmp_path: Path) -> None:
    found = members(archive)
    for data in (b"", b"not a database" * 1000, found[1][1][:4096], os.urandom(8192)):
        write(archive, listed([found[0], (found[1][0], data), *found[2:]]))
        refused_by_restoring(archive, tmp_path, "database", Exception)


def test_it_can_be_stopped(archive: Path, tmp_path: Path) -> None:
    restoring = Restoring(path=archive, data=tmp_path / "new", database=InFile(tmp_path / "new" / "whispercore.db"))
    restoring.stopped.set()
    with pytest.raises(Cancelled):
        restoring.restore()
    assert list((tmp_path / "new").iterdir()) == []
