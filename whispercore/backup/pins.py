"""Blobs held under a second name, so that a copy can take its time over them whatever becomes of their files.

On a disk that is a link, which costs next to nothing; an object store makes a copy of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from whispercore.errors import BlobMissing
from whispercore.files.blobs import Blobs
from whispercore.files.parts import PUBLISHED, STAGING

PINNED: Final = "pinned"
_AT_ONCE: Final = 16


class Pins:
    """The blobs that one copy holds.

    Args:
        blobs: Where they are.
        name: Of the copy.
    """

    def __init__(self, blobs: Blobs, name: str) -> None:
        self._blobs = blobs
        self._folder = f"{PINNED}/{name}"
        self._held: dict[str, int] = {}

    async def hold_new(self, parts: Sequence[tuple[str, str, int]]) -> int:
        """Hold parts of files that are not held yet. Those that are not there are left out.

        Args:
            parts: The id of the file, the folder that it came in in, and the number of the part, of each.

        Returns:
            How many were new.
        """
        new = [part for part in parts if not self._holds(part[0], part[2])]
        slots = asyncio.Semaphore(_AT_ONCE)

        async def one(file_id: str, staged_in: str, number: int) -> None:
            async with slots:
                await self._pin(file_id, staged_in, number)

        async with asyncio.TaskGroup() as group:
            for file_id, staged_in, number in new:
                self._held[file_id] = number
                group.create_task(one(file_id, staged_in, number))
        return len(new)

    async def get(self, file_id: str, number: int) -> bytes | None:
        """The bytes of a part; None when it was not there."""
        try:
            return await self._blobs.get(self._key(file_id, number))
        except BlobMissing:
            return None

    async def release(self) -> None:
        """Let all go."""
        await self._blobs.delete_folder(self._folder)

    async def _pin(self, file_id: str, staged_in: str, number: int) -> None:
        # It may be moved from the second place to the first between our two looks, so a third one settles it.
        published = f"{PUBLISHED}/{file_id}/{number}"
        for place in (published, f"{STAGING}/{staged_in}/{number}", published):
            try:
                await self._blobs.copy(place, self._key(file_id, number))
            except BlobMissing:
                continue
            return

    def _holds(self, file_id: str, number: int) -> bool:
        # As files never change, all parts of a file were asked for together.
        return self._held.get(file_id, -1) >= number

    def _key(self, file_id: str, number: int) -> str:
        return f"{self._folder}/{file_id}/{number}"


async def release_all(blobs: Blobs) -> None:
    """Let go of what copies held that were broken off."""
    for folder in await blobs.folders(PINNED):
        await blobs.delete_folder(f"{PINNED}/{folder}")
