"""How long a cancelled transcription goes on computing."""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from attrs import define, field

from benchmarks.place import Place
from benchmarks.processes import busy_s, engine_child
from benchmarks.results import Figure, NotMeasured, Result
from whispercore.engines.pool import EnginePool
from whispercore.errors import Cancelled
from whispercore.transcription import Transcription, stream

_POLL_S = 0.01
_STILL_S = 0.4
"""No processor time for so long: it has stopped."""
_PATIENCE_S = 120.0
_TRIES = 8
"""A machine that does other things may let a transcription end before its moment: it is tried at half the time then."""


@define
class _Latencies:
    """Of one model."""

    stopped_s: list[float] = field(factory=list)
    """Until the engine's process computed no more, or was gone."""
    told_s: list[float] = field(factory=list)
    """Until the caller got ``Cancelled``."""
    ended: int = 0
    """How often the process was ended for it."""


def run(place: Place) -> Result:
    """At random moments, on a small model anywhere and on a large one inside its encoder."""
    moments = random.Random(1)  # noqa: S311 (the same moments in every run)
    recording = place.talk(place.pick(1, 10))
    longest_s = 0.8 if place.quick else 5.0
    anywhere = _measure(place, "tiny", recording, [moments.uniform(0.05, longest_s) for _ in range(place.pick(12, 2))])
    encoder_s = 0.3 if place.quick else 2.5
    encoding = _measure(place, "small", recording, [moments.uniform(0.1, encoder_s) for _ in range(place.pick(5, 1))])
    return Result(
        name="cancel",
        title="Cancelling",
        how=(
            f"From `Transcription.cancel()` until the engine's process uses no processor time any more, or is gone; "
            f"looked at every {_POLL_S * 1000:.0f} ms. {len(anywhere.stopped_s)} times at random moments of "
            f"{place.model_name('tiny')}, and {len(encoding.stopped_s)} times within the first {encoder_s:g} s of "
            f"{place.model_name('small')}, which it spends in its encoder, where whisper.cpp cannot be asked to stop."
        ),
        figures=(
            Figure(what="anywhere, longest", value=max(anywhere.stopped_s), unit="s", bar=1.0),
            Figure(what="anywhere, median", value=median(anywhere.stopped_s), unit="s"),
            Figure(what="in the encoder, longest", value=max(encoding.stopped_s), unit="s", bar=1.0),
            Figure(what="in the encoder, median", value=median(encoding.stopped_s), unit="s"),
            Figure(what="until the caller knows, longest", value=max(anywhere.told_s + encoding.told_s), unit="s"),
        ),
        samples={"anywhere_s": anywhere.stopped_s, "encoder_s": encoding.stopped_s},
        notes=(
            f"Anywhere, the process was ended {anywhere.ended} times, and else stopped by itself.",
            f"In the encoder, the process was ended {encoding.ended} times.",
        ),
    )


def _measure(place: Place, size: str, recording: Path, moments: Sequence[float]) -> _Latencies:
    found = _Latencies()
    model = place.model(size)
    with EnginePool() as pool:
        for moment in moments:
            for number in range(_TRIES):
                transcription = stream(recording, model=model, language="en", threads=place.threads, pool=pool)
                if _one(transcription, moment / 2**number, found):
                    break
            else:
                raise NotMeasured("each transcription ended before it could be cancelled")
    return found


def _one(transcription: Transcription, moment: float, found: _Latencies) -> bool:
    """Cancel it at a moment, and note how long that took; False if it had ended by itself."""
    ended_at: list[float] = []

    def work() -> None:
        try:
            transcription.run()
        except Cancelled:
            ended_at.append(time.perf_counter())

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    _wait_for_its_begin(transcription, thread)
    time.sleep(moment)
    child = engine_child(os.getpid())
    began = time.perf_counter()
    transcription.cancel()
    if child is None:
        thread.join(_PATIENCE_S)
        return False
    stopped = last_busy = began
    was_ended = False
    spent_s = busy_s(child)
    while time.perf_counter() - last_busy < _STILL_S:
        time.sleep(_POLL_S)
        now_s = busy_s(child)
        if now_s is None:
            stopped = time.perf_counter()
            was_ended = True
            break
        if now_s != spent_s:
            spent_s = now_s
            stopped = last_busy = time.perf_counter()
    thread.join(_PATIENCE_S)
    if not ended_at:
        return False
    found.ended += was_ended
    found.stopped_s.append(stopped - began)
    found.told_s += [at - began for at in ended_at]
    return True


def _wait_for_its_begin(transcription: Transcription, thread: threading.Thread) -> None:
    """Until there is a process that computes: the one before may have been ended."""
    patience = time.monotonic() + _PATIENCE_S
    while thread.is_alive() and (transcription.progress.stage != "transcribing" or engine_child(os.getpid()) is None):
        if time.monotonic() > patience:
            raise NotMeasured("the transcription did not begin")
        time.sleep(_POLL_S)
