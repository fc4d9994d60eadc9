"""How fast a large recording is taken in, and what memory that takes."""

from __future__ import annotations

import json
import socket
import struct
import time
from collections.abc import Mapping
from statistics import median
from urllib.parse import urlsplit

from attrs import define, field

from benchmarks.place import Place
from benchmarks.processes import peak_memory
from benchmarks.results import Figure, NotMeasured, Result
from benchmarks.servers import Ours, bare_server, our_server, prepared, settled

_BOUNDARY = "a-boundary-of-a-benchmark"
_RATE = 16_000
_PIECE_BYTES = 1 << 20
_REST_S = 12
"""After a recording, a decoder waits ten seconds for the next one of its owner."""
_LARGE = {"WHISPERCORE_MAX_DIRECT_UPLOAD_MB": "4096", "WHISPERCORE_MODEL": "micro"}


@define
class _Rounds:
    """What was measured in turns."""

    ours_s: list[float] = field(factory=list)
    bare_s: list[float] = field(factory=list)
    grown_mb: float = 0.0

    @property
    def ratio(self) -> float:
        """Our time in times of a bare handler."""
        return median(self.ours_s) / median(self.bare_s)


def run(place: Place) -> Result:
    """The same WAV file to our server and to a bare handler that writes it to the disk, in turns."""
    size_bytes, rest_s = place.pick(2_000, 20) * 1_000_000, place.pick(_REST_S, 0)
    data = place.folder / "uploads"
    bare_folder = place.folder / "bare"
    bare_folder.mkdir(parents=True)
    made = prepared(data, 1)
    cached = _Rounds()
    durable = _Rounds()
    with bare_server(made.url, made.user_id, bare_folder) as bare:
        for rounds, count, flag, query in (
            (cached, place.pick(4, 1), "0", ""),
            (durable, place.pick(2, 1), "1", "?durable"),
        ):
            large = {**_LARGE, "WHISPERCORE_DURABLE_UPLOADS": flag}
            with our_server(data, "--no-worker", environment=large) as ours:
                settled(ours)
                _ = upload(f"{ours.url}/api/jobs/", 1_000_000, ours.headers)  # loads what is loaded once
                rounds.grown_mb = _grown_mb(ours, size_bytes, rest_s)
                for _ in range(count):
                    rounds.ours_s.append(upload(f"{ours.url}/api/jobs/", size_bytes, ours.headers))
                    _remove_all(ours.url, ours.headers)
                    rounds.bare_s.append(upload(f"{bare}/upload{query}", size_bytes, {}))
                    (bare_folder / "upload.bin").unlink()
                rounds.grown_mb = max(rounds.grown_mb, _grown_mb(ours, size_bytes, rest_s))
    mb = size_bytes / 1e6
    return Result(
        name="uploads",
        title="Uploads",
        how=(
            f"A WAV file of {mb:,.0f} MB as a form, over one connection of this machine, to our server (counted, "
            f"hashed, stored in parts, looked at, its job queued) and to a bare aiohttp handler that writes it to a "
            f"file; in turns, {len(cached.ours_s)} rounds, medians. Memory is that of the server and its children, "
            f"beside what they take at rest, which a decoder is part of that waits for recordings; in "
            f"uploads before and after these: looking at it holds the server up. "
            f"First both leave it to the system when the bytes reach the disk, as a bare handler does; then, in "
            f"{len(durable.ours_s)} rounds, both wait for the disk, as our server does unless it is told otherwise."
        ),
        figures=(
            Figure(what="time of a bare handler", value=cached.ratio, unit="x", bar=2),
            Figure(what="whispercore", value=mb / median(cached.ours_s), unit="MB/s", digits=0),
            Figure(what="bare handler", value=mb / median(cached.bare_s), unit="MB/s", digits=0),
            Figure(what="memory added", value=max(cached.grown_mb, durable.grown_mb), unit="MB", digits=0, bar=50),
            Figure(what="on the disk: time of a bare handler that waits for it too", value=durable.ratio, unit="x"),
            Figure(what="whispercore, on the disk", value=mb / median(durable.ours_s), unit="MB/s", digits=0),
            Figure(what="bare handler, on the disk", value=mb / median(durable.bare_s), unit="MB/s", digits=0),
        ),
        samples={
            "whispercore_s": cached.ours_s,
            "bare_s": cached.bare_s,
            "whispercore_durable_s": durable.ours_s,
            "bare_durable_s": durable.bare_s,
        },
    )


def _grown_mb(ours: Ours, size_bytes: int, rest_s: int) -> float:
    """What an upload adds to the memory of the server. It is not timed: looking at memory holds the server up."""
    time.sleep(rest_s)
    with peak_memory(ours.pid) as before:
        time.sleep(0.3)
    with peak_memory(ours.pid) as during:
        _ = upload(f"{ours.url}/api/jobs/", size_bytes, ours.headers)
    _remove_all(ours.url, ours.headers)
    return during.total_mb - before.total_mb


def upload(url: str, size_bytes: int, headers: Mapping[str, str], *, piece: bytes = bytes(_PIECE_BYTES)) -> float:
    """Send a WAV file, and give the seconds until the answer.

    Args:
        url: Where to.
        size_bytes: Its size.
        headers: Of the request.
        piece: What it consists of, again and again.

    Raises:
        NotMeasured: The answer is an error.
    """
    parts = urlsplit(url)
    head = (
        f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="large.wav"\r\n'
        "Content-Type: audio/wav\r\n\r\n"
    ).encode()
    tail = f"\r\n--{_BOUNDARY}--\r\n".encode()
    wav = _wav_header(size_bytes - 44)
    length = len(head) + size_bytes + len(tail)
    lines = [
        f"POST {parts.path}?{parts.query} HTTP/1.1",
        f"Host: {parts.netloc}",
        f"Content-Type: multipart/form-data; boundary={_BOUNDARY}",
        f"Content-Length: {length}",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    began = time.perf_counter()
    with socket.create_connection((parts.hostname or "", parts.port or 80), timeout=300) as connection:
        connection.sendall("\r\n".join([*lines, "", ""]).encode() + head + wav)
        left = size_bytes - len(wav)
        while left:
            now = min(left, len(piece))
            connection.sendall(memoryview(piece)[:now])
            left -= now
        connection.sendall(tail)
        answer = connection.recv(1 << 16)
    took_s = time.perf_counter() - began
    if not answer.startswith((b"HTTP/1.1 200", b"HTTP/1.1 201")):
        raise NotMeasured(f"the server answered {answer[:300]!r}")
    return took_s


def _remove_all(url: str, headers: Mapping[str, str]) -> None:
    import urllib.request  # noqa: PLC0415 (needed here only)

    with urllib.request.urlopen(urllib.request.Request(f"{url}/api/jobs/?limit=100", headers=dict(headers))) as answer:  # noqa: S310
        rows = json.load(answer)["jobs"]
    for row in rows:
        request = urllib.request.Request(f"{url}/api/jobs/{row['job_id']}", method="DELETE", headers=dict(headers))  # noqa: S310
        urllib.request.urlopen(request).close()  # noqa: S310


def _wav_header(data_bytes: int) -> bytes:
    form = struct.pack("<HHIIHH", 1, 1, _RATE, _RATE * 2, 2, 16)
    riff = struct.pack("<4sI4s4sI", b"RIFF", 36 + data_bytes, b"WAVE", b"fmt ", len(form))
    return riff + form + struct.pack("<4sI", b"data", data_bytes)
