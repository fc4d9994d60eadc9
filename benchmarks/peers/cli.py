"""One request at a time, against whisper-cli."""

from __future__ import annotations

from pathlib import Path
from statistics import median

from attrs import field, frozen

from benchmarks.peers.service import our_service
from benchmarks.peers.whispercpp import Run, builds, our_features, program, whisper_cli
from benchmarks.place import Place, in_words
from benchmarks.results import Figure, Result, ratio, spread
from benchmarks.texts import unlike
from whispercore.models.catalogue import MICRO_PATH

_BAR = 1.05


@frozen
class _Rounds:
    """Seconds of both sides, in turns."""

    mine: list[float] = field(factory=list)
    theirs: list[float] = field(factory=list)
    their_whole: list[float] = field(factory=list)


def run(place: Place) -> Result:
    """A short recording and a long one by our server and by the program; then the text of clips on micro."""
    path = program("whisper-cli")
    (clip,), talk, model = place.clips(1), place.talk(1), place.model("tiny")

    def theirs(model: Path, recordings: list[Path]) -> Run:
        return whisper_cli(path, model, recordings, threads=place.threads, folder=place.folder)

    short, long = _Rounds(), _Rounds()
    with our_service(place, "beside-cli", model, threads=place.threads) as ours:
        theirs(model, [clip])
        ours.transcribe([clip])
        for rounds, recording, count in ((short, clip, place.pick(8, 1)), (long, talk, place.pick(2, 1))):
            for _ in range(count):
                ran = theirs(model, [recording])
                rounds.theirs.append(ran.compute_s)
                rounds.their_whole.append(ran.whole_s)
                rounds.mine.append(ours.transcribe([recording]).seconds)
    spoken = place.sentences(place.pick(12, 2))
    with our_service(place, "words-beside-cli", MICRO_PATH, threads=place.threads) as ours:
        heard = theirs(MICRO_PATH, spoken)
        mine = " ".join(ours.transcribe([one]).text for one in spoken)
    return Result(
        name="whisper-cli",
        title="Against whisper-cli",
        how=(
            f"`POST /v1/audio/transcriptions` with {in_words(clip)} and with {in_words(talk)} of speech on "
            f"{place.model_name('tiny')}, from sending the file to the end of the answer, against what whisper-cli "
            f"says that its computation took (spectrum, encoder, decoder, choice of tokens), without starting, loading "
            f"and reading the file; {place.threads} threads, greedy. In turns, {len(short.mine)} and {len(long.mine)} "
            f"rounds, medians. Then the text of {len(spoken)} sentences on micro."
        ),
        figures=(
            ratio(f"{in_words(clip)}, server / whisper-cli's computation, time", short.mine, short.theirs, bar=_BAR),
            Figure(what="through the server", value=median(short.mine), unit="s"),
            Figure(what="whisper-cli, computation", value=median(short.theirs), unit="s"),
            Figure(what="whisper-cli, from start to end", value=median(short.their_whole), unit="s"),
            ratio(f"{in_words(talk)}, server / whisper-cli's computation, time", long.mine, long.theirs, bar=_BAR),
            Figure(what="through the server", value=median(long.mine), unit="s"),
            Figure(what="whisper-cli, computation", value=median(long.theirs), unit="s"),
            Figure(what="words unlike whisper-cli's", value=unlike(heard.text, mine), unit="%"),
        ),
        samples={
            "short_server_s": short.mine,
            "short_whisper_cli_s": short.theirs,
            "long_server_s": long.mine,
            "long_whisper_cli_s": long.theirs,
        },
        notes=(
            f"Of the short one, {spread(short.mine, short.theirs)}.",
            builds(our_features(), heard.log),
        ),
    )
