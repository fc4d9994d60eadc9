"""Recordings that are encrypted before they are sent."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import io
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyrage
import pytest
import requests
from pyrage import x25519
from sqlalchemy import select

from tests.both_clients import both
from tests.live import Live, live, settings_for
from tests.on_disk import in_clear
from tests.speech import samples, write_wav
from tests.visitor import Visitor, registered
from whispercore.api.transcriber.job_options import JobOptions
from whispercore.database.tables import key_wraps
from whispercore.encryption import age_file
from whispercore.encryption.key_pairs import WORKERS
from whispercore.errors import EncryptedForAnother, InvalidOption

MB = 1 << 20


@pytest.fixture(scope="module")
def sealing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """A server whose folder has nothing in it but what these tests bring, in parts of a megabyte."""
    settings = settings_for(tmp_path_factory.mktemp("sealing"), part_mb=1, max_direct_upload_mb=3, reuse_results=False)
    with live(settings) as server:
        yield server


@pytest.fixture
def ada(sealing: Live) -> Visitor:
    return registered(sealing)


@pytest.fixture(scope="module")
def long(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recording of two parts."""
    return write_wav(tmp_path_factory.mktemp("long") / "long.wav", samples("talk.wav")[: 40 * 16_000])


@pytest.fixture
def key() -> x25519.Identity:
    """The key of a recording."""
    return x25519.Identity.generate()


def left(server: Live, data: bytes) -> list[Path]:
    return in_clear(server.ports.settings.data, data)


def cut(data: bytes, key: x25519.Identity) -> list[bytes]:
    """Its parts, each encrypted."""
    return [bytes(age_file.seal(data[at : at + MB], str(key.to_public()))) for at in range(0, len(data), MB)]


def sent(visitor: Visitor, parts: Sequence[bytes], data: bytes, wrap: bytes, **headers: str) -> requests.Response:
    """Send encrypted parts by hand."""
    said = {
        "X-Encrypted-Key": base64.b64encode(wrap).decode(),
        "X-Plain-SHA256": hashlib.sha256(data).hexdigest(),
        **headers,
    }
    return visitor.post(
        "/api/v1/files/upload",
        files={"file": ("talk.wav", b"".join(parts))},
        data={"model": "micro"},
        headers={name: value for name, value in said.items() if value},
    )


def for_server(visitor: Visitor, text: str) -> bytes:
    """A text, encrypted for the server."""
    server = visitor.get("/api/v1/keys/server").json()
    assert (server["part_bytes"], server["sender_id"]) == (MB, visitor.user_id)
    wrap: bytes = pyrage.encrypt(text.encode(), [x25519.Recipient.from_str(server["public_key"])])
    return wrap


def wrapped(visitor: Visitor, key: x25519.Identity) -> bytes:
    """The key of a recording, encrypted for the server."""
    return for_server(visitor, f"# sender: {visitor.user_id}\n{key}\n")


async def test_what_the_client_encrypts_is_opened_with_its_own_key_and_pyrage_alone(
    sealing: Live, ada: Visitor, kind: str, long: Path
) -> None:
    mine = x25519.Identity.generate()
    data = await asyncio.to_thread(long.read_bytes)
    async with both(kind, sealing.url, token=ada.token) as client:
        await client.call(lambda c: c.files_v1.keys.replace(public_key=str(mine.to_public())))
        told: list[tuple[int, int | None]] = []
        file = await client.with_options(on_upload=lambda done, of: told.append((done, of))).call(
            lambda c: c.upload_encrypted(
                long, own_key=str(mine.to_public()), options=JobOptions(model="micro", language="en")
            )
        )
        assert (file.name, file.size_bytes, file.sha256) == ("long.wav", len(data), hashlib.sha256(data).hexdigest())
        assert told[-1][0] == told[-1][1]
        wrap = base64.b64decode((await client.call(lambda c: c.files_v1.keys.get(file.id))).encrypted_key)
    sender, text = pyrage.decrypt(wrap, [mine]).decode().splitlines()
    assert sender == f"# sender: {ada.user_id}"
    key = x25519.Identity.from_str(text)
    parts = sealing.run(sealing.ports.files.get(file.id)).parts
    assert [part.size_bytes for part in parts] == [MB, len(data) - MB]
    folder = sealing.ports.settings.data / "files" / "files" / file.id
    assert b"".join(pyrage.decrypt((folder / str(part.number)).read_bytes(), [key]) for part in parts) == data
    assert ada.finished(file.job_id)["status"] == "completed"
    assert ada.get(f"/api/v1/files/{file.id}/download").content == data
    ranged = ada.get(f"/api/v1/files/{file.id}/download", headers={"Range": f"bytes={MB - 5}-{MB + 4}"})
    assert (ranged.status_code, ranged.content) == (206, data[MB - 5 : MB + 5])
    assert left(sealing, data) == []


