"""Keys and sharing (seed 002, *Keys API*)."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyrage
import pytest
from pyrage import x25519
from sqlalchemy import select

from tests.both_clients import both
from tests.live import Live
from tests.visitor import Visitor, administrator, registered
from whispercore.database.tables import key_pairs
from whispercore.encryption import age
from whispercore.encryption.master_key import MasterKey
from whispercore.encryption.rotation import rotate
from whispercore.errors import Conflict, InvalidRequest, NotFound
from whispercore_server.auditing import OPERATOR


@pytest.fixture
def recording(audio: Path) -> bytes:
    return (audio / "clip01-en.wav").read_bytes()


def sent(owner: Visitor, recording: bytes) -> tuple[str, str]:
    """The ids of a file and of its job."""
    answer = owner.post("/api/v1/files/upload", files={"file": ("talk.wav", recording)}, data={"model": "micro"})
    assert answer.status_code == 201, answer.text
    return answer.json()["id"], answer.json()["job_id"]


def reading(file_id: str, job_id: str) -> list[str]:
    return [
        f"/api/v1/files/{file_id}",
        f"/api/v1/files/{file_id}/download",
        f"/api/v1/keys/files/{file_id}/key",
        f"/api/v1/transcriptions/{job_id}",
    ]


def test_a_share_is_for_one_reader_and_for_reading_until_it_is_revoked(server: Live, recording: bytes) -> None:
    owner, reader, other = (registered(server) for _ in range(3))
    file_id, job_id = sent(owner, recording)
    owner.finished(job_id)
    share = f"/api/v1/keys/files/{file_id}/shares/{reader.user_id}"

    def seen_by(who: Visitor) -> set[int]:
        return {who.get(path).status_code for path in reading(file_id, job_id)}

    assert seen_by(owner) == {200}
    assert seen_by(reader) == seen_by(other) == {404}
    made, again = owner.post(share), owner.post(share)
    assert (made.status_code, again.status_code) == (201, 200)
    assert made.json() == again.json()
    assert seen_by(reader) == {200}
    assert reader.get(f"/api/v1/files/{file_id}/download").content == recording
    assert seen_by(other) == {404}
    settings = server.ports.settings
    server.run(rotate(server.ports.database, MasterKey(settings.master_key_file), caller=OPERATOR))
    assert (seen_by(reader), seen_by(other)) == ({200}, {404})
    assert reader.get(f"/api/v1/files/{file_id}/download").content == recording
    later = f"/api/v1/keys/files/{file_id}/shares/{other.user_id}"
    assert owner.post(later).status_code == 201
    assert seen_by(other) == {200}
    assert owner.send("DELETE", later).status_code == 200
    assert (seen_by(reader), seen_by(other)) == ({200}, {404})
    refused = [
        reader.send("DELETE", f"/api/v1/files/{file_id}"),
        reader.get(f"/api/v1/files/{file_id}/events"),
        reader.get(f"/api/v1/jobs/{job_id}"),
        reader.post(f"/api/v1/jobs/{job_id}/cancel"),
        reader.get(f"/api/jobs/{job_id}"),
        reader.get(f"/api/v1/keys/files/{file_id}/shares"),
        reader.post(f"/api/v1/keys/files/{file_id}/shares/{other.user_id}"),
        reader.send("DELETE", share),
    ]
    assert {answer.status_code for answer in refused} == {404}
    assert administrator(server).get(f"/api/v1/files/{file_id}").status_code == 200
    assert administrator(server).get(f"/api/v1/keys/files/{file_id}/key").status_code == 404
    assert [row["user_id"] for row in owner.get(f"/api/v1/keys/files/{file_id}/shares").json()["shares"]] == [
        reader.user_id
    ]
    assert owner.send("DELETE", share).status_code == 200
    assert owner.send("DELETE", share).status_code == 404
    assert seen_by(reader) == {404}
    assert seen_by(owner) == {200}
    assert owner.get(f"/api/v1/keys/files/{file_id}/shares").json() == {"shares": [], "total": 0}


def test_who_registers_has_a_key_pair_from_then_on(server: Live) -> None:
    query = select(key_pairs.c.sealed_secret).where(key_pairs.c.owner_id == registered(server).user_id)
    (row,) = server.run(server.ports.database.rows(query))
    assert base64.b64decode(row.sealed_secret).startswith(b"age-encryption.org/v1")


def test_with_pyrage_alone_a_reader_opens_what_is_stored(server: Live, recording: bytes) -> None:
    owner, reader = registered(server), registered(server)
    mine = x25519.Identity.generate()
    replaced = reader.send("PUT", "/api/v1/keys/me", json={"public_key": str(mine.to_public())})
    assert (replaced.json()["public_key"], replaced.json()["is_held"]) == (str(mine.to_public()), False)
    file_id, job_id = sent(owner, recording)
    owner.finished(job_id)
    owner.post(f"/api/v1/keys/files/{file_id}/shares/{reader.user_id}")
    wrap = base64.b64decode(reader.get(f"/api/v1/keys/files/{file_id}/key").json()["encrypted_key"])
    key = x25519.Identity.from_str(pyrage.decrypt(wrap, [mine]).decode())
    folder = server.ports.settings.data / "files" / "files" / file_id
    (part,) = server.run(server.ports.files.get(file_id)).parts
    opened = pyrage.decrypt((folder / "0").read_bytes(), [key])
    assert part.encoding in ("age", "zstd+age")
    if part.encoding == "zstd+age":
        zstd: Any = pytest.importorskip("backports.zstd")
        opened = zstd.decompress(opened)
    assert opened == recording


async def test_who_brings_another_key_has_it_in_what_was_wrapped_before(
    server: Live, kind: str, recording: bytes
) -> None:
    owner = registered(server)
    file_id, job_id = sent(owner, recording)
    owner.finished(job_id)
    mine = age.new_identity()
    async with both(kind, server.url, token=owner.token) as client:
        before = await client.call(lambda c: c.files_v1.keys.me())
        assert (before.user_id, before.is_held) == (owner.user_id, True)
        first = await client.call(lambda c: c.files_v1.keys.get(file_id))
        assert first == await client.call(lambda c: c.files_v1.keys.get(file_id))
        after = await client.call(lambda c: c.files_v1.keys.replace(public_key=age.recipient_of(mine)))
        assert (after.public_key, after.is_held) == (age.recipient_of(mine), False)
        assert after == await client.call(lambda c: c.files_v1.keys.me())
        found = await client.call(lambda c: c.files_v1.keys.get(file_id))
        assert age.unseal(base64.b64decode(found.encrypted_key), mine).startswith(b"AGE-SECRET-KEY-1")
        with pytest.raises(InvalidRequest, match="public key of age"):
            await client.call(lambda c: c.files_v1.keys.replace(public_key="age1"))


async def test_what_cannot_be_shared(server: Live, kind: str, recording: bytes) -> None:
    owner, reader = registered(server), registered(server)
    file_id, job_id = sent(owner, recording)
    owner.finished(job_id)
    async with both(kind, server.url, token=owner.token) as client:
        refused: list[tuple[type[Exception], Callable[[Any], Any]]] = [
            (NotFound, lambda c: c.files_v1.keys.share(file_id, "nobody")),
            (NotFound, lambda c: c.files_v1.keys.share(file_id, "workers")),
            (NotFound, lambda c: c.files_v1.keys.share("none", reader.user_id)),
            (Conflict, lambda c: c.files_v1.keys.share(file_id, owner.user_id)),
            (NotFound, lambda c: c.files_v1.keys.revoke(file_id, reader.user_id)),
            (NotFound, lambda c: c.files_v1.keys.revoke(file_id, owner.user_id)),
            (NotFound, lambda c: c.files_v1.keys.revoke(file_id, "workers")),
            (NotFound, lambda c: c.files_v1.keys.get("none")),
            (NotFound, lambda c: c.files_v1.keys.shares("none")),
        ]
        for error, call in refused:
            with pytest.raises(error):
                await client.call(call)
        shared = await client.call(lambda c: c.files_v1.keys.share(file_id, reader.user_id))
        assert (await client.call(lambda c: c.files_v1.keys.shares(file_id))).shares == [shared]
        assert await client.call(lambda c: c.files_v1.keys.revoke(file_id, reader.user_id)) == shared
