"""Batches of tests: what goes into them, and what is left of them."""

from __future__ import annotations

import asyncio
import io
import zipfile
from collections.abc import Mapping

from tests.both_clients import Both
from tests.live import Live
from tests.on_disk import stored_in
from tests.visitor import Visitor
from whispercore.api.transcriber.batches import BatchDetail
from whispercore.batches.batch import NewBatch, NewItem
from whispercore.people.caller import Caller


def zipped(files: Mapping[str, bytes]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return made.getvalue()


def stored(visitor: Visitor) -> int:
    """Bytes of recordings that are in the store."""
    return sum(one.stat().st_size for one in stored_in(visitor.server.ports.settings.data / "files"))


async def over(client: Both, batch_id: str) -> BatchDetail:
    while True:
        found: BatchDetail = await client.call(lambda c: c.batches.get(batch_id))
        if found.processed_files == found.total_files:
            return found
        await asyncio.sleep(0.05)


def batch_of(live: Live, owner_id: str, *items: NewItem) -> str:
    """The id of a batch of these files, whose jobs are there."""

    async def make() -> str:
        owner = Caller(user_id=owner_id, username="", scopes=frozenset())
        async with live.ports.database.write() as tx:
            new = NewBatch(owner_id=owner_id, name="a batch", model="micro")
            batch_id = await live.ports.batches.begin(tx, new, owner)
            await live.ports.batches.fill(tx, batch_id, items)
        return batch_id

    return live.run(make())
