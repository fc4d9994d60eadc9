"""What it costs that recordings are stored encrypted."""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from attrs import define, field

from benchmarks.place import Place
from benchmarks.processes import peak_memory
from benchmarks.results import Figure, NotMeasured, Result
from benchmarks.servers import Ours, bare_server, our_server, prepared, settled
from benchmarks.uploads import upload

_PIECE_BYTES = 1 << 20
_SIDES = (("sealed", "1"), ("clear", "0"))
_ENVIRONMENT = {
    "WHISPERCORE_MAX_DIRECT_UPLOAD_MB": "4096",
    "WHISPERCORE_MODEL": "micro",
    "WHISPERCORE_DURABLE_UPLOADS": "0",
}


@define
class _Side:
    """One of the two servers, and what was measured of it."""

    ours: Ours
    up_s: list[float] = field(factory=list)
    down_s: list[float] = field(factory=list)
    grown_mb: float = 0.0

    def round(self, size_bytes: int, piece: bytes) -> None:
        """Send a recording, fetch it, remove it."""
        self.up_s.append(upload(f"{self.ours.url}/api/jobs/", size_bytes, self.ours.headers, piece=piece))
        job_id, file_id = self._newest()
        self.down_s.append(_download(f"{self.ours.url}/api/v1/files/{file_id}/download", self.ours, size_bytes))
        urlopen(Request(f"{self.ours.url}/api/jobs/{job_id}", method="DELETE", headers=self.ours.headers)).close()  # noqa: S310

    def memory(self, size_bytes: int, piece: bytes) -> None:
        """What both add to the memory of the server; not timed, as looking at it holds the server up."""
        with peak_memory(self.ours.pid) as before:
            time.sleep(0.3)
        with peak_memory(self.ours.pid) as during:
            self.round(size_bytes, piece)
        self.up_s.clear()
        self.down_s.clear()
        self.grown_mb = max(self.grown_mb, during.total_mb - before.total_mb)

    def _newest(self) -> tuple[str, str]:
        with urlopen(Request(f"{self.ours.url}/api/v1/files?limit=1", headers=self.ours.headers)) as answer:  # noqa: S310
            (row,) = json.load(answer)["files"]
        return row["job_id"], row["id"]


def run(place: Place) -> Result:
    """The same recording to and from a server that encrypts, and one that does not, in turns."""
    size_bytes, rounds = place.pick(1_000, 20) * 1_000_000, place.pick(4, 1)
    piece = os.urandom(_PIECE_BYTES)
    bare_folder = place.folder / "bare-sealed"
    bare_folder.mkdir(parents=True)
    made = prepared(place.folder / "bare-data", 1)
    bare_s: dict[str, list[float]] = {"/checked": [], "/checked?sealed": []}
    with ExitStack() as stack:
        bare = stack.enter_context(bare_server(made.url, made.user_id, bare_folder))
        sealed, clear = (stack.enter_context(_server(place.folder / name, flag)) for name, flag in _SIDES)
        for side in (sealed, clear):
            side.memory(size_bytes, piece)
        for _ in range(rounds):
            for side in (sealed, clear):
                side.round(size_bytes, piece)
            for path, took_s in bare_s.items():
                took_s.append(upload(f"{bare}{path}", size_bytes, {}, piece=piece))
                for file in bare_folder.iterdir():
                    file.unlink()
    bare_clear_s, bare_sealed_s = bare_s.values()
    mb = size_bytes / 1e6
    return Result(
        name="encryption",
        title="Encryption of recordings",
        how=(
            f"A WAV file of {mb:,.0f} MB of noise, which does not shrink, is sent over one connection of this machine, "
            f"and fetched again: to and from a server that stores it encrypted, and one that stores it in clear; in "
            f"turns, {rounds} rounds, medians. Both leave it to the system when the bytes reach the disk. The bar is "
            "a quarter of the throughput, so a third more time. With them a bare aiohttp handler that hashes parts of "
            "8 MiB and writes them, and one that seals them before and hashes what is sealed too, as well as the "
            "libraries and the cores allow."
        ),
        figures=(
            Figure(
                what="throughput that sending loses", value=_lost(sealed.up_s, clear.up_s), unit="%", digits=0, bar=25
            ),
            Figure(
                what="throughput that fetching loses",
                value=_lost(sealed.down_s, clear.down_s),
                unit="%",
                digits=0,
                bar=25,
            ),
            Figure(
                what="throughput that sending loses, bare handlers",
                value=_lost(bare_sealed_s, bare_clear_s),
                unit="%",
                digits=0,
            ),
            Figure(what="sent, encrypted", value=mb / median(sealed.up_s), unit="MB/s", digits=0),
            Figure(what="sent, in clear", value=mb / median(clear.up_s), unit="MB/s", digits=0),
            Figure(what="sent to a bare handler, encrypted", value=mb / median(bare_sealed_s), unit="MB/s", digits=0),
            Figure(what="sent to a bare handler, in clear", value=mb / median(bare_clear_s), unit="MB/s", digits=0),
            Figure(what="fetched, encrypted", value=mb / median(sealed.down_s), unit="MB/s", digits=0),
            Figure(what="fetched, in clear", value=mb / median(clear.down_s), unit="MB/s", digits=0),
            Figure(what="memory added, encrypted", value=sealed.grown_mb, unit="MB", digits=0),
            Figure(what="memory added, in clear", value=clear.grown_mb, unit="MB", digits=0),
        ),
        samples={
            "sealed_up_s": sealed.up_s,
            "clear_up_s": clear.up_s,
            "sealed_down_s": sealed.down_s,
            "clear_down_s": clear.down_s,
            "bare_sealed_up_s": bare_sealed_s,
            "bare_clear_up_s": bare_clear_s,
        },
    )


@contextmanager
def _server(data: Path, encrypts: str) -> Iterator[_Side]:
    environment = {**_ENVIRONMENT, "WHISPERCORE_ENCRYPT_FILES": encrypts}
    with our_server(data, "--no-worker", environment=environment) as ours:
        settled(ours)
        yield _Side(ours)


def _lost(sealed_s: list[float], clear_s: list[float]) -> float:
    """Per cent of the throughput; 0 where there is nothing to be seen."""
    return max(0.0, 100 * (1 - median(clear_s) / median(sealed_s)))


def _download(url: str, ours: Ours, size_bytes: int) -> float:
    """Fetch it, and give the seconds until the last byte.

    Raises:
        NotMeasured: It is something else.
    """
    parts = urlsplit(url)
    lines = [f"GET {parts.path} HTTP/1.1", f"Host: {parts.netloc}", *(f"{k}: {v}" for k, v in ours.headers.items())]
    buffer = bytearray(_PIECE_BYTES)
    began = time.perf_counter()
    with socket.create_connection((parts.hostname or "", parts.port or 80), timeout=300) as connection:
        connection.sendall("\r\n".join([*lines, "Connection: close", "", ""]).encode())
        came = 0
        head = b""
        while n_bytes := connection.recv_into(buffer):
            head = head or bytes(buffer[:12])
            came += n_bytes
    took_s = time.perf_counter() - began
    if head != b"HTTP/1.1 200" or came < size_bytes:
        raise NotMeasured(f"the server answered {head!r} and {came} bytes")
    return took_s
