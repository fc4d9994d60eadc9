"""Measuring how this machine's processor is best shared among windows."""

from __future__ import annotations

import itertools
import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from whispercore.engines.calibration import ENGINE, Calibration, Split, Trial, splits, subject_of
from whispercore.engines.engine import Control, MakeEngine, Options, Window
from whispercore.engines.whispercpp.engine import WhisperCpp
from whispercore.errors import InvalidOption
from whispercore.machine import cores
from whispercore.models.store import ModelFile

OnTrial = Callable[[Trial], None]


def calibrate(
    model: ModelFile,
    windows: Iterable[Window],
    *,
    rounds: int = 2,
    on_trial: OnTrial | None = None,
    make: Callable[..., MakeEngine] | None = None,
) -> Calibration:
    """Decode windows with a few splits of the processor, each in a child of its own. Takes all cores meanwhile.

    Args:
        model: One of whisper.cpp.
        windows: Speech as it usually is; the same for each split. Not taken before it is known that the model will do.
        rounds: How often all slots are filled, and how many windows are decoded one by one.
        on_trial: Called with each one that is measured.
        make: Makes an engine with so many ``slots``.

    Raises:
        InvalidOption: The model is not one of whisper.cpp, its build is not known, or there is no window.
        EngineError: The engine does not work.
        ModelError: The model cannot be loaded.
    """
    if model.engine != ENGINE or model.info is None:
        raise InvalidOption("model", f"{model.name} is for the engine {model.engine!r}, which shares no processor here")
    subject = subject_of(model.info)
    if subject is None:
        raise InvalidOption("engine", "pywhispercpp is not installed as a package, so its build is not known")
    heard = tuple(windows)
    if not heard:
        raise InvalidOption("recording", "nobody speaks in it")
    make = make if make is not None else _whisper_cpp
    trials: dict[Split, Trial] = {}
    for split in splits(cores()):
        trial = _tried(make(slots=split.slots), model, split.threads, heard, rounds)
        real = Split(slots=trial.slots, threads=trial.threads)
        if real in trials:  # a plain binding has one slot, however many are asked for
            continue
        trials[real] = trial
        if on_trial is not None:
            on_trial(trial)
    return Calibration(subject=subject, trials=tuple(trials.values()))


def _whisper_cpp(*, slots: int) -> MakeEngine:
    return partial(WhisperCpp, slots=slots)


def _tried(make: MakeEngine, model: ModelFile, threads: int, windows: Sequence[Window], rounds: int) -> Trial:
    engine = make(model.path, sha256=model.sha256, threads=threads)
    try:
        engine.load()
        can = engine.capabilities
        language = engine.detect_language(windows[0], Control()).code if can.detects_language else min(can.languages)
        options = Options(language=language, temperature_step=0.0)

        def decode(window: Window) -> float:
            began = time.monotonic()
            engine.decode([window], options, Control())
            return time.monotonic() - began

        decode(windows[0])  # the first one is slower: memory that nobody has touched yet
        alone_s = statistics.median(map(decode, itertools.islice(itertools.cycle(windows), rounds)))
        n_windows = can.slots * rounds
        began = time.monotonic()
        with ThreadPoolExecutor(can.slots, "whispercore-calibrate") as callers:
            for _ in callers.map(decode, itertools.islice(itertools.cycle(windows), n_windows)):
                pass
        per_s = n_windows / (time.monotonic() - began)
        return Trial(slots=can.slots, threads=threads, alone_s=round(alone_s, 4), windows_per_s=round(per_s, 4))
    finally:
        engine.unload()
