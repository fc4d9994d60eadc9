"""Sends a recording in chunks over several connections, as well as can be or as badly as a network does."""

from __future__ import annotations

import hashlib
import http.client
import json
import queue
import random
import socket
import struct
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlsplit

from attrs import define, field

from benchmarks.results import NotMeasured
from whispercore.uploads.bounds import suitable_chunk_bytes

CHUNK_BYTES: Final = suitable_chunk_bytes(1_000 << 20)
"""As our client sends a recording of this size."""
_CONNECTIONS: Final = 4
_TRIES: Final = 600


@define
class Recording:
    """A WAV file of some size, which is never whole in memory: noise that repeats, and is another in each chunk."""

    size_bytes: int
    chunk_bytes: int = CHUNK_BYTES
    _noise: bytes = field(init=False)
    _header: bytes = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._noise = random.Random(1).randbytes(self.chunk_bytes)  # noqa: S311 (no secret)
        form = struct.pack("<HHIIHH", 1, 1, 16_000, 32_000, 2, 16)
        riff = struct.pack("<4sI4s4sI", b"RIFF", self.size_bytes - 8, b"WAVE", b"fmt ", len(form))
        self._header = riff + form + struct.pack("<4sI", b"data", self.size_bytes - 44)

    @property
    def count(self) -> int:
        """Of its chunks."""
        return -(-self.size_bytes // self.chunk_bytes)

    def blank(self) -> bytearray:
        """Memory for one chunk after the other: to make it anew for each would cost as much as to send it."""
        return bytearray(self._noise)

    def chunk(self, number: int, memory: bytearray) -> memoryview:
        """One of them, in ``blank`` memory that no other is in any more."""
        head = self._header if number == 0 else struct.pack("<Q", number)
        memory[: len(self._header)] = head + self._noise[len(head) : len(self._header)]
        return memoryview(memory)[: self.size_bytes - number * self.chunk_bytes]

    def sha256(self) -> str:
        """Of all of it."""
        whole, memory = hashlib.sha256(), self.blank()
        for number in range(self.count):
            whole.update(self.chunk(number, memory))
        return whole.hexdigest()


@define
class Sender:
    """Sends chunks.

    Args:
        url: Of the server; may change meanwhile.
        headers: Of every request.
        on_sent: Called after each chunk that was answered well, by the thread of its connection.
    """

    url: str
    headers: Mapping[str, str]
    on_sent: Callable[[], None] = lambda: None
    sent: int = 0
    """Chunks that were answered well."""

    def post(self, path: str, body: object = None) -> dict[str, Any]:
        """A request with JSON, and its answer.

        Raises:
            NotMeasured: It is refused.
        """
        connection = self._connection()
        connection.request(
            "POST", path, json.dumps(body).encode(), {**self.headers, "Content-Type": "application/json"}
        )
        answer = connection.getresponse()
        data = answer.read()
        connection.close()
        if answer.status not in (200, 201):
            raise NotMeasured(f"the server answered {answer.status} {data[:300]!r}")
        found: dict[str, Any] = json.loads(data)
        return found

    def send_all(
        self, path: str, recording: Recording, order: Sequence[int], *, cuts: float = 0.0, query: str = ""
    ) -> None:
        """Send chunks over all connections at once.

        Args:
            path: Below which they go.
            recording: What they are of.
            order: Their numbers; some may come again.
            cuts: The share of requests that are broken off in the middle.
            query: Goes with each, with its question mark.

        Raises:
            NotMeasured: One is refused, or does not come through.
        """
        waiting: queue.SimpleQueue[int] = queue.SimpleQueue()
        for number in order:
            waiting.put(number)
        failed: list[BaseException] = []

        def work(seed: int) -> None:
            dice = random.Random(seed)  # noqa: S311 (no secret)
            try:
                self._work(path, recording, waiting, dice, cuts, query)
            except BaseException as error:  # noqa: BLE001 (told to the caller)
                failed.append(error)

        threads = [threading.Thread(target=work, args=(seed,)) for seed in range(_CONNECTIONS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if failed:
            raise NotMeasured(f"a chunk could not be sent: {failed[0]!r}")

    def _work(  # noqa: PLR0917 (all of one connection)
        self,
        path: str,
        recording: Recording,
        waiting: queue.SimpleQueue[int],
        dice: random.Random,
        cuts: float,
        query: str,
    ) -> None:
        connection = self._connection()
        memory = recording.blank()
        while True:
            try:
                number = waiting.get_nowait()
            except queue.Empty:
                connection.close()
                return
            self._sent(connection, f"{path}/{number}{query}", number, recording.chunk(number, memory), dice, cuts)
            self.sent += 1
            self.on_sent()

    def _sent(  # noqa: PLR0917 (all of one request)
        self,
        connection: http.client.HTTPConnection,
        path: str,
        number: int,
        data: memoryview,
        dice: random.Random,
        cuts: float,
    ) -> None:
        """Send a chunk until it is answered, wherever the server is by then."""
        for _ in range(_TRIES):
            try:
                if dice.random() < cuts:
                    self._cut(path, data[: dice.randrange(len(data))], len(data))
                headers = {**self.headers, "Content-Type": "application/octet-stream"}
                connection.request("POST", path, data, headers)
                answer = connection.getresponse()
                said = answer.read()
            except (OSError, http.client.HTTPException):
                connection.close()
                time.sleep(0.1)
                connection.port = urlsplit(self.url).port or 80
                continue
            if answer.status != 200:
                raise NotMeasured(f"chunk {number} was answered {answer.status} {said[:300]!r}")
            return
        raise NotMeasured(f"chunk {number} did not come through")

    def _cut(self, path: str, some: memoryview, announced: int) -> None:
        """A request that breaks off."""
        parts = urlsplit(self.url)
        lines = [
            f"POST {path} HTTP/1.1",
            f"Host: {parts.netloc}",
            "Content-Type: application/octet-stream",
            f"Content-Length: {announced}",
            *(f"{name}: {value}" for name, value in self.headers.items()),
        ]
        with socket.create_connection((parts.hostname or "", parts.port or 80), timeout=30) as connection:
            connection.sendall("\r\n".join([*lines, "", ""]).encode())
            connection.sendall(some)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def _connection(self) -> http.client.HTTPConnection:
        parts = urlsplit(self.url)
        return http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)
