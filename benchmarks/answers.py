"""One request at a time through the API of OpenAI, against pywhispercpp by itself."""

from __future__ import annotations

import os
import time
from pathlib import Path
from statistics import median

from attrs import field, frozen

from benchmarks import direct
from benchmarks.place import Place, in_words
from benchmarks.processes import Side
from benchmarks.results import Figure, Result, ratio, spread
from benchmarks.servers import ADMIN_KEY, our_server
from whispercore.models.store import ModelStore
from whispercore.settings import Settings
from whispercore_client import Client

_MODEL = "benchmark"


@frozen
class _Rounds:
    """Seconds of both sides, in turns."""

    mine: list[float] = field(factory=list)
    theirs: list[float] = field(factory=list)


def run(place: Place) -> Result:
    """From the request to the end of its answer: a short recording and a long one, each by itself."""
    (clip,), talk, model = place.clips(1), place.talk(1), place.model("tiny")
    models = place.folder / "models-of-answers"
    ModelStore(Settings(models_dir=models)).add(_MODEL, model)
    environment = {
        "WHISPERCORE_MODELS": str(models),
        "WHISPERCORE_THREADS": str(place.threads),
        "WHISPERCORE_REUSE_RESULTS": "0",
    }
    short, long = _Rounds(), _Rounds()
    with (
        our_server(place.folder / "answers", environment={**os.environ, **environment}) as ours,
        Client(ours.url, api_key=ADMIN_KEY) as client,
        Side() as bare,
    ):
        bare.call(direct.load, model, place.threads)
        bare.call(direct.transcribe_many, [clip])
        _answered(client, clip)
        for rounds, recording, count in ((short, clip, place.pick(6, 1)), (long, talk, place.pick(2, 1))):
            for _ in range(count):
                rounds.theirs.append(bare.call(direct.transcribe_many, [recording]).seconds)
                rounds.mine.append(_answered(client, recording))
    return Result(
        name="answers",
        title="One request at a time",
        how=(
            f"`POST /v1/audio/transcriptions` with {in_words(clip)} and with {in_words(talk)} of speech on "
            f"{place.model_name('tiny')}, {place.threads} threads, from sending the file to the end of the answer, "
            "when nothing of it is kept any more; against pywhispercpp, which reads the file too. Both warm, in turns, "
            f"{len(short.mine)} and {len(long.mine)} rounds, medians."
        ),
        figures=(
            ratio(f"{in_words(clip)}, server / pywhispercpp, time", short.mine, short.theirs, bar=1.05),
            Figure(what="through the server", value=median(short.mine), unit="s"),
            Figure(what="pywhispercpp", value=median(short.theirs), unit="s"),
            ratio(f"{in_words(talk)}, server / pywhispercpp, time", long.mine, long.theirs, bar=1.05),
            Figure(what="through the server", value=median(long.mine), unit="s"),
            Figure(what="pywhispercpp", value=median(long.theirs), unit="s"),
        ),
        samples={
            "short_server_s": short.mine,
            "short_pywhispercpp_s": short.theirs,
            "long_server_s": long.mine,
            "long_pywhispercpp_s": long.theirs,
        },
        notes=(
            f"Of the short one, {spread(short.mine, short.theirs)}.",
            "The bar is that against whisper-cli, which the benchmark `whisper-cli` measures.",
        ),
    )


def _answered(client: Client, recording: Path) -> float:
    began = time.perf_counter()
    with client.openai.audio.transcribe(file=recording, model=_MODEL, language="en") as answer:
        answer.read()
    return time.perf_counter() - began
