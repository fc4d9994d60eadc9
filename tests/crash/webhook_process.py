"""Makes a webhook, ends a job, and is killed: before anybody is told of it, or while somebody is."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

from tests.live import settings_for
from whispercore.jobs.job import NewJob
from whispercore.testing.making_jobs import ANN
from whispercore.webhooks.webhook import NewWebhook
from whispercore_server.ports import Ports


async def main(folder: Path, url: str, when: str) -> None:
    ports = Ports.of(settings_for(folder, allow_internal_addresses=True))
    async with ports.opened():
        await ports.webhooks.create(NewWebhook(url=url, events=("job.cancelled",)), ANN)
        async with ports.database.write() as tx:
            job = await ports.jobs.enqueue(tx, NewJob(owner_id=ANN.user_id, kind="waiting"))
        await ports.jobs.cancel(job.id, ANN)
        print(job.id, flush=True)  # noqa: T201 (whoever started this reads it)
        if when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        await ports.webhook_sender.run()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2], sys.argv[3]))
