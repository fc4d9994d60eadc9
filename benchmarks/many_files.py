"""Many short recordings through the command, against a loop of pywhispercpp."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from benchmarks import direct, ours
from benchmarks.place import ROOT, Place
from benchmarks.processes import Side
from benchmarks.results import Figure, NotMeasured, Result, ratio, spread
from whispercore.engines.whispercpp.engine import shared_threads

_AT_ONCE = 3
"""As many as the command works on at once."""


def run(place: Place) -> Result:
    """Eight clips of eleven seconds."""
    command = _command()
    clips, model = place.clips(place.pick(8, 2)), place.model("tiny")
    rounds = place.pick(4, 1)
    mine: list[float] = []
    theirs: list[float] = []
    _ours(command, clips[:2], model, place)  # bytecode and file cache, of both sides
    _theirs(clips[:1], model, place.threads)
    for _ in range(rounds):
        theirs.append(_theirs(clips, model, place.threads))
        mine.append(_ours(command, clips, model, place))
    my_warm, their_warm = _warm(clips, model, place, rounds)
    return Result(
        name="files",
        title="Many short recordings",
        how=(
            f"{len(clips)} recordings of {place.clip_s} s on {place.model_name('tiny')}: one `whispercore transcribe` "
            f"command for all, with the threads that it chooses, against one Python program that gives them to "
            f"pywhispercpp one after the other with {place.threads} threads; starting Python and loading the model "
            f"counts for both. In turns, {rounds} rounds, medians. Then both loaded and warm: "
            f"`whispercore.transcribe` for {_AT_ONCE} files at once, with as many threads as the command chooses, "
            f"against the loop."
        ),
        figures=(
            ratio("command / pywhispercpp program", mine, theirs, bar=1.0, aim=0.75),
            Figure(what="command", value=median(mine), unit="s"),
            Figure(what="pywhispercpp program", value=median(theirs), unit="s"),
            ratio("the same without starting and loading", my_warm, their_warm, bar=1.0, aim=0.75),
            Figure(what="whispercore, warm", value=median(my_warm), unit="s"),
            Figure(what="pywhispercpp, warm", value=median(their_warm), unit="s"),
        ),
        samples={
            "command_s": mine,
            "program_s": theirs,
            "whispercore_warm_s": my_warm,
            "pywhispercpp_warm_s": their_warm,
        },
        notes=(
            f"Command against program, {spread(mine, theirs)}.",
            f"Warm, {spread(my_warm, their_warm)}.",
        ),
    )


def _warm(clips: Sequence[Path], model: Path, place: Place, rounds: int) -> tuple[list[float], list[float]]:
    mine: list[float] = []
    theirs: list[float] = []
    shared = 1 if place.quick else shared_threads()
    with Side() as bare, Side() as whispercore:
        bare.call(direct.load, model, place.threads)
        bare.call(direct.transcribe_many, clips[:1])
        whispercore.call(ours.transcribe_many, clips[:1], model, shared, 1)
        for _ in range(rounds):
            theirs.append(bare.call(direct.transcribe_many, clips).seconds)
            mine.append(whispercore.call(ours.transcribe_many, clips, model, shared, _AT_ONCE).seconds)
    return mine, theirs


def _command() -> Path:
    command = Path(sys.executable).with_name("whispercore")
    if not command.exists():
        raise NotMeasured("the command `whispercore` is not installed beside this Python")
    if subprocess.run([command, "transcribe", "--help"], capture_output=True, check=False).returncode != 0:
        raise NotMeasured("there is no `whispercore transcribe` here")
    return command


def _ours(command: Path, clips: Sequence[Path], model: Path, place: Place) -> float:
    began = time.perf_counter()
    done = subprocess.run(
        [command, "transcribe", *clips, "--model", model, "--language", "en"],
        cwd=place.folder,
        env={**os.environ, "WHISPERCORE_THREADS": "1" if place.quick else ""},
        capture_output=True,
        text=True,
        check=False,
    )
    seconds = time.perf_counter() - began
    if done.returncode != 0:
        raise NotMeasured(f"`whispercore transcribe` ended with {done.returncode}: {done.stderr[-500:]}")
    return seconds


def _theirs(clips: Sequence[Path], model: Path, threads: int) -> float:
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.direct", model, str(threads), *clips],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    seconds = time.perf_counter() - began
    if not json.loads(done.stdout)["n_segments"]:
        raise NotMeasured("pywhispercpp gave no text")
    return seconds
