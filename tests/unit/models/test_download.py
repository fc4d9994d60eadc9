import asyncio
import errno
import hashlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import NamedTuple

import pytest
from attrs import evolve

from whispercore.errors import ChecksumMismatch, DownloadFailed, ModelDamaged, NoSpace
from whispercore.models import records
from whispercore.models.download import download, refuse_downgrade
from whispercore.models.pace import Pace, backoff_s

from .hub import Act, Hub, leftovers


class Usage(NamedTuple):
    total: int
    used: int
    free: int


@pytest.fixture
def target(tmp_path: Path) -> Path:
    folder = tmp_path / "models"
    folder.mkdir()
    return folder / "demo.bin"


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_a_good_download(hub: Hub, target: Path, pace: Pace) -> None:
    seen: list[tuple[int, int | None]] = []
    record = download(hub.url, target, on_progress=lambda done, total: seen.append((done, total)), pace=pace)
    assert target.read_bytes() == hub.body
    assert record.sha256 == sha256(hub.body)
    assert record.url == hub.url
    assert records.read(target.with_suffix(".json"), records.Record) == record
    assert leftovers(target.parent) == {"demo.bin", "demo.json"}
    assert seen[-1] == (len(hub.body), len(hub.body))
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


def test_it_goes_on_where_the_connection_broke(hub: Hub, target: Path, pace: Pace) -> None:
    hub.acts.extend([Act(cut_after=300_000), Act(cut_after=200_000)])
    download(hub.url, target, sha256=sha256(hub.body), pace=pace)
    assert [one.range for one in hub.asked] == [None, "bytes=300000-", "bytes=500000-"]
    assert hub.asked[1].if_range == '"one"'
    assert target.read_bytes() == hub.body


def test_a_later_call_goes_on(hub: Hub, target: Path, pace: Pace) -> None:
    hub.acts.extend([Act(cut_after=300_000), *[Act(status=503)] * 5])
    with pytest.raises(DownloadFailed, match="the server answered 503 Service Unavailable"):
        download(hub.url, target, pace=pace)
    assert leftovers(target.parent) == {"demo.bin.part", "demo.bin.part.json"}
    download(hub.url, target, sha1=hashlib.sha1(hub.body, usedforsecurity=False).hexdigest(), pace=pace)
    assert hub.asked[-1].range == "bytes=300000-"
    assert target.read_bytes() == hub.body


def test_a_part_that_is_already_whole_needs_no_request(hub: Hub, target: Path, pace: Pace) -> None:
    target.with_name("demo.bin.part").write_bytes(hub.body)
    note = {"etag": '"one"', "size_bytes": len(hub.body), "sha256": sha256(hub.body)}
    target.with_name("demo.bin.part.json").write_text(json.dumps(note))
    download(hub.url, target, pace=pace)
    assert hub.asked == []
    assert leftovers(target.parent) == {"demo.bin", "demo.json"}


def test_a_part_without_a_note_is_not_trusted(hub: Hub, target: Path, pace: Pace) -> None:
    target.with_name("demo.bin.part").write_bytes(b"x" * 1000)
    target.with_name("demo.bin.part.json").write_text("{")
    download(hub.url, target, pace=pace)
    assert [one.range for one in hub.asked] == [None]
    assert target.read_bytes() == hub.body


def test_five_attempts_without_progress(hub: Hub, target: Path, pace: Pace) -> None:
    hub.always = Act(status=500)
    waited: list[int] = []

    def wait_s(attempts: int) -> float:
        waited.append(attempts)
        return 0.0

    with pytest.raises(DownloadFailed, match="500"):
        download(hub.url, target, pace=evolve(pace, wait_s=wait_s))
    assert len(hub.asked) == 5
    assert waited[:4] == [1, 2, 3, 4]
    assert leftovers(target.parent) == set()


def test_progress_resets_the_count(hub: Hub, target: Path, pace: Pace) -> None:
    for _ in range(4):
        hub.acts.extend([Act(status=502)] * 4)
        hub.acts.append(Act(cut_after=100_000))
    download(hub.url, target, pace=pace)
    assert len(hub.asked) == 21


def test_starting_over_again_and_again_is_no_progress(hub: Hub, target: Path, pace: Pace) -> None:
    hub.always = Act(ignore_range=True, cut_after=300_000)
    with pytest.raises(DownloadFailed, match="broke off"):
        download(hub.url, target, pace=pace)
    assert len(hub.asked) == 6


