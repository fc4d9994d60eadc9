"""Backups over HTTP, through both clients: made, looked at, fetched, checked, removed, and restored to the same."""

from __future__ import annotations

import asyncio
import hashlib
import shutil
import time
from pathlib import Path
from typing import Any

import pytest

from tests.api.conftest import MakeServer
from tests.both_clients import both
from tests.live import Live, live, settings_for
from tests.visitor import Visitor, administrator, registered
from whispercore.backup.making import Making
from whispercore.errors import NotFound, StorageFull
from whispercore_server.backing_up import restore
from whispercore_server.plugins.transcriber import PLUGIN as TRANSCRIBER


def ended(admin: Visitor, backup_id: str) -> dict[str, Any]:
    """A backup, once it is over."""
    seen: dict[str, Any]
    while (seen := admin.get(f"/admin/backup/{backup_id}").json())["status"] == "running":
        time.sleep(0.01)
    return seen


def made(admin: Visitor) -> dict[str, Any]:
    answer = admin.post("/admin/backup/create")
    assert answer.status_code == 202, answer.text
    assert answer.json()["status"] == "running"
    seen = ended(admin, answer.json()["id"])
    assert seen["status"] == "completed", seen
    return seen


async def test_a_backup_from_its_making_to_its_end(kind: str, make_server: MakeServer, audio: Path) -> None:
    server = make_server(worker=False)
    admin = administrator(server)
    admin.job(audio / "clip01-en.wav")
    async with both(kind, server.url, api_key=server.admin_key) as client:
        created = await client.call(lambda c: c.backups.create())
        assert (created.status, created.size_bytes) == ("running", None)
        ended(admin, created.id)
        backup = await client.call(lambda c: c.backups.get(created.id))
        assert (backup.status, backup.progress, backup.files, backup.error) == ("completed", 100, 1, None)
        assert [row.id for row in (await client.call(lambda c: c.backups.list())).backups] == [created.id]
        assert [row.id for row in await client.all(lambda c: c.backups.list.each(limit=1))] == [created.id]
        data = await client.download(lambda c: c.backups.download(created.id), lambda file: file.read())
        assert hashlib.sha256(data).hexdigest() == backup.sha256
        assert len(data) == backup.size_bytes
        verified = await client.call(lambda c: c.backups.verify(created.id))
        assert (verified.valid, verified.problem) == (True, None)
        await client.call(lambda c: c.backups.delete(created.id))
        with pytest.raises(NotFound):
            await client.call(lambda c: c.backups.get(created.id))
        assert (await client.call(lambda c: c.backups.list())).total == 0


def test_an_installation_comes_back_from_what_was_downloaded(
    make_server: MakeServer, audio: Path, tmp_path: Path
) -> None:
    """With its people, their jobs, transcripts and recordings; where the token key is, tokens are believed too."""
    server = make_server()
    admin, alice = administrator(server), registered(server)
    done = alice.finished(alice.job(audio / "clip01-en.wav", language="en"))
    assert done["status"] == "completed"
    backup = made(admin)
    answer = admin.get(f"/admin/backup/{backup['id']}/download")
    assert answer.headers["Content-Type"] == "application/x-tar"
    assert backup["filename"] in answer.headers["Content-Disposition"]
    archive = tmp_path / "fetched.tar"
    archive.write_bytes(answer.content)
    restore(settings_for(tmp_path / "new"), archive)
    for name in ("token.key", "master.key"):
        shutil.copy(server.ports.settings.data / name, tmp_path / "new")
    with live(settings_for(tmp_path / "new"), plugins=(TRANSCRIBER,)) as again:
        there = Visitor(server=again, headers=alice.headers)
        assert there.get(f"/api/jobs/{done['job_id']}").json() == done
        assert there.get("/auth/me").json()["username"] == alice.username
        heard = there.get(f"/api/export/download/{done['job_id']}/txt").text
        assert heard == alice.get(f"/api/export/download/{done['job_id']}/txt").text
        assert administrator(again).get("/admin/stats").json()["storage"]["total_files"] == 1
        once_more = there.finished(there.job(audio / "clip02-en.wav", language="en"))
        assert once_more["status"] == "completed"


