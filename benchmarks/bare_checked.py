"""What the libraries and the cores of a machine allow: bare aiohttp handlers that make the checksums that ours make.

Bytes are received into memory that is used again. Parts of them are hashed, sealed and written meanwhile, in as many
threads as there are cores. Nothing is looked up, noted or checked, and nobody is kept from sending too much.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, TypeVar

from aiohttp import BodyPartReader, web

from benchmarks.chunk_sender import CHUNK_BYTES
from whispercore.encryption import age, age_file
from whispercore.machine import cores

_PART_BYTES: Final = 8 << 20
_PIECE_BYTES: Final = 1 << 16
_T = TypeVar("_T")


class Checked:
    """Handlers that hash what they write.

    Args:
        folder: Where to.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._recipient = age.recipient_of(age.new_identity())
        self._threads = ThreadPoolExecutor(cores())
        self._whole = hashlib.sha256()
        self._hashed = 0
        """Parts that are in the checksum of the whole."""
        self._turn = asyncio.Condition()
        self._spare: list[bytearray] = []
        self._spare_sealed: list[bytearray] = []

    def routes(self) -> list[web.RouteDef]:
        """All of them."""
        return [
            web.post("/checked/{number}", self.chunk),
            web.get("/checked", self.whole),
            web.post("/checked", self.upload),
        ]

    async def chunk(self, http: web.Request) -> web.Response:
        """A chunk, answered with its checksum; 0 comes before all others are begun. The whole is hashed meanwhile."""
        number, buffer, end = int(http.match_info["number"]), self._buffer(CHUNK_BYTES), 0
        if number == 0:
            self._whole, self._hashed = hashlib.sha256(), 0
        async for piece in http.content.iter_any():
            buffer[end : end + len(piece)] = piece
            end += len(piece)
        data = memoryview(buffer)[:end]
        added = asyncio.create_task(self._add(number, data))
        _, sha256 = await asyncio.gather(
            self._in_thread(lambda: self._write(number, data)),
            self._in_thread(lambda: hashlib.sha256(data).hexdigest()),
        )
        added.add_done_callback(lambda _: self._spare.append(buffer))
        return web.json_response({"sha256": sha256})

    async def whole(self, http: web.Request) -> web.Response:
        """The checksum of so many chunks."""
        async with self._turn:
            await self._turn.wait_for(lambda: self._hashed == int(http.query["count"]))
        return web.json_response({"sha256": self._whole.hexdigest()})

    async def upload(self, http: web.Request) -> web.Response:
        """A form with one file; ``?sealed`` has its parts sealed, and what is written hashed, too."""
        part = await (await http.multipart()).next()
        assert isinstance(part, BodyPartReader)
        sealed = "sealed" in http.query
        self._whole, self._hashed = hashlib.sha256(), 0
        tasks: list[asyncio.Task[None]] = []
        buffer, end = self._buffer(_PART_BYTES), 0
        while piece := memoryview(await part.read_chunk(1 << 18)):
            while piece:
                now = piece[: _PART_BYTES - end]
                buffer[end : end + len(now)] = now
                end, piece = end + len(now), piece[len(now) :]
                if end == _PART_BYTES:
                    if len(tasks) > 1:
                        await tasks[-2]
                    tasks.append(asyncio.create_task(self._part(len(tasks), buffer, end, sealed=sealed)))
                    buffer, end = self._buffer(_PART_BYTES), 0
        await asyncio.gather(*tasks, self._part(len(tasks), buffer, end, sealed=sealed))
        return web.json_response({"sha256": self._whole.hexdigest()})

    async def _part(self, number: int, buffer: bytearray, end: int, *, sealed: bool) -> None:
        data = memoryview(buffer)[:end]
        store = self._seal if sealed else self._write
        await asyncio.gather(self._add(number, data), self._in_thread(lambda: store(number, data)))
        self._spare.append(buffer)

    async def _add(self, number: int, data: memoryview) -> None:
        """Have a part in the checksum of the whole, once it is its turn."""
        async with self._turn:
            await self._turn.wait_for(lambda: self._hashed == number)
        await self._in_thread(lambda: self._whole.update(data))
        async with self._turn:
            self._hashed = number + 1
            self._turn.notify_all()

    def _seal(self, number: int, data: memoryview) -> None:
        room = self._spare_sealed.pop() if self._spare_sealed else bytearray(age_file.size_of(_PART_BYTES))
        sealed = age_file.seal(data, self._recipient, room)
        _ = hashlib.sha256(sealed).hexdigest()
        self._write(number, sealed)
        self._spare_sealed.append(room)

    def _write(self, number: int, data: memoryview) -> None:
        with (self._folder / f"part-{number}").open("wb", buffering=0) as file:
            for at in range(0, len(data), _PIECE_BYTES):  # for more at once the kernel looks for huge pages
                file.write(data[at : at + _PIECE_BYTES])

    def _buffer(self, size_bytes: int) -> bytearray:
        fitting = (at for at, one in enumerate(self._spare) if len(one) == size_bytes)
        at = next(fitting, None)
        return bytearray(size_bytes) if at is None else self._spare.pop(at)

    def _in_thread(self, work: Callable[[], _T]) -> asyncio.Future[_T]:
        return asyncio.get_running_loop().run_in_executor(self._threads, work)