def test_a_server_that_ignores_ranges(hub: Hub, target: Path, pace: Pace) -> None:
    hub.acts.extend([Act(cut_after=300_000), Act(ignore_range=True)])
    download(hub.url, target, sha256=sha256(hub.body), pace=pace)
    assert target.read_bytes() == hub.body


def test_the_file_changes_between_attempts(hub: Hub, target: Path, pace: Pace) -> None:
    other = hub.body[:-1] + b"!"
    hub.acts.append(Act(cut_after=300_000))
    hub.always = Act(body=other, etag='"two"')
    download(hub.url, target, pace=pace)
    assert target.read_bytes() == other


def test_a_part_of_another_version_is_not_mixed_in(hub: Hub, target: Path, pace: Pace) -> None:
    hub.acts.extend([Act(cut_after=300_000), Act(status=206, headers={"Content-Range": "bytes 7-9/10"})])
    download(hub.url, target, sha256=sha256(hub.body), pace=pace)
    assert [one.range for one in hub.asked] == [None, "bytes=300000-", None]
    assert target.read_bytes() == hub.body


def test_the_server_has_less_than_arrived(hub: Hub, target: Path, pace: Pace) -> None:
    hub.acts.extend([Act(cut_after=300_000), Act(status=416, body=b"")])
    download(hub.url, target, sha256=sha256(hub.body), pace=pace)
    assert [one.range for one in hub.asked] == [None, "bytes=300000-", None]


def test_a_weak_tag_is_not_resumed(hub: Hub, target: Path, pace: Pace) -> None:
    hub.etag = 'W/"one"'
    hub.acts.append(Act(cut_after=300_000))
    download(hub.url, target, sha256=sha256(hub.body), pace=pace)
    assert [one.range for one in hub.asked] == [None, None]


def test_a_stall(hub: Hub, target: Path, pace: Pace) -> None:
    hub.acts.append(Act(stall_after=300_000))
    download(hub.url, target, sha256=sha256(hub.body), pace=pace)
    assert hub.asked[-1].range == "bytes=300000-"


def test_only_stalls(hub: Hub, target: Path, pace: Pace) -> None:
    hub.always = Act(stall_after=0)
    with pytest.raises(DownloadFailed, match="the server stopped sending"):
        download(hub.url, target, pace=evolve(pace, stall_s=0.1, attempts=2))


def test_altered_bytes(hub: Hub, target: Path, pace: Pace) -> None:
    hub.acts.append(Act(corrupt=True))
    with pytest.raises(ChecksumMismatch) as caught:
        download(hub.url, target, sha256=sha256(hub.body), pace=pace)
    assert caught.value.expected == sha256(hub.body)
    assert leftovers(target.parent) == set()


@pytest.mark.parametrize("prefix", ["", "W/"])
def test_the_redirect_knows_the_checksum(hub: Hub, target: Path, pace: Pace, prefix: str) -> None:
    linked = {"X-Linked-Etag": f'{prefix}"{sha256(hub.body)}"', "X-Linked-Size": str(len(hub.body))}
    hub.etag = f'"{"e" * 64}"'
    redirect = Act(status=302, headers={"Location": "/storage", **linked}, body=b"")
    hub.acts.extend([redirect, Act(cut_after=300_000), redirect, Act()])
    download(f"{hub.url}/model", target, pace=pace)
    assert [one.path for one in hub.asked] == ["/model", "/storage"] * 2
    assert hub.asked[3].range == "bytes=300000-"
    assert target.read_bytes() == hub.body
    hub.acts.extend([redirect, Act(corrupt=True)])
    with pytest.raises(ChecksumMismatch):
        download(f"{hub.url}/model", target.with_name("other.bin"), pace=pace)


def test_the_etag_is_the_checksum(hub: Hub, target: Path, pace: Pace) -> None:
    hub.etag = f'"{sha256(hub.body)}"'
    hub.acts.append(Act(corrupt=True))
    with pytest.raises(ChecksumMismatch):
        download(hub.url, target, pace=pace)


def test_wrong_lengths(hub: Hub, target: Path, pace: Pace) -> None:
    short = Act(with_length=False, headers={"X-Linked-Etag": '"x"', "X-Linked-Size": str(len(hub.body) - 9)})
    hub.always = short
    with pytest.raises(DownloadFailed, match="sends more than the"):
        download(hub.url, target, pace=evolve(pace, attempts=2))
    hub.always = evolve(short, headers={"X-Linked-Etag": '"x"', "X-Linked-Size": str(len(hub.body) + 9)})
    with pytest.raises(DownloadFailed, match=r"fewer bytes than|broke off after"):
        download(hub.url, target, pace=evolve(pace, attempts=2))
    assert not target.exists()