def test_one_at_a_time(make_server: MakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    server = make_server(worker=False)
    admin = administrator(server)
    go_on = server.run(_event())

    async def wait(*_: object) -> int:
        await go_on.wait()
        return 0

    monkeypatch.setattr(Making, "_add_parts", wait)
    first = admin.post("/admin/backup/create").json()
    answer = admin.post("/admin/backup/create")
    assert (answer.status_code, answer.json()["error_code"]) == (409, "CONFLICT")
    for method, path in (("GET", "download"), ("POST", "verify")):
        assert admin.send(method, f"/admin/backup/{first['id']}/{path}").status_code == 409
    assert admin.send("DELETE", f"/admin/backup/{first['id']}").status_code == 409
    server.loop.call_soon_threadsafe(go_on.set)
    assert ended(admin, first["id"])["status"] == "completed"


async def _event() -> asyncio.Event:
    return asyncio.Event()


async def test_a_full_disk_is_told(kind: str, make_server: MakeServer) -> None:
    server = make_server(worker=False)
    server.ports.backups._reserve_bytes = 1 << 62
    async with both(kind, server.url, api_key=server.admin_key, retries=0) as client:
        with pytest.raises(StorageFull):
            await client.call(lambda c: c.backups.create())
        assert (await client.call(lambda c: c.backups.list())).total == 0
    server.ports.backups._reserve_bytes = 0
    made(administrator(server))


def test_damage_is_an_answer(make_server: MakeServer) -> None:
    server = make_server(worker=False)
    admin = administrator(server)
    backup = made(admin)
    archive = server.ports.settings.backups_dir / f"{backup['id']}.tar"
    archive.write_bytes(archive.read_bytes()[:-20_000])
    answer = admin.post(f"/admin/backup/{backup['id']}/verify")
    assert answer.status_code == 200
    assert (answer.json()["valid"], "breaks off" in answer.json()["problem"]) == (False, True)
    archive.unlink()
    assert admin.get(f"/admin/backup/{backup['id']}").json()["error"] == "its archive is gone"


def test_the_newest_are_kept(make_server: MakeServer) -> None:
    server = make_server(worker=False, keep_backups=2)
    admin = administrator(server)
    ids = [made(admin)["id"] for _ in range(3)]
    server.run(_all_done(server))
    page = admin.get("/admin/backup/list", params={"limit": 1, "offset": 1}).json()
    assert (page["total"], [row["id"] for row in page["backups"]]) == (2, [ids[1]])


async def _all_done(server: Live) -> None:
    await asyncio.gather(*server.ports.backups._tasks.values())


def test_no_secret_is_in_what_is_told_of_a_backup(make_server: MakeServer) -> None:
    server = make_server(worker=False)
    admin = administrator(server)
    backup = made(admin)
    told = admin.get("/admin/backup").text + admin.get(f"/admin/backup/{backup['id']}").text
    archive = (server.ports.settings.backups_dir / f"{backup['id']}.tar").read_bytes()
    keys = [
        (server.ports.settings.data / name).read_text().strip() for name in ("audit.key", "token.key", "master.key")
    ]
    for secret in (*keys, server.admin_key):
        for spelling in (secret.encode(), secret.encode().hex().encode(), *_raw(secret)):
            assert spelling not in told.encode()
            assert spelling not in archive


def _raw(secret: str) -> list[bytes]:
    try:
        return [bytes.fromhex(secret)]
    except ValueError:
        return []


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/admin/backup/{}"),
        ("GET", "/admin/backup/{}/download"),
        ("POST", "/admin/backup/{}/verify"),
        ("DELETE", "/admin/backup/{}"),
    ],
)
@pytest.mark.parametrize("name", ["none", ".lock", "0" * 36, "%C3%A9"])
def test_what_is_not_there_is_not_found(server: Live, admin: Visitor, method: str, path: str, name: str) -> None:
    del server
    answer = admin.send(method, path.format(name))
    assert (answer.status_code, answer.json()["error_code"]) == (404, "NOT_FOUND")


@pytest.mark.parametrize("name", ["..%2f..%2fwhispercore", "..%5c..%5cwhispercore", "%00", "a%2fb"])
def test_names_that_lead_elsewhere_lead_nowhere(make_server: MakeServer, name: str) -> None:
    admin = administrator(make_server(worker=False, screening="off"))
    for method, path in (("GET", ""), ("GET", "/download"), ("POST", "/verify"), ("DELETE", "")):
        assert admin.send(method, f"/admin/backup/{name}{path}").status_code in (400, 404)


def test_they_are_for_administrators(alice: Visitor, nobody: Visitor) -> None:
    for method, path in (
        ("POST", "/admin/backup/create"),
        ("GET", "/admin/backup"),
        ("GET", "/admin/backup/x/download"),
    ):
        assert alice.send(method, path).status_code == 403
        assert nobody.send(method, path).status_code == 401
