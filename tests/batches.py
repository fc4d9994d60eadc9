"""Batches of tests: what goes into them, and what is left of them."""

from __future__ import annotations

import asyncio
import io
import zipfile
from collections.abc import Mapping

from tests.both_clients import Both
from tests.visitor import Visitor
from whispercore.api.transcriber.batches import BatchDetail


def zipped(files: Mapping[str, bytes]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return made.getvalue()


def stored(visitor: Visitor) -> int:
    """Bytes of recordings that are in the store."""
    folder = visitor.server.ports.settings.data / "files"
    return sum(one.stat().st_size for one in folder.rglob("*") if one.is_file())


async def over(client: Both, batch_id: str) -> BatchDetail:
    while True:
        found: BatchDetail = await client.call(lambda c: c.batches.get(batch_id))
        if found.processed_files == found.total_files:
            return found
        await asyncio.sleep(0.05)