def test_no_length_at_all(hub: Hub, target: Path, pace: Pace) -> None:
    hub.always = Act(with_length=False)
    download(hub.url, target, pace=pace)
    assert target.read_bytes() == hub.body


@pytest.mark.parametrize(("status", "words"), [(404, "no such file"), (403, "403 Forbidden"), (401, "401")])
def test_refusals_are_final(hub: Hub, target: Path, pace: Pace, status: int, words: str) -> None:
    hub.always = Act(status=status)
    with pytest.raises(DownloadFailed, match=words):
        download(hub.url, target, pace=pace)
    assert len(hub.asked) == 1
    assert leftovers(target.parent) == set()


@pytest.mark.parametrize("status", [408, 429, 503])
def test_passing_troubles(hub: Hub, target: Path, pace: Pace, status: int) -> None:
    hub.acts.append(Act(status=status, headers={"Retry-After": "junk"}))
    download(hub.url, target, pace=pace)
    assert len(hub.asked) == 2


@pytest.mark.parametrize("form", ["seconds", "date"])
def test_retry_after_is_honoured_up_to_a_limit(hub: Hub, target: Path, pace: Pace, form: str) -> None:
    later = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)
    hub.acts.append(Act(status=429, headers={"Retry-After": "3600" if form == "seconds" else later}))
    started = time.monotonic()
    download(hub.url, target, pace=evolve(pace, longest_retry_after_s=0.4))
    assert time.monotonic() - started >= 0.4


def test_a_web_page_instead_of_a_model(hub: Hub, target: Path, pace: Pace) -> None:
    hub.always = Act(body=b"<!DOCTYPE html><html><body>" + b"Please log in. " * 10_000)
    with pytest.raises(ModelDamaged, match="which is a web page; look at WHISPERCORE_HUB") as caught:
        download(hub.url, target, sha256=sha256(hub.body), pace=pace)
    assert caught.value.path == hub.url
    hub.always = Act(body=b"<html>")
    with pytest.raises(ModelDamaged, match="which is a web page"):
        download(hub.url, target, pace=pace)
    assert leftovers(target.parent) == set()


def test_a_whole_file_that_is_no_whole_model(hub: Hub, target: Path, pace: Pace) -> None:
    hub.always = Act(body=hub.body[:-10])
    with pytest.raises(ModelDamaged, match="it ends 10 bytes too early"):
        download(hub.url, target, pace=pace)
    assert leftovers(target.parent) == set()


def test_no_room(hub: Hub, target: Path, pace: Pace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10**9, 10**9 - 1000, 1000))
    with pytest.raises(NoSpace) as caught:
        download(hub.url, target, pace=pace)
    assert (caught.value.needed_bytes, caught.value.free_bytes) == (len(hub.body), 1000)
    assert leftovers(target.parent) == set()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a device that is always full")
def test_the_disk_fills_up(hub: Hub, target: Path, pace: Pace) -> None:
    target.with_name("demo.bin.part").symlink_to("/dev/full")
    with pytest.raises(NoSpace) as caught:
        download(hub.url, target, pace=pace)
    assert caught.value.needed_bytes == len(hub.body)
    assert isinstance(caught.value.__cause__, OSError)
    assert caught.value.__cause__.errno == errno.ENOSPC
    assert not target.exists()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a device that is always full")
def test_the_disk_is_full_from_the_start(hub: Hub, target: Path, pace: Pace) -> None:
    target.with_name(f".demo.bin.part.json.{os.getpid()}.tmp").symlink_to("/dev/full")
    with pytest.raises(NoSpace):
        download(hub.url, target, pace=pace)
    assert hub.asked == []


def run_python(code: str, *arguments: str) -> subprocess.Popen[str]:
    root = Path(__file__).parents[3]
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments], cwd=root, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


LIMITED = """
import resource, sys
from pathlib import Path
from whispercore.errors import DownloadFailed
from whispercore.models.download import download
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
try:
    download(sys.argv[1], Path(sys.argv[2]))
except DownloadFailed as error:
    print(error.reason)
"""


def test_a_file_system_that_allows_no_such_size(hub: Hub, target: Path) -> None:
    process = run_python(LIMITED, hub.url, str(target))
    out, err = process.communicate(timeout=60)
    assert "cannot be written (File too large)" in out, err
    assert not target.exists()
    assert target.with_name("demo.bin.part").stat().st_size == 300_000


WAITING = """
import sys
from pathlib import Path
from whispercore.models.download import download
download(sys.argv[1], Path(sys.argv[2]), on_progress=lambda done, total: print(done, flush=True))
"""


