"""Servers for benchmarks: ours with its data in a folder, and the bare one beside it, as processes of their own."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO
from urllib.request import Request, urlopen

from attrs import frozen

from benchmarks.results import NotMeasured
from whispercore.database.session import Database
from whispercore.jobs.job import NewJob
from whispercore.jobs.table import Jobs
from whispercore.people.keys import Keys
from whispercore.people.passwords import Passwords
from whispercore.people.users import Users

ADMIN_KEY = "an-administrators-key-for-benchmarks"
USERNAME = "benchmark"
PASSWORD = "a long benchmark password"  # noqa: S105 (of nobody)
_ADDRESS = re.compile(r"http://127\.0\.0\.1:\d+")


@frozen
class Ours:
    """Our server."""

    url: str
    pid: int

    @property
    def headers(self) -> dict[str, str]:
        """Those of an administrator."""
        return {"X-API-Key": ADMIN_KEY}


@frozen
class Prepared:
    """A database with a user who has many jobs."""

    url: str
    user_id: str
    api_key: str


def database_url(data: Path) -> str:
    """That of a server's folder."""
    return f"sqlite+aiosqlite:///{data / 'whispercore.db'}"


def prepared(data: Path, n_jobs: int) -> Prepared:
    """Make a user, a key and jobs that nobody works on."""
    data.mkdir(parents=True, exist_ok=True)

    async def prepare() -> Prepared:
        passwords = Passwords()
        async with Database(database_url(data)) as database:
            await database.upgrade()
            user = await Users(database, passwords).register(USERNAME, PASSWORD)
            key = await Keys(database).create(user.caller("token"), user.id, "benchmark", ("read",), 1)
            jobs = Jobs(database)
            async with database.write() as tx:
                for number in range(n_jobs):
                    await jobs.enqueue(
                        tx, NewJob(owner_id=user.id, kind="transcribe", filename=f"talk-{number}.mp3", model="micro")
                    )
        passwords.close()
        return Prepared(database_url(data), user.id, key.key)

    return asyncio.run(prepare())


@contextmanager
def our_server(data: Path, *options: str, environment: dict[str, str] | None = None) -> Iterator[Ours]:
    """``whispercore serve`` on this folder."""
    command = [sys.executable, "-m", "whispercore_server.cli", "serve", "--data", str(data), "--port", "0", *options]
    # One caller sends here what many would.
    ours = {"WHISPERCORE_ADMIN_KEY": ADMIN_KEY, "WHISPERCORE_RATE_PROFILE": "none", **(environment or {})}
    with _process(command, ours, stderr=True) as (url, pid):
        yield Ours(url, pid)


def settled(ours: Ours) -> None:
    """Wait until the server has tried an engine, as it does soon after its start: that takes memory for a moment."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with urlopen(Request(f"{ours.url}/admin/health", headers=ours.headers)) as answer:  # noqa: S310 (our own)
            if json.load(answer)["services"]["whisper"] == "healthy":
                return
        time.sleep(0.5)
    raise NotMeasured("the server found no engine")


@contextmanager
def bare_server(database: str, user_id: str, folder: Path) -> Iterator[str]:
    """The bare one; gives its address."""
    command = [sys.executable, "-m", "benchmarks.bare_server", database, user_id, str(folder)]
    with _process(command, {}, stderr=False) as (url, _):
        yield url


@contextmanager
def open_server(data: Path, user_id: str) -> Iterator[Ours]:
    """Ours with an open door beside the usual one."""
    command = [sys.executable, "-m", "benchmarks.open_server", str(data), user_id]
    with _process(command, {}, stderr=False) as (url, pid):
        yield Ours(url, pid)


@contextmanager
def _process(command: Sequence[str], environment: dict[str, str], *, stderr: bool) -> Iterator[tuple[str, int]]:
    process = subprocess.Popen(
        command,
        env={**os.environ, **environment},
        stdout=None if stderr else subprocess.PIPE,
        stderr=subprocess.PIPE if stderr else None,
        text=True,
    )
    told = process.stderr if stderr else process.stdout
    assert told is not None
    reading = threading.Thread(target=_read_on, args=(told,))
    try:
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline and (line := told.readline()):
            if found := _ADDRESS.search(line):
                reading.start()
                yield found[0], process.pid
                return
        raise NotMeasured("the server did not start")
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if reading.ident is not None:
            reading.join()
        told.close()


def _read_on(log: IO[str]) -> None:
    """So that the log costs the server what it costs it elsewhere."""
    for _ in log:
        pass
