"""Where the recordings of an archive go: into a folder, or into a store elsewhere."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Final, Protocol

from attrs import define

from whispercore.errors import InvalidOption
from whispercore.files.blobs import Blobs
from whispercore.files.parts import PUBLISHED

_AT_ONCE: Final = 8


class Place(Protocol):
    """A place for recordings. All calls block."""

    def check_empty(self) -> None:
        """See that there are none.

        Raises:
            InvalidOption: There are.
        """
        ...

    def put(self, found: Path) -> None:
        """Put recordings there; ``found`` has a folder of parts for each, or is not there."""
        ...

    def take_back(self, found: Path) -> None:
        """Remove them again."""
        ...


@define
class InFolder:
    """The folder that an installation keeps its blobs in."""

    folder: Path

    def check_empty(self) -> None:
        """See that it has no files."""
        folder = self.folder
        if folder.exists() and (not folder.is_dir() or any(path.is_file() for path in folder.rglob("*"))):
            raise InvalidOption("--data", f"there are files already in {folder}. Restore into an empty folder")

    def put(self, found: Path) -> None:
        """Move them there."""
        self.folder.mkdir(mode=0o700, exist_ok=True)
        for left in self.folder.iterdir():  # empty folders
            shutil.rmtree(left)
        if found.exists():
            shutil.move(found, self.folder / PUBLISHED)

    def take_back(self, found: Path) -> None:
        """Remove them again."""
        del found
        shutil.rmtree(self.folder / PUBLISHED, ignore_errors=True)


@define
class InStore:
    """A store of blobs. Its calls may raise ``Unavailable`` and ``StorageFull`` too."""

    blobs: Blobs

    def check_empty(self) -> None:
        """See that no recording is in it."""
        if asyncio.run(self.blobs.folders(PUBLISHED)):
            raise InvalidOption("s3_bucket", "there are recordings already in the bucket. Restore into an empty one")

    def put(self, found: Path) -> None:
        """Send them there."""
        asyncio.run(self._send(found, [path for path in sorted(found.rglob("*")) if path.is_file()]))

    def take_back(self, found: Path) -> None:
        """Remove them again."""
        asyncio.run(self._remove([path.name for path in found.iterdir()] if found.exists() else []))

    async def _send(self, found: Path, parts: Iterable[Path]) -> None:
        slots = asyncio.Semaphore(_AT_ONCE)

        async def one(part: Path) -> None:
            async with slots:
                data = await asyncio.to_thread(part.read_bytes)
                await self.blobs.put(f"{PUBLISHED}/{part.relative_to(found).as_posix()}", data, mode="overwrite")

        sending = [asyncio.create_task(one(part)) for part in parts]
        try:
            await asyncio.gather(*sending)
        finally:
            for task in sending:
                task.cancel()
            await asyncio.gather(*sending, return_exceptions=True)

    async def _remove(self, file_ids: Iterable[str]) -> None:
        for file_id in file_ids:
            await self.blobs.delete_folder(f"{PUBLISHED}/{file_id}")
