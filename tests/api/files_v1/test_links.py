"""Links to files over HTTP: whoever has one downloads the file, from the server or from the store itself."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.api.conftest import APIS
from tests.api.files_v1.test_files import UPLOAD, blobs_of, padded, sent
from tests.both_clients import Both, both
from tests.live import Live, live, settings_for
from tests.s3_server import s3_server
from tests.visitor import Visitor, administrator, registered, stranger
from whispercore.errors import FileDamaged, NotFound, RangeNotSatisfiable, UnexpectedReply
from whispercore.files.bucket import Bucket
from whispercore.testing import FakeClock


@pytest.fixture(scope="module")
def owner(server: Live) -> Visitor:
    return registered(server)


@pytest.fixture(scope="module")
def file(owner: Visitor, audio: Path) -> dict[str, Any]:
    return sent(owner, audio / "clip01-en.wav")


@pytest.fixture
async def client(kind: str, owner: Visitor) -> Any:
    async with both(kind, owner.server.url, token=owner.token) as client:
        yield client


def linked(owner: Visitor, file_id: str, **fields: Any) -> dict[str, Any]:
    answer = owner.post(f"/api/v1/files/{file_id}/links", json=fields)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def test_whoever_has_the_link_downloads_the_file(
    client: Both, kind: str, owner: Visitor, file: dict[str, Any], audio: Path
) -> None:
    data = (audio / "clip01-en.wav").read_bytes()
    made = await client.call(lambda c: c.files_v1.links.create(file["id"], label="for Bob"))
    assert made.url == f"{owner.server.url}/api/v1/links/{made.token}"
    assert made.token not in repr(made)
    answer = await asyncio.to_thread(requests.get, made.url, timeout=60)
    assert (answer.status_code, answer.content) == (200, data)
    assert 'filename="clip01-en.wav"' in answer.headers["Content-Disposition"]
    assert (answer.headers["Cache-Control"], answer.headers["Referrer-Policy"]) == ("no-store", "no-referrer")
    assert "noindex" in answer.headers["X-Robots-Tag"]
    asked = {"Range": "bytes=10-19", "If-Range": answer.headers["ETag"]}
    part = await asyncio.to_thread(requests.get, made.url, headers=asked, timeout=60)
    assert (part.status_code, part.content) == (206, data[10:20])
    head = await asyncio.to_thread(requests.head, made.url, timeout=60)
    assert (head.status_code, head.headers["Content-Length"]) == (200, str(len(data)))
    async with both(kind, owner.server.url) as nobody:
        got = await nobody.download(lambda c: c.files_v1.links.open(made.token), lambda one: one.read())
        assert got == data
        with pytest.raises(RangeNotSatisfiable):
            await nobody.download(
                lambda c: c.files_v1.links.open(made.token, range=f"bytes={len(data)}-"), lambda one: one.read()
            )
    listed = (await client.all(lambda c: c.files_v1.links.list.each(file["id"])))[0]
    assert (listed.id, listed.status, listed.use_count, listed.label) == (made.link.id, "active", 5, "for Bob")
    assert made.token not in owner.get(f"/api/v1/files/{file['id']}/links").text


async def test_a_link_that_was_withdrawn_is_like_one_that_never_was(client: Both, file: dict[str, Any]) -> None:
    made = await client.call(lambda c: c.files_v1.links.create(file["id"]))
    for _ in range(2):
        gone = await client.call(lambda c: c.files_v1.links.withdraw(file["id"], made.link.id))
        assert (gone.status, gone.withdrawn_at is not None) == ("withdrawn", True)
    urls = (made.url, made.url[:-48] + "0" * 48, made.url + "0", made.url[:-1])
    answers = [await asyncio.to_thread(requests.get, one, timeout=60) for one in urls]
    assert {one.status_code for one in answers} == {404}
    assert [one.json() for one in answers] == [answers[0].json()] * 4
    assert answers[0].json()["code"] == "NOT_FOUND"
    assert made.token not in answers[0].text
    with pytest.raises(NotFound):
        await client.call(lambda c: c.files_v1.links.withdraw(file["id"], "none"))


def test_links_are_for_the_owner_to_make(owner: Visitor, file: dict[str, Any]) -> None:
    """A reader with whom the file is shared cannot hand it on."""
    reader = registered(owner.server)
    assert owner.post(f"/api/v1/keys/files/{file['id']}/shares/{reader.user_id}").status_code == 201
    path = f"/api/v1/files/{file['id']}/links"
    assert reader.get(f"/api/v1/files/{file['id']}").status_code == 200
    assert [reader.post(path, json={}).status_code, reader.get(path).status_code] == [404, 404]
    wish = {"name": "narrow", "permissions": ["files:read", "jobs:read"]}
    key = owner.post("/api/api-keys/", json=wish).json()["api_key"]
    narrow = Visitor(server=owner.server, headers={"X-API-Key": key})
    assert [narrow.post(path, json={}).status_code, narrow.get(path).status_code] == [403, 403]
    for hours in (0, 8761, 1.5, "7"):
        assert owner.post(path, json={"expires_hours": hours}).status_code == 400
    assert administrator(owner.server).post(path, json={}).status_code == 201


# ---------------------------------------------------------------- a store that gives it itself


@pytest.fixture(scope="module")
def bucket() -> Bucket:
    return s3_server().bucket()


def in_the_bucket(data: Path, bucket: Bucket, **changes: Any) -> Any:
    return settings_for(
        data,
        s3_endpoint=bucket.endpoint,
        s3_bucket=bucket.name,
        s3_region=bucket.region,
        s3_access_key=bucket.access_key,
        s3_secret_key=bucket.secret_key,
        part_mb=1,
        **{"encrypt_files": False, "presigned_links": True, **changes},
    )


@pytest.fixture(scope="module")
def handing_on(tmp_path_factory: pytest.TempPathFactory, bucket: Bucket) -> Iterator[Live]:
    """A server that leaves downloads by links to its bucket where it can."""
    settings = in_the_bucket(tmp_path_factory.mktemp("handing-on"), bucket)
    with live(settings, plugins=APIS, worker=False) as server:
        yield server


async def test_a_recording_in_clear_is_given_by_the_bucket(
    kind: str, handing_on: Live, bucket: Bucket, audio: Path
) -> None:
    owner, data = registered(handing_on), (audio / "clip01-en.wav").read_bytes()
    file = await asyncio.to_thread(sent, owner, audio / "clip01-en.wav")
    made = await asyncio.to_thread(linked, owner, file["id"])
    path = f"/api/v1/links/{made['token']}"
    nobody = stranger(handing_on)
    answer = await asyncio.to_thread(nobody.get, path)
    assert (answer.status_code, answer.content) == (307, b"")
    place = answer.headers["Location"]
    assert place.startswith(f"{bucket.endpoint}/{bucket.name}/files/{file['id']}/0?")
    assert "X-Amz-Expires=300" in place
    assert str(bucket.secret_key) not in place
    assert answer.headers["Cache-Control"] == "no-store"
    assert (await asyncio.to_thread(requests.get, place, timeout=60)).content == data
    async with both(kind, handing_on.url, token=owner.token) as client:
        got = await client.download(lambda c: c.files_v1.links.open(made["token"]), lambda one: one.read())
        assert got == data
        part = await client.download(
            lambda c: c.files_v1.links.open(made["token"], range="bytes=10-19"), lambda one: one.read()
        )
        assert part == data[10:20]
        again = await client.download(
            lambda c: c.files_v1.links.open(made["token"], range="bytes=10-19", if_range=f'"{file["sha256"]}"'),
            lambda one: one.read(),
        )
        assert again == data[10:20]
    head = await asyncio.to_thread(nobody.send, "HEAD", path)
    assert (head.status_code, head.headers["Content-Length"]) == (200, str(len(data)))
    gone = await asyncio.to_thread(owner.send, "DELETE", f"/api/v1/files/{file['id']}/links/{made['link']['id']}")
    assert gone.status_code == 200
    assert (await asyncio.to_thread(nobody.get, path)).status_code == 404


def test_a_recording_in_parts_is_given_by_the_server(handing_on: Live, audio: Path) -> None:
    owner, data = registered(handing_on), padded((audio / "clip01-en.wav").read_bytes())
    made = owner.post(UPLOAD, files={"file": ("talk.wav", data)}, data={"model": "micro"}).json()
    path = f"/api/v1/links/{linked(owner, made['id'])['token']}"
    nobody = stranger(handing_on)
    assert nobody.get(path).content == data
    across = nobody.get(path, headers={"Range": f"bytes={(1 << 20) - 5}-{(1 << 20) + 4}"})
    assert (across.status_code, across.content) == (206, data[(1 << 20) - 5 : (1 << 20) + 5])


@pytest.mark.parametrize("changes", [{"presigned_links": False}, {"encrypt_files": True}])
def test_nothing_else_is_left_to_the_bucket(tmp_path: Path, audio: Path, changes: dict[str, bool]) -> None:
    """Neither where no setting says so, nor what is encrypted."""
    settings = in_the_bucket(tmp_path, s3_server().bucket(), **changes)
    with live(settings, plugins=APIS, worker=False) as server:
        owner = registered(server)
        made = linked(owner, sent(owner, audio / "clip01-en.wav")["id"])
        answer = stranger(server).get(f"/api/v1/links/{made['token']}")
        assert (answer.status_code, answer.content) == (200, (audio / "clip01-en.wav").read_bytes())


def test_an_address_of_the_bucket_ends_with_the_link(tmp_path: Path, audio: Path) -> None:
    clock = FakeClock()
    settings = in_the_bucket(tmp_path, s3_server().bucket())
    with live(settings, plugins=APIS, clock=clock, worker=False) as server:
        owner = registered(server)
        made = linked(owner, sent(owner, audio / "clip01-en.wav")["id"], expires_hours=1)
        clock.advance(3600 - 60)
        path = f"/api/v1/links/{made['token']}"
        assert "X-Amz-Expires=60&" in stranger(server).get(path).headers["Location"]
        clock.advance(59.5)
        assert stranger(server).get(path).content == (audio / "clip01-en.wav").read_bytes()
        clock.advance(0.5)
        assert stranger(server).get(path).status_code == 404


async def test_a_client_takes_no_error_of_the_bucket_for_the_file(
    kind: str, handing_on: Live, audio: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = registered(handing_on)
    made = await asyncio.to_thread(linked, owner, (await asyncio.to_thread(sent, owner, audio / "clip01-en.wav"))["id"])
    for place in (f"{s3_server().url}/nothing/there", "file:///etc/passwd", "/api/jobs/"):

        async def elsewhere(*_: object, place: str = place) -> str:
            return place

        monkeypatch.setattr(type(handing_on.ports.files), "presigned", elsewhere)
        async with both(kind, handing_on.url) as client:
            with pytest.raises(UnexpectedReply):
                await client.download(lambda c: c.files_v1.links.open(made["token"]), lambda one: one.read())


async def test_that_a_file_is_damaged_is_told(client: Both, owner: Visitor, audio: Path) -> None:
    """By its own name, and not as a failure of the server that could be anything: one bit is enough."""
    file = sent(owner, audio / "clip02-en.wav")
    made = linked(owner, file["id"])
    (part,) = blobs_of(owner.server, file["id"])
    changed = bytearray(await asyncio.to_thread(part.read_bytes))
    changed[-5] ^= 1
    await asyncio.to_thread(part.write_bytes, changed)
    for url, token in ((f"{owner.server.url}/api/v1/files/{file['id']}/download", owner.token), (made["url"], None)):
        headers = {"Authorization": f"Bearer {token}"} if token is not None else {}
        answer = await asyncio.to_thread(requests.get, url, headers=headers, timeout=60)
        assert (answer.status_code, answer.json()["code"]) == (500, "FILE_DAMAGED"), answer.text
        assert answer.json()["details"]["id"] == file["id"]
    with pytest.raises(FileDamaged, match="part 0"):
        await client.download(lambda c: c.files_v1.files.download(file["id"]), lambda one: one.read())