def test_parts_lie_in_the_store_as_they_were_sent(
    sealing: Live, ada: Visitor, key: x25519.Identity, audio: Path
) -> None:
    data = (audio / "clip01-en.wav").read_bytes()
    parts = cut(data, key)
    answer = sent(ada, parts, data, wrapped(ada, key))
    assert answer.status_code == 201, answer.text
    assert ada.finished(answer.json()["job_id"])["status"] == "completed"
    folder = sealing.ports.settings.data / "files" / "files" / answer.json()["id"]
    assert [(folder / str(number)).read_bytes() for number in range(len(parts))] == parts
    assert left(sealing, data) == []


def test_a_share_of_it_opens_for_its_reader(sealing: Live, ada: Visitor, key: x25519.Identity, audio: Path) -> None:
    bob = registered(sealing)
    mine = x25519.Identity.generate()
    bob.send("PUT", "/api/v1/keys/me", json={"public_key": str(mine.to_public())})
    data = (audio / "clip01-en.wav").read_bytes()
    file_id = sent(ada, cut(data, key), data, wrapped(ada, key)).json()["id"]
    assert ada.post(f"/api/v1/keys/files/{file_id}/shares/{bob.user_id}").status_code == 201
    wrap = base64.b64decode(bob.get(f"/api/v1/keys/files/{file_id}/key").json()["encrypted_key"])
    assert pyrage.decrypt(wrap, [mine]).decode() == str(key)


def test_who_comes_by_a_key_has_it_opened_by_nobody(
    sealing: Live, ada: Visitor, key: x25519.Identity, audio: Path
) -> None:
    """Whether he saw it on its way, or has a copy of the database: the server would open it for him."""
    data = (audio / "clip01-en.wav").read_bytes()
    seen = wrapped(ada, key)
    file_id = sent(ada, cut(data, key), data, seen).json()["id"]
    query = select(key_wraps.c.wrap).where(key_wraps.c.file_id == file_id, key_wraps.c.reader_id == WORKERS)
    stolen = base64.b64decode(sealing.run(sealing.ports.database.rows(query))[0].wrap)
    bob = registered(sealing)
    for wrap, why in ((seen, "it is another user's"), (stolen, "its first line has to be")):
        refused = sent(bob, cut(data, key), data, wrap)
        assert (refused.status_code, refused.json()["details"]["field"]) == (400, "X-Encrypted-Key"), refused.text
        assert why in refused.text
        assert str(key) not in refused.text
    assert bob.get("/api/v1/files").json()["total"] == 0


def test_who_has_the_key_of_the_server_for_his_own_harms_nobody(
    sealing: Live, ada: Visitor, key: x25519.Identity, audio: Path
) -> None:
    servers = ada.get("/api/v1/keys/server").json()["public_key"]
    assert ada.send("PUT", "/api/v1/keys/me", json={"public_key": servers}).status_code == 200
    data = (audio / "clip01-en.wav").read_bytes()
    answer = sent(ada, cut(data, key), data, wrapped(ada, key), **{"X-Encrypted-For": servers})
    assert answer.status_code == 201, answer.text
    assert ada.finished(answer.json()["job_id"])["status"] == "completed"


def flipped(part: bytes) -> bytes:
    return part[:-1] + bytes([part[-1] ^ 1])


def spoilt(parts: list[bytes]) -> Iterator[tuple[list[bytes], str, dict[str, object]]]:
    """Three parts in ways that are not right, and what is said of each."""
    first, second, third = parts
    yield [second, first, third], "WRONG_CHECKSUM", {"what": "the file"}
    yield [first, second], "WRONG_CHECKSUM", {"what": "the file"}
    yield [first, third], "WRONG_CHECKSUM", {"what": "the file"}
    yield [], "WRONG_CHECKSUM", {"what": "the file"}
    yield [first, second, third[:-1]], "ENCRYPTED_PART_DAMAGED", {"number": 2, "part_bytes": MB}
    yield [first, flipped(second), third], "ENCRYPTED_PART_DAMAGED", {"number": 1}
    yield [first[:-1], second, third], "ENCRYPTED_PART_DAMAGED", {"number": 0}
    yield [third, first], "ENCRYPTED_PART_DAMAGED", {"number": 0}
    yield [first, second, third, b"more"], "ENCRYPTED_PART_DAMAGED", {"number": 2}
    yield [bytes(1000)], "ENCRYPTED_PART_DAMAGED", {"number": 0}


