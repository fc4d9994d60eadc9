"""What whispercore adds to the engine on one long recording."""

from __future__ import annotations

from statistics import median

from benchmarks import direct, ours
from benchmarks.place import Place, in_words
from benchmarks.processes import Side
from benchmarks.results import Figure, Result, ratio, spread


def run(place: Place) -> Result:
    """``whispercore.transcribe`` against pywhispercpp's ``Model.transcribe``, both warm, in turns."""
    model, recording = place.model("tiny"), place.talk(2)
    theirs: list[float] = []
    mine: list[float] = []
    their_cpu: list[float] = []
    my_cpu: list[float] = []
    with Side() as bare, Side() as whispercore:
        bare.call(direct.load, model, place.threads)
        warm_up = place.clips(1)[0]
        bare.call(direct.transcribe, warm_up)
        whispercore.call(ours.transcribe, warm_up, model, place.threads)
        for _ in range(place.pick(4, 1)):
            before = bare.cpu_s()
            theirs.append(bare.call(direct.transcribe, recording).seconds)
            their_cpu.append(bare.cpu_s() - before)
            before = whispercore.cpu_s()
            mine.append(whispercore.call(ours.transcribe, recording, model, place.threads).seconds)
            my_cpu.append(whispercore.cpu_s() - before)
    return Result(
        name="overhead",
        title="One long recording",
        how=(
            f"{in_words(recording)} of speech on {place.model_name('tiny')}, {place.threads} "
            f"threads, English, greedy with the usual fallback. pywhispercpp gets samples that were read before; "
            f"whispercore reads the file. Both loaded and warmed up, in turns, {len(mine)} rounds, medians."
        ),
        figures=(
            ratio("whispercore / pywhispercpp, time", mine, theirs, bar=1.05),
            Figure(what="whispercore, time", value=median(mine), unit="s", digits=1),
            Figure(what="pywhispercpp, time", value=median(theirs), unit="s", digits=1),
            Figure(what="whispercore, processor time of all processes", value=median(my_cpu), unit="s", digits=1),
            Figure(what="pywhispercpp, processor time", value=median(their_cpu), unit="s", digits=1),
        ),
        samples={
            "whispercore_s": mine,
            "pywhispercpp_s": theirs,
            "whispercore_cpu_s": my_cpu,
            "pywhispercpp_cpu_s": their_cpu,
        },
        notes=(f"In time, {spread(mine, theirs)}.",),
    )
