"""kill -9 between the end of a job and the end of telling a webhook of it."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.live import settings_for
from tests.receiver import receiver
from whispercore.testing import FakeClock
from whispercore.webhooks.deliveries import LEASE_S
from whispercore_server.ports import Ports

ROOT = Path(__file__).parents[2]


async def sent_later(folder: Path) -> list[int]:
    """How many messages a server sends that begins when nobody can be sending any more, and then once more."""
    later = FakeClock(datetime.now(UTC) + timedelta(seconds=LEASE_S + 1))
    ports = Ports.of(settings_for(folder, allow_internal_addresses=True), clock=later)
    async with ports.opened():
        begun = []
        for _ in range(2):
            begun.append(await ports.webhook_sender.begin())
            await ports.webhook_sender.settled()
        return begun


@pytest.mark.parametrize("when", ["before", "during"])
def test_nothing_is_lost(when: str, tmp_path: Path) -> None:
    with receiver() as hook:
        hook.hold = threading.Event()
        command = [sys.executable, "-m", "tests.crash.webhook_process", str(tmp_path), hook.url, when]
        try:
            with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
                assert process.stdout is not None
                job_id = process.stdout.readline().strip()
                if when == "during":
                    hook.wait(bool)
                    process.kill()
        finally:
            hook.hold.set()
        assert process.returncode == -9
        assert asyncio.run(sent_later(tmp_path)) == [1, 0]
        assert len(hook.received) == (1 if when == "before" else 2)
        assert len({one.id for one in hook.received}) == 1
        assert {json.loads(one.body)["data"]["job_id"] for one in hook.received} == {job_id}
