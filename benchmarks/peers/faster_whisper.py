"""Several recordings, against faster-whisper by itself."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any

import whispercore
from benchmarks.ct2_model import converted
from benchmarks.peers.service import Answered
from benchmarks.place import Place
from benchmarks.processes import Side
from benchmarks.results import Figure, NotMeasured, Result, ratio, spread
from benchmarks.texts import unlike
from whispercore.models.catalogue import MICRO_PATH

_loaded: list[Any] = []
"""The one model of this process."""


def run(place: Place) -> Result:
    """Clips by faster-whisper, by our engine of that name and by whisper.cpp here; then the text of clips on micro."""
    if find_spec("faster_whisper") is None:
        raise NotMeasured("faster-whisper is not installed: pip install -e '.[faster-whisper]'")
    model, clips = place.model("tiny"), place.clips(place.pick(8, 2))
    folder = converted(model, place.folder / "faster-whisper-model")
    theirs: list[float] = []
    mine: list[float] = []
    usual: list[float] = []
    with Side() as peer, Side() as ours, Side() as whispercpp:
        peer.call(load, folder, place.threads)
        peer.call(alone, clips[:1])
        ours.call(at_once, clips[:1], folder, place.threads)
        whispercpp.call(at_once, clips[:1], model, place.threads)
        for _ in range(place.pick(4, 1)):
            theirs.append(peer.call(alone, clips).seconds)
            mine.append(ours.call(at_once, clips, folder, place.threads).seconds)
            usual.append(whispercpp.call(at_once, clips, model, place.threads).seconds)
        spoken = place.sentences(place.pick(12, 2))
        micro = converted(MICRO_PATH, place.folder / "faster-whisper-micro")
        peer.call(load, micro, place.threads)
        heard = peer.call(alone, spoken).text
        different = unlike(heard, ours.call(at_once, spoken, micro, place.threads).text)
    return Result(
        name="faster-whisper",
        title="Against faster-whisper",
        how=(
            f"{len(clips)} recordings of {place.clip_s} s on {place.model_name('tiny')} and the same weights in the "
            f"form of CTranslate2, {place.threads} threads, greedy: one after the other to faster-whisper "
            f"{version('faster-whisper')}, and at once to `whispercore.transcribe`, with its engine of that name and "
            f"with whisper.cpp. All warm, in turns, {len(mine)} rounds, medians. Then the text of {len(spoken)} "
            "sentences on micro, of both with CTranslate2."
        ),
        figures=(
            ratio("engine faster-whisper / faster-whisper, time", mine, theirs),
            ratio("whisper.cpp here / faster-whisper, time", usual, theirs),
            Figure(what="engine faster-whisper", value=median(mine), unit="s"),
            Figure(what="whisper.cpp here", value=median(usual), unit="s"),
            Figure(what="faster-whisper", value=median(theirs), unit="s"),
            Figure(what="words unlike faster-whisper's", value=different, unit="%"),
        ),
        samples={"engine_s": mine, "whispercpp_s": usual, "faster_whisper_s": theirs},
        notes=(f"With the engine of that name, {spread(mine, theirs)}.",),
    )


def load(model: Path, threads: int) -> None:
    """Load the model that ``alone`` computes with."""
    from faster_whisper import WhisperModel  # noqa: PLC0415 (an extra)

    _loaded[:] = [WhisperModel(str(model), device="cpu", cpu_threads=threads, local_files_only=True)]


def alone(recordings: Sequence[Path]) -> Answered:
    """Transcribe recordings one after the other, as a program would that uses nothing else."""
    began = time.perf_counter()
    texts = []
    for recording in recordings:
        segments, _ = _loaded[0].transcribe(
            str(recording), language="en", beam_size=1, condition_on_previous_text=False
        )
        texts.append(" ".join(segment.text.strip() for segment in segments))
    return Answered(time.perf_counter() - began, tuple(texts))


def at_once(recordings: Sequence[Path], model: Path, threads: int) -> Answered:
    """``whispercore.transcribe`` for all of them."""

    def text(recording: Path) -> str:
        return whispercore.transcribe(recording, model=model, language="en", threads=threads).text

    began = time.perf_counter()
    with ThreadPoolExecutor(len(recordings)) as executor:
        texts = tuple(executor.map(text, recordings))
    return Answered(time.perf_counter() - began, texts)
