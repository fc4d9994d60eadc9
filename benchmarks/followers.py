"""What it costs to have one job followed by many."""

from __future__ import annotations

import asyncio
import time
from urllib.parse import urlsplit

import psutil

from benchmarks.place import Place, in_words
from benchmarks.results import Figure, NotMeasured, Result
from benchmarks.servers import ADMIN_KEY, our_server
from whispercore_client import Client


def run(place: Place) -> Result:
    """Clients that read every event of one job, and one that reads none."""
    clients = place.pick(200, 10)
    recording = place.talk(place.pick(4, 1))
    with (
        our_server(place.folder / "followed", environment={"WHISPERCORE_MODEL": "micro"}) as ours,
        Client(ours.url, api_key=ADMIN_KEY) as client,
    ):
        process = psutil.Process(ours.pid)
        job_id = client.jobs.create(file=recording, language="en").job_id
        before, began = _cpu_s(process), time.perf_counter()
        ended = asyncio.run(_follow(ours.url, job_id, clients))
        cpu_s, took_s = _cpu_s(process) - before, time.perf_counter() - began
        segments = len(transcript.segments) if (transcript := client.jobs.get(job_id).transcript) else 0
    if ended != clients:
        raise NotMeasured(f"{clients - ended} clients did not see the end")
    return Result(
        name="followers",
        title="Followers of a job",
        how=(
            f"{clients} clients follow the events of one job, {in_words(recording)} of speech on micro, from its "
            f"beginning to its end, and one more connects and never reads. Processor time is that of the server's own "
            f"process, which also does the job; its children are left out."
        ),
        figures=(
            Figure(what="cores that the server's process keeps busy", value=cpu_s / took_s, bar=1.0),
            Figure(what="events of segments sent", value=clients * segments, digits=0),
            Figure(what="the job took", value=took_s, unit="s"),
        ),
        notes=("All clients saw the end of the job.",),
    )


async def _follow(url: str, job_id: str, clients: int) -> int:
    parts = urlsplit(url)
    request = (
        f"GET /api/progress/{job_id}/events HTTP/1.1\r\nHost: {parts.netloc}\r\nX-API-Key: {ADMIN_KEY}\r\n\r\n"
    ).encode()
    _, slow = await asyncio.open_connection(parts.hostname, parts.port, limit=1)
    slow.write(request)

    async def follow() -> bool:
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        writer.write(request)
        try:
            async for line in reader:
                if line.strip() == b"event: end":
                    return True
            return False
        finally:
            writer.close()

    ended = await asyncio.gather(*(follow() for _ in range(clients)))
    slow.close()
    return sum(ended)


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)
