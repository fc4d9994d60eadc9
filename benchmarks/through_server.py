"""Short recordings through the server, against a loop of pywhispercpp; and what memory the server has."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median

import psutil

from benchmarks import direct
from benchmarks.place import Place
from benchmarks.processes import Side, memory_mb, peak_memory
from benchmarks.results import Figure, Result, ratio, spread
from benchmarks.servers import ADMIN_KEY, our_server
from whispercore.models.store import ModelStore
from whispercore.settings import Settings
from whispercore_client import Client

_MODEL = "benchmark"


def run(place: Place) -> Result:
    """Eight clips at once over HTTP, from upload to transcript."""
    clips, model = place.clips(place.pick(8, 2)), place.model("tiny")
    models = place.folder / "models"
    ModelStore(Settings(models_dir=models)).add(_MODEL, model)
    environment = {
        "WHISPERCORE_MODELS": str(models),
        "WHISPERCORE_THREADS": "1" if place.quick else "",
        "WHISPERCORE_REUSE_RESULTS": "0",
    }
    mine: list[float] = []
    theirs: list[float] = []
    with (
        our_server(place.folder / "through", environment={**os.environ, **environment}) as ours,
        Client(ours.url, api_key=ADMIN_KEY) as client,
        Side() as bare,
    ):
        idle_mb = memory_mb(psutil.Process(ours.pid))
        bare.call(direct.load, model, place.threads)
        bare.call(direct.transcribe_many, clips[:1])
        _transcribe(client, clips[:1])
        with peak_memory(ours.pid) as peak:
            for _ in range(place.pick(4, 1)):
                theirs.append(bare.call(direct.transcribe_many, clips).seconds)
                mine.append(_transcribe(client, clips))
    return Result(
        name="server",
        title="Through the server",
        how=(
            f"{len(clips)} recordings of {place.clip_s} s on {place.model_name('tiny')}, sent at once by the client, "
            "from the first upload to the last transcript, with the threads that the server chooses, against "
            f"pywhispercpp with {place.threads} threads and the same files one after the other; both warm, in turns, "
            f"{len(mine)} rounds, medians."
        ),
        figures=(
            ratio("server / pywhispercpp, time", mine, theirs, bar=1.0, aim=0.75),
            Figure(what="through the server", value=median(mine), unit="s"),
            Figure(what="pywhispercpp", value=median(theirs), unit="s"),
            Figure(what="memory of the server's own process, idle", value=idle_mb, unit="MB", digits=0),
            Figure(what="at work, without the engine's process", value=peak.without_engine_mb, unit="MB", digits=0),
        ),
        samples={"server_s": mine, "pywhispercpp_s": theirs},
        notes=(f"In time, {spread(mine, theirs)}.",),
    )


def _transcribe(client: Client, clips: Sequence[Path]) -> float:
    began = time.perf_counter()
    with ThreadPoolExecutor(len(clips)) as threads:
        list(threads.map(lambda clip: client.transcribe(clip, model=_MODEL, language="en"), clips))
    return time.perf_counter() - began
