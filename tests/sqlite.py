"""SQLite files with all tables and nothing in them: the migrations run once in a process, and each file is a copy."""

from __future__ import annotations

import asyncio
import tempfile
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

from whispercore.database.session import Database


async def upgraded(url: str) -> None:
    """Bring a database to the newest schema."""
    async with Database(url) as database:
        await database.upgrade()


@cache
def _empty() -> bytes:
    """Made in a thread: there may be an event loop in this one."""
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(1) as thread:
        path = Path(folder) / "template.db"
        thread.submit(asyncio.run, upgraded(f"sqlite+aiosqlite:///{path}")).result()
        return path.read_bytes()


async def fill(database: Database) -> None:
    """Give one in memory its tables."""
    image = bytearray(_empty())
    image[18:20] = b"\1\1"  # says that it has no write-ahead log, which there is none of in memory
    async with database.read() as tx:
        driver: Any = (await tx.get_raw_connection()).driver_connection
        await driver.rollback()
        await driver._execute(driver._conn.deserialize, bytes(image))


def is_untouched(path: Path) -> bool:
    """Whether nobody has used one since it was made."""
    return path.read_bytes() == _empty() and [one.name for one in path.parent.glob(f"{path.name}*")] == [path.name]


def sqlite_at(path: Path) -> str:
    """Make one in a file, unless it is there, and give its address."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not path.exists():
        path.touch(mode=0o600)
        path.write_bytes(_empty())
    return f"sqlite+aiosqlite:///{path}"