def test_what_is_not_what_was_declared_leaves_nothing(sealing: Live, ada: Visitor, key: x25519.Identity) -> None:
    data = os.urandom(2 * MB + 1000)
    wrap = wrapped(ada, key)
    for parts, code, details in spoilt(cut(data, key)):
        answer = sent(ada, parts, data, wrap)
        assert (answer.status_code, answer.json()["code"]) == (400, code), answer.text
        assert details.items() <= answer.json()["details"].items()
    assert ada.get("/api/v1/files").json()["total"] == 0
    staging = sealing.ports.settings.data / "files" / "staging"
    assert [path for path in staging.rglob("*") if path.is_file()] == []


def test_a_key_for_somebody_else_is_refused_before_the_body_is_read(
    sealing: Live, ada: Visitor, key: x25519.Identity
) -> None:
    server_key = ada.get("/api/v1/keys/server").json()["public_key"]
    other = x25519.Identity.generate()
    for_other = pyrage.encrypt(str(key).encode(), [other.to_public()])
    no_key = for_server(ada, f"# sender: {ada.user_id}\nnonsense")
    refused = sent(ada, [], b"", for_other)
    assert (refused.status_code, refused.json()["code"]) == (400, "ENCRYPTED_FOR_ANOTHER")
    assert refused.json()["details"] == {"whose": "the server", "public_key": server_key}
    wrap = wrapped(ada, key)
    not_mine = sent(ada, [], b"", wrap, **{"X-Encrypted-For": str(other.to_public())})
    own = ada.get("/api/v1/keys/me").json()["public_key"]
    assert not_mine.json()["code"] == "ENCRYPTED_FOR_ANOTHER"
    assert not_mine.json()["details"] == {"whose": "you", "public_key": own}
    for answer, field in (
        (sent(ada, [], b"", no_key), "X-Encrypted-Key"),
        (sent(ada, [], b"", wrap, **{"X-Encrypted-Key": "no base64!"}), "X-Encrypted-Key"),
        (sent(ada, [], b"", wrap, **{"X-Encrypted-Key": ""}), "X-Encrypted-Key"),
        (sent(ada, [], b"", wrap, **{"X-Plain-SHA256": ""}), "X-Plain-SHA256"),
        (sent(ada, [], b"", wrap, **{"X-Plain-SHA256": "abc"}), "X-Plain-SHA256"),
    ):
        assert answer.status_code == 400, answer.text
        assert answer.json()["details"]["field"] == field, answer.text


def test_the_limit_is_that_of_its_own_bytes(ada: Visitor, key: x25519.Identity) -> None:
    just, more = bytes(3 * MB), bytes(3 * MB + 1)
    wrap = wrapped(ada, key)
    taken = sent(ada, cut(just, key), just, wrap)
    assert taken.status_code == 415, taken.text  # zeros are no sound, but they came in
    refused = sent(ada, cut(more, key), more, wrap)
    assert (refused.status_code, refused.json()["code"]) == (413, "PAYLOAD_TOO_LARGE")
    assert refused.json()["details"]["limit_bytes"] == 3 * MB


def test_what_is_in_it_is_screened(ada: Visitor, key: x25519.Identity) -> None:
    program = b"\x7fELF" + bytes(1000)
    refused = sent(ada, cut(program, key), program, wrapped(ada, key))
    assert (refused.status_code, refused.json()["code"]) == (400, "VALIDATION_FAILED")


async def test_the_client_says_what_it_cannot_encrypt(sealing: Live, ada: Visitor, kind: str) -> None:
    class Pipe(io.BytesIO):
        def seekable(self) -> bool:
            return False

    other = str(x25519.Identity.generate().to_public())
    async with both(kind, sealing.url, token=ada.token) as client:
        with pytest.raises(InvalidOption, match="from its beginning"):
            await client.call(lambda c: c.upload_encrypted(Pipe(b"sound")))
        with pytest.raises(InvalidOption, match="age1"):
            await client.call(lambda c: c.upload_encrypted(b"sound", own_key="mine"))
        with pytest.raises(EncryptedForAnother, match="not encrypted for you"):
            await client.call(lambda c: c.upload_encrypted(b"sound", own_key=other))
