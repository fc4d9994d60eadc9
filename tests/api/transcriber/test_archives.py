"""Many recordings in one archive, and archives that are up to something."""

from __future__ import annotations

import io
import struct
import warnings
import zipfile
from pathlib import Path

import pytest

from tests.api.conftest import MakeServer
from tests.batches import over, stored, zipped
from tests.both_clients import Both, both
from tests.visitor import Visitor, registered
from whispercore.api.transcriber.batches import BatchDetail
from whispercore.errors import InvalidRequest, WhispercoreError


async def test_an_archive_is_unpacked(client: Both, audio: Path) -> None:
    clip = (audio / "clip01-en.wav").read_bytes()
    archive = zipped(
        {
            "folder/clip01-en.wav": clip,
            "../../etc/évil.wav": clip,
            "__MACOSX/._clip01-en.wav": b"x",
            "inner.zip": zipped({"clip.wav": clip}),
            "empty.wav": b"",
        }
    )
    made: BatchDetail = await client.call(lambda c: c.batches.create(archive=archive, model="micro", language="en"))
    assert [one.filename for one in made.files] == ["clip01-en.wav", "évil.wav", "inner.zip", "empty.wav"]
    done = await over(client, made.batch_id)
    assert [one.status for one in done.files] == ["completed", "completed", "failed", "failed"]
    assert done.files[2].error == "it is an archive itself, which is not unpacked"
    assert done.files[3].failure_reason == "not_media"


def bomb() -> bytes:
    return zipped({f"{number}.wav": bytes(30 << 20) for number in range(5)})


def lying_bomb() -> bytes:
    """Entries that say they are small."""
    made = bytearray(bomb())
    size = (30 << 20).to_bytes(4, "little")
    while (at := made.find(size)) >= 0:
        made[at : at + 4] = (1000).to_bytes(4, "little")
    return bytes(made)


def wordy() -> bytes:
    """An archive that is nearly all directory, whose entries are all the same one."""
    made = zipped({"a.wav": b"x"})
    begin = made.index(b"PK\1\2")
    directory = made[begin : made.index(b"PK\5\6")] * 100_000
    number = 100_000
    end = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, number, number, len(directory), begin)
    where = struct.pack("<4sLQL", b"PK\6\7", 0, begin + len(directory), 1)
    last = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    return made[:begin] + directory + end + where + last


def claiming(size_bytes: int) -> bytes:
    """An archive with an entry that says, in 64 bits, that it is so large."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        entry = zipfile.ZipInfo("a.wav")
        archive.writestr(entry, b"x")
        entry.file_size = size_bytes  # of this, the directory tells
    return made.getvalue()


@pytest.mark.parametrize(
    ("archive", "why"),
    [
        (bomb(), "measure|bomb|validation"),
        (b"PK\x03\x04 and nothing behind", "no ZIP"),
        (zipped({}), "no file"),
        (zipped({"folder/": b""}), "no file"),
        (zipped({f"{number}.wav": b"x" for number in range(101)}), "101 files"),
        (zipped({f"{number}/": b"" for number in range(10_001)}), "10001 entries"),
        (wordy(), "directory is too long"),
    ],
    ids=["bomb", "broken", "empty", "folder", "many", "folders", "wordy"],
)
async def test_archives_that_are_refused(client: Both, newcomer: Visitor, archive: bytes, why: str) -> None:
    before = stored(newcomer)
    with pytest.raises(WhispercoreError, match=f"(?i){why}"):
        await client.call(lambda c: c.batches.create(archive=archive, model="micro"))
    assert stored(newcomer) == before
    assert newcomer.get("/api/v1/batch/").json()["total"] == 0


@pytest.mark.parametrize("archive", [bomb(), claiming(1 << 40)], ids=["bomb", "claiming"])
async def test_a_bomb_is_refused_where_nothing_is_screened(make_server: MakeServer, archive: bytes, kind: str) -> None:
    server = make_server(worker=False, screening="off")
    ann = registered(server)
    async with both(kind, server.url, token=ann.token) as client:
        with pytest.raises(InvalidRequest, match="grows beyond measure"):
            await client.call(lambda c: c.batches.create(archive=archive, model="micro"))
    assert stored(ann) == 0
    assert ann.get("/api/v1/batch/").json()["total"] == 0


def encrypted(data: bytes) -> bytes:
    """An archive whose only entry says that it is encrypted."""
    made = bytearray(data)
    for signature, flags in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        made[made.index(signature) + flags] |= 1
    return bytes(made)


def odd(clip: bytes) -> bytes:
    """An archive with names and entries that few programs make."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # two with one name
        for name in ("same.wav", "same.wav", "", "C:\\boot\\..\\.wav", "..", "a\u202egnp.wav", "n" * 300 + ".wav"):
            archive.writestr(zipfile.ZipInfo(name), clip)
        link = zipfile.ZipInfo("link.wav")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
    return made.getvalue()


async def test_odd_entries_are_files_like_others(client: Both, audio: Path) -> None:
    clip = (audio / "clip01-en.wav").read_bytes()
    made: BatchDetail = await client.call(lambda c: c.batches.create(archive=odd(clip), model="micro", language="en"))
    done = await over(client, made.batch_id)
    assert [one.filename for one in done.files] == [
        *("same.wav", "same.wav", "unnamed", ".wav", "unnamed", "agnp.wav"),
        "n" * 251 + ".wav",
        "link.wav",
    ]
    assert [one.status for one in done.files] == [*["completed"] * 7, "failed"]
    assert len({one.job_id for one in done.files}) == len(done.files)


async def test_what_is_encrypted_stays_in(client: Both) -> None:
    archive = encrypted(zipped({"a.wav": b"x" * 100}))
    made: BatchDetail = await client.call(lambda c: c.batches.create(archive=archive, model="micro"))
    assert [(one.filename, one.failure_reason, one.error) for one in made.files] == [
        ("a.wav", "not_unpacked", "it is encrypted")
    ]


async def test_an_archive_that_lies_gives_nothing_out(client: Both, newcomer: Visitor) -> None:
    made: BatchDetail = await client.call(lambda c: c.batches.create(archive=lying_bomb(), model="micro"))
    assert {one.failure_reason for one in made.files} == {"not_unpacked"}
    assert made.status == "failed"
    assert newcomer.get("/api/jobs/").json()["total"] == 0