def test_ctrl_c_keeps_what_has_arrived(hub: Hub, target: Path, pace: Pace) -> None:
    hub.acts.append(Act(stall_after=300_000))
    process = run_python(WAITING, hub.url, str(target))
    assert process.stdout is not None
    while int(process.stdout.readline()) < 300_000:
        pass
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert "KeyboardInterrupt" in err
    download(hub.url, target, sha256=sha256(hub.body), pace=pace)
    assert hub.asked[-1].range == "bytes=300000-"


def test_killed_and_resumed(hub: Hub, target: Path, pace: Pace) -> None:
    hub.acts.append(Act(stall_after=300_000))
    process = run_python(WAITING, hub.url, str(target))
    assert process.stdout is not None
    while int(process.stdout.readline()) < 300_000:
        pass
    process.kill()
    process.communicate(timeout=60)
    download(hub.url, target, sha256=sha256(hub.body), pace=pace)
    assert hub.asked[-1].range == "bytes=300000-"


@pytest.mark.parametrize("error", [OverflowError, SystemExit])
def test_what_the_observer_raises_ends_the_download(
    hub: Hub, target: Path, pace: Pace, error: type[BaseException]
) -> None:
    def refuse(done: int, total: int | None) -> None:
        raise error(done, total)

    with pytest.raises(error):
        download(hub.url, target, on_progress=refuse, pace=pace)
    assert len(hub.asked) == 1


async def test_inside_a_running_loop(hub: Hub, target: Path, pace: Pace) -> None:
    assert asyncio.get_running_loop().is_running()
    download(hub.url, target, pace=pace)
    assert records.read(target.with_suffix(".json"), records.Record) is not None


def test_no_server(target: Path, pace: Pace) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(DownloadFailed, match=f"no connection to 127.0.0.1:{port} "):
        download(f"http://127.0.0.1:{port}/x", target, pace=pace)
    assert leftovers(target.parent) == set()


def test_no_such_host(target: Path, pace: Pace) -> None:
    with pytest.raises(DownloadFailed, match=r"'nowhere.invalid' cannot be resolved; there may be no network"):
        download("http://nowhere.invalid/x", target, pace=pace)


@pytest.mark.parametrize("url", ["http://", "ftp://host/x", "nonsense"])
def test_no_address(target: Path, pace: Pace, url: str) -> None:
    with pytest.raises(DownloadFailed, match="this is not an address of the web"):
        download(url, target, pace=pace)


def test_circles(hub: Hub, target: Path, pace: Pace) -> None:
    hub.always = Act(status=302, headers={"Location": "/again"})
    with pytest.raises(DownloadFailed, match="redirects in circles"):
        download(hub.url, target, pace=pace)


def test_no_encrypted_server(hub: Hub, target: Path, pace: Pace) -> None:
    with pytest.raises(DownloadFailed, match="certificate is not trusted"):
        download(hub.url.replace("http:", "https:"), target, pace=pace)


def test_a_proxy_in_the_environment_is_used(
    hub: Hub, target: Path, pace: Pace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", hub.url)
    download("http://model.invalid/file", target, pace=pace)
    assert hub.asked[0].path == "http://model.invalid/file"


def test_downgrades_are_refused() -> None:
    refuse_downgrade("u", ["http://a", "https://b", "https://c"])
    refuse_downgrade("u", ["http://a", "http://b"])
    with pytest.raises(DownloadFailed, match="without encryption"):
        refuse_downgrade("u", ["https://a", "http://b"])
    with pytest.raises(DownloadFailed, match="without encryption"):
        refuse_downgrade("u", ["https://a", "HTTP://b", "https://c"])


def test_the_folder_is_gone(hub: Hub, target: Path, pace: Pace) -> None:
    target.parent.rmdir()
    with pytest.raises(DownloadFailed, match="cannot be written"):
        download(hub.url, target, pace=pace)


def test_the_name_is_taken_by_a_folder(hub: Hub, target: Path, pace: Pace) -> None:
    (target / "inside").mkdir(parents=True)
    with pytest.raises(DownloadFailed, match="cannot be written"):
        download(hub.url, target, pace=pace)
    (target / "inside").rmdir()


def test_waits_grow_and_vary() -> None:
    waits = [backoff_s(attempts) for attempts in range(1, 9)]
    assert all(low <= wait <= low + 1 for low, wait in zip([1, 2, 4, 8, 16, 30, 30, 30], waits, strict=True))
    assert len({backoff_s(1) for _ in range(20)}) > 1
