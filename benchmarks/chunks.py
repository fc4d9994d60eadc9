"""How fast and how surely a large recording comes in that is sent in chunks."""

from __future__ import annotations

import json
import os
import random
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Final
from urllib.request import urlopen

from attrs import define, field

from benchmarks.chunk_sender import CHUNK_BYTES, Recording, Sender
from benchmarks.place import Place
from benchmarks.processes import peak_memory
from benchmarks.results import Figure, NotMeasured, Result
from benchmarks.servers import Ours, bare_server, our_server, prepared, settled

_ENVIRONMENT: Final = {"WHISPERCORE_MODEL": "micro", "WHISPERCORE_REUSE_RESULTS": "0"}
_CACHED: Final = {**_ENVIRONMENT, "WHISPERCORE_DURABLE_UPLOADS": "0"}
_LIKE_BARE: Final = {**_CACHED, "WHISPERCORE_ENCRYPT_FILES": "0"}
"""The bare handler neither waits for the disk nor encrypts."""
_ON_DISK: Final = {**_ENVIRONMENT, "WHISPERCORE_ENCRYPT_FILES": "0"}
"""Who has the answer to a chunk need not send it again, whatever happens to the machine."""
_CUTS: Final = 0.02
_REPEATS: Final = 0.02


@define
class _Rounds:
    ours_s: list[float] = field(factory=list)
    bare_s: list[float] = field(factory=list)
    checked_s: list[float] = field(factory=list)
    grown_mb: list[float] = field(factory=list)


def run(place: Place) -> Result:
    """The same bytes to our server and to a bare handler, in turns; then once over a bad network and a kill."""
    recording = Recording(place.pick(250, 4) * CHUNK_BYTES)
    data, bare_folder = place.folder / "chunks", place.folder / "bare-chunks"
    bare_folder.mkdir(parents=True)
    made = prepared(data, 1)
    rounds, sealed, on_disk = _Rounds(), _Rounds(), _Rounds()
    expected = recording.sha256()
    with bare_server(made.url, made.user_id, bare_folder) as bare:
        for each, count, environment, query in (
            (rounds, place.pick(3, 1), _LIKE_BARE, ""),
            (sealed, 1, _CACHED, ""),
            (on_disk, place.pick(3, 1), _ON_DISK, "?durable"),
        ):
            with our_server(data, "--no-worker", environment=environment) as ours:
                settled(ours)
                _clean(ours, Recording(4 * CHUNK_BYTES), _Rounds(), None)  # loads what is loaded once
                for _ in range(count):
                    _clean(ours, recording, each, expected)
                    each.bare_s.append(_bare(bare, recording, query))
                    each.checked_s.append(_checked(bare, recording, expected))
                    _emptied(bare_folder)
    torn_s, torn_mb = _torn(place, recording, expected)
    mb = recording.size_bytes / 1e6
    ratio, least = (median(one) / median(rounds.bare_s) for one in (rounds.ours_s, rounds.checked_s))
    return Result(
        name="chunks",
        title="Uploads in chunks",
        how=(
            f"A WAV file of {mb:,.0f} MB in chunks of {CHUNK_BYTES >> 20} MiB, as our client sends it, over 4 "
            f"connections of this machine, from the beginning of the upload until its job is in the queue (every chunk "
            f"and the whole hashed, the recording looked at), against a bare aiohttp handler that writes the same "
            f"requests into a file; neither waits for the disk, and neither encrypts; in turns, {len(rounds.ours_s)} "
            "rounds, medians. With them a bare handler that makes the same checksums, as well as the libraries and the "
            "cores allow. Once more with recordings encrypted, as they are unless it is told otherwise. Then, in as "
            "many rounds, both answer a chunk when it is on the disk, as our server does unless it is told otherwise. "
            f"Then once in a random order, encrypted and flushed to the disk, with {_CUTS:.0%} of the requests broken "
            f"off, {_REPEATS:.0%} of the chunks sent twice, and one kill -9 of the server in the middle: the SHA-256 "
            "of what arrived is compared with that of what was sent. Memory is what the server and its children add at "
            "their peak."
        ),
        figures=(
            Figure(what="time of a bare handler", value=ratio, unit="x", bar=2),
            Figure(what="with the same checksums, a bare handler: time of a bare handler", value=least, unit="x"),
            Figure(what="whispercore", value=mb / median(rounds.ours_s), unit="MB/s", digits=0),
            Figure(what="bare handler", value=mb / median(rounds.bare_s), unit="MB/s", digits=0),
            Figure(
                what="bare handler, with the same checksums",
                value=mb / median(rounds.checked_s),
                unit="MB/s",
                digits=0,
            ),
            Figure(
                what="on the disk: time of a bare handler that waits for it too",
                value=median(on_disk.ours_s) / median(on_disk.bare_s),
                unit="x",
                bar=2,
            ),
            Figure(what="whispercore, on the disk", value=mb / median(on_disk.ours_s), unit="MB/s", digits=0),
            Figure(what="bare handler, on the disk", value=mb / median(on_disk.bare_s), unit="MB/s", digits=0),
            Figure(what="whispercore, encrypting", value=mb / median(sealed.ours_s), unit="MB/s", digits=0),
            Figure(
                what="memory added",
                value=max(*rounds.grown_mb, *sealed.grown_mb, *on_disk.grown_mb, torn_mb),
                unit="MB",
                digits=0,
                bar=60,
            ),
            Figure(what="over a bad network, with a kill: right SHA-256 after", value=torn_s, unit="s"),
        ),
        samples={
            "whispercore_s": rounds.ours_s,
            "bare_s": rounds.bare_s,
            "checked_s": rounds.checked_s,
            "whispercore_durable_s": on_disk.ours_s,
            "bare_durable_s": on_disk.bare_s,
            "memory_mb": rounds.grown_mb + sealed.grown_mb + on_disk.grown_mb,
        },
    )


