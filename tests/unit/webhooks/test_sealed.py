"""Where texts are sealed, a message about a job neither tells nor keeps what was said in it."""

from __future__ import annotations

import json
from pathlib import Path

from attrs import evolve
from sqlalchemy import inspect, text

from tests.live import settings_for
from tests.receiver import receiver
from whispercore.database.page import Slice
from whispercore.database.session import Database
from whispercore.jobs.job import NewJob
from whispercore.testing import FakeClock
from whispercore.testing.making_jobs import ANN, KIND, claimed, said, transcript
from whispercore.webhooks.webhook import NewWebhook
from whispercore_server.ports import Ports

SAID = "Quillfeather met Ottoline"
PROMPT = "Underbough and Penhaligon"


async def stored(database: Database) -> str:
    """All rows of all tables."""
    async with database.read() as tx:
        names = await tx.run_sync(lambda connection: inspect(connection).get_table_names())
        found = [(await tx.execute(text(f'SELECT * FROM "{name}"'))).all() for name in names]  # noqa: S608 (it is ours)
    return repr(found)


async def test_a_message_neither_tells_nor_keeps_what_was_said(tmp_path: Path, database_url: str) -> None:
    settings = settings_for(
        tmp_path, database_url=database_url, encrypt_transcripts=True, allow_internal_addresses=True
    )
    ports = Ports.of(settings, clock=FakeClock())
    async with ports.opened():
        with receiver() as hook:
            wish = NewWebhook(url=hook.url, events=("job.completed", "job.failed"))
            webhook, _ = await ports.webhooks.create(wish, ANN)
            for _ in range(2):
                async with ports.database.write() as tx:
                    job = NewJob(owner_id="ann", kind=KIND, options=json.dumps({"prompt": PROMPT}))
                    await ports.jobs.enqueue(tx, job)
            spoken = evolve(transcript(1), segments=(evolve(said(0), text=SAID),))
            await (await claimed(ports.jobs)).complete(spoken)
            await (await claimed(ports.jobs)).fail("engine_crashed", "it ended", retry=False)
            assert await ports.webhook_sender.begin() == 2
            await ports.webhook_sender.settled()
        log = (await ports.webhooks.deliveries(webhook.id, ANN, Slice())).rows
        assert [one.status for one in log] == ["delivered", "delivered"]
        kept = await stored(ports.database)
        assert "engine_crashed" in kept
        for word in f"{SAID} {PROMPT}".split():
            assert word not in kept
            assert not any(word.encode() in one.body for one in hook.received)
