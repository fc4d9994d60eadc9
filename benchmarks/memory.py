"""Peak memory of all our processes: for an hour against the engine by itself, and for ten hours."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks import direct, ours
from benchmarks.place import Place, in_words
from benchmarks.processes import Peak, Side, peak_memory
from benchmarks.results import Figure, Result
from whispercore.models.catalogue import MICRO_PATH

_SLOTS = 2
_BAR_MB = 150.0


def run(place: Place) -> Result:
    """Sampled every 50 ms while it works."""
    model = place.model("tiny")
    hour, ten_hours = place.talk(place.pick(12, 1)), place.talk(place.pick(120, 3))
    own = _engine_alone(model, hour, place)
    with Side() as side, peak_memory(side.pid) as whole:
        whole_time = side.call(ours.transcribe, hour, model, place.threads)
    own_on_micro = _engine_alone(MICRO_PATH, hour, place)
    with Side() as side, peak_memory(side.pid) as lasting:
        lasting_time = side.call(ours.transcribe, ten_hours, MICRO_PATH, place.threads)
    with Side() as side, peak_memory(side.pid) as decoding:
        decoding_time = side.call(ours.decode, ten_hours)
    long, short = in_words(ten_hours), in_words(hour)
    return Result(
        name="memory",
        title="Memory",
        how=(
            f"PSS of all processes together, every 50 ms. {short} of speech on {place.model_name('tiny')}, {long} on "
            f"micro, from file to transcript, each against {_SLOTS} bare pywhispercpp processes (as many as "
            "whispercore has slots; Python, numpy and the model in each) that get windows of 30 s."
        ),
        figures=(
            *_figures(short, whole, own),
            *_figures(f"{long}, micro", lasting, own_on_micro),
            Figure(what=f"{long}, decoding only", value=decoding.total_mb, unit="MB", digits=0),
        ),
        samples={
            "whispercore_s": [whole_time.seconds],
            "whispercore_micro_s": [lasting_time.seconds],
            "decoding_s": [decoding_time.seconds],
        },
        notes=(
            f"At its peak in {short}: {_parts(whole)}; {whole_time.seconds:.0f} s, {whole.samples} samples.",
            f"At its peak in {long}: {_parts(lasting)}; {lasting_time.seconds:.0f} s, {lasting.samples} samples.",
            f"{long} decoding only: {_parts(decoding)}; {decoding_time.seconds:.0f} s.",
            "A second bare process holds the weights a second time, our second slot does not.",
            "'All but the engine's process' is a strict view of the same bar: our engine's process as its own.",
        ),
    )


def _figures(what: str, whole: Peak, own: Peak) -> tuple[Figure, ...]:
    """Of one recording, against the engine by itself."""
    return (
        Figure(
            what=f"{what}, more than the engine's own",
            value=whole.total_mb - own.total_mb,
            unit="MB",
            digits=0,
            bar=_BAR_MB,
        ),
        Figure(what=f"{what}, whispercore, all processes", value=whole.total_mb, unit="MB", digits=0),
        Figure(what=f"{what}, the engine's own ({_SLOTS} bare processes)", value=own.total_mb, unit="MB", digits=0),
        Figure(
            what=f"{what}, all but the engine's process",
            value=whole.without_engine_mb,
            unit="MB",
            digits=0,
            bar=_BAR_MB,
        ),
    )


def _engine_alone(model: Path, recording: Path, place: Place) -> Peak:
    """So many processes as we have slots. They share the cores, or OpenMP's spinning would stall them."""
    threads = max(1, place.threads // _SLOTS)
    with Side() as first, Side() as second, peak_memory(first.pid, second.pid) as peak:

        def work(side: Side) -> None:
            side.call(direct.load, model, threads)
            side.call(direct.transcribe_windows, recording, place.pick(6, 1))

        with ThreadPoolExecutor(_SLOTS) as executor:
            list(executor.map(work, (first, second)))
    return peak


def _parts(peak: Peak) -> str:
    return " + ".join(f"{kind} {megabytes:.0f}" for kind, megabytes in sorted(peak.parts_mb.items())) + " MB"
