"""What a server stands on is looked at together, and all that is wrong is said at once."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from tests.live import settings_for
from whispercore.errors import DatabaseUnreachable, InvalidOption
from whispercore_server.errors import CannotStart
from whispercore_server.ports import Ports
from whispercore_server.settings import ServerSettings


@pytest.fixture
def nobody() -> int:
    """A port where nobody answers."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    return port


def without_store(port: int) -> dict[str, object]:
    return {
        "blobs": "s3",
        "s3_endpoint": f"http://127.0.0.1:{port}",
        "s3_bucket": "recordings",
        "s3_access_key": "x",
        "s3_secret_key": "x",
        "s3_patience_s": 0.2,
    }


async def start(settings: ServerSettings) -> None:
    async with Ports.of(settings).opened():
        pass


async def test_all_that_are_wrong_are_named(nobody: int, tmp_path: Path) -> None:
    settings = settings_for(
        tmp_path,
        database_url=f"postgresql://ann@127.0.0.1:{nobody}/x",
        redis_url=f"redis://127.0.0.1:{nobody}/0",
        **without_store(nobody),
    )
    with pytest.raises(CannotStart) as refused:
        await start(settings)
    told = str(refused.value)
    assert told.startswith("3 services cannot be used: (1) s3_endpoint: the S3 store at")
    assert "; (2) the database " in told
    assert "; (3) redis_url: " in told


async def test_one_that_is_wrong_is_named_as_itself(nobody: int, tmp_path: Path) -> None:
    with pytest.raises(DatabaseUnreachable):
        await start(settings_for(tmp_path / "a", database_url=f"postgresql://ann@127.0.0.1:{nobody}/x"))
    with pytest.raises(InvalidOption, match="cannot be reached"):
        await start(settings_for(tmp_path / "b", **without_store(nobody)))
    assert not (tmp_path / "b" / "whispercore.db").exists(), "nothing is made"
    await start(settings_for(tmp_path / "c", redis_url=f"redis://127.0.0.1:{nobody}/0"))