def _clean(ours: Ours, recording: Recording, rounds: _Rounds, expected: str | None) -> None:
    sender = Sender(ours.url, ours.headers)
    with _growth(ours.pid, rounds.grown_mb):
        began = time.perf_counter()
        path = _begun(sender, recording)
        sender.send_all(f"{path}/chunks", recording, range(recording.count))
        _finish(sender, path, expected)
        rounds.ours_s.append(time.perf_counter() - began)


def _bare(url: str, recording: Recording, query: str) -> float:
    began = time.perf_counter()
    Sender(url, {}).send_all("/chunks", recording, range(recording.count), query=query)
    return time.perf_counter() - began


def _checked(url: str, recording: Recording, expected: str) -> float:
    began = time.perf_counter()
    Sender(url, {}).send_all("/checked", recording, range(recording.count))
    with urlopen(f"{url}/checked?count={recording.count}") as answer:  # noqa: S310 (our own)
        found = json.load(answer)["sha256"]
    if found != expected:
        raise NotMeasured(f"what arrived at the bare handler has the SHA-256 {found} and not {expected}")
    return time.perf_counter() - began


def _emptied(folder: Path) -> None:
    for file in folder.iterdir():
        file.unlink()


def _torn(place: Place, recording: Recording, expected: str) -> tuple[float, float]:
    """Seconds and memory of an upload over a bad network to a server that is killed in the middle."""
    data = place.folder / "torn"
    order = list(range(recording.count))
    dice = random.Random(7)  # noqa: S311 (no secret)
    dice.shuffle(order)
    order += dice.sample(order, max(1, int(_REPEATS * len(order))))
    grown: list[float] = []
    with our_server(data, "--no-worker", environment=_ENVIRONMENT) as first:
        settled(first)
        began = time.perf_counter()
        sender = Sender(first.url, first.headers)
        path = _begun(sender, recording, file_hash=expected)
        sending = threading.Thread(
            target=sender.send_all, args=(f"{path}/chunks", recording, order), kwargs={"cuts": _CUTS}
        )
        with _growth(first.pid, grown):
            sending.start()
            while sending.is_alive() and sender.sent < len(order) // 2:
                time.sleep(0.01)
            os.kill(first.pid, signal.SIGKILL)
    with our_server(data, "--no-worker", environment=_ENVIRONMENT) as second:
        answers = time.perf_counter()
        settled(second)
        began += time.perf_counter() - answers  # nobody but we waits for that
        with _growth(second.pid, grown):
            sender.url = second.url
            sending.join()
            _finish(sender, path, expected)
    if sender.sent != len(order):
        raise NotMeasured(f"{sender.sent} of {len(order)} chunks were answered")
    return time.perf_counter() - began, max(grown)


@contextmanager
def _growth(pid: int, into: list[float]) -> Iterator[None]:
    """What a server's memory grows by during the block."""
    with peak_memory(pid) as before:
        time.sleep(0.3)
    with peak_memory(pid) as during:
        yield
    into.append(during.total_mb - before.total_mb)


def _begun(sender: Sender, recording: Recording, file_hash: str | None = None) -> str:
    wanted = {"filename": "large.wav", "file_size": recording.size_bytes, "chunk_size": CHUNK_BYTES}
    begun = sender.post(
        "/api/chunked-uploads/initialize", {**wanted, **({} if file_hash is None else {"file_hash": file_hash})}
    )
    return f"/api/chunked-uploads/{begun['session_id']}"


def _finish(sender: Sender, path: str, expected: str | None) -> None:
    found = sender.post(f"{path}/finalize", {"model": "micro"})["file_hash"]
    if expected is not None and found != expected:
        raise NotMeasured(f"what arrived has the SHA-256 {found} and not {expected}")
