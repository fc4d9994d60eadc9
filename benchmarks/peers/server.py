"""Several recordings at once, against whisper-server."""

from __future__ import annotations

from statistics import median

from benchmarks.peers.service import our_service
from benchmarks.peers.whispercpp import RECOMMENDED, builds, our_features, program, whisper_server
from benchmarks.place import Place
from benchmarks.results import Figure, Result, ratio, spread
from benchmarks.texts import unlike
from whispercore.models.catalogue import MICRO_PATH

_WHEEL_BAR = round(1 / 1.1, 3)
_RECOMMENDED_BAR = round(1 / 1.5, 3)
_SHORT_BAR = 1 / 2


def run(place: Place) -> Result:
    """Clips at once, by both servers and by ours with a shortened context; then the text of clips on micro."""
    path = program("whisper-server")
    features = our_features()
    recommended = RECOMMENDED in features
    clips, model = place.clips(place.pick(8, 2)), place.model("tiny")
    log = place.folder / "whisper-server.log"
    mine: list[float] = []
    short: list[float] = []
    theirs: list[float] = []
    with (
        whisper_server(path, model, threads=place.threads, log=log) as peer,
        our_service(place, "beside-server", model) as ours,
        our_service(place, "short-beside-server", model, short_audio_context=True) as shortened,
    ):
        for one in (peer, ours, shortened):
            one.transcribe(clips[:1])
        for _ in range(place.pick(4, 1)):
            theirs.append(peer.transcribe(clips).seconds)
            mine.append(ours.transcribe(clips).seconds)
            short.append(shortened.transcribe(clips).seconds)
        built = builds(features, log.read_text(errors="replace"))
    spoken = place.sentences(place.pick(12, 2))
    with (
        whisper_server(path, MICRO_PATH, threads=place.threads, log=log) as peer,
        our_service(place, "words-beside-server", MICRO_PATH) as ours,
    ):
        different = unlike(peer.transcribe(spoken).text, ours.transcribe(spoken).text)
    return Result(
        name="whisper-server",
        title="Against whisper-server",
        how=(
            f"{len(clips)} recordings of {place.clip_s} s on {place.model_name('tiny')}, sent at once by the same "
            f"client, from the first upload to the last answer; whisper-server with {place.threads} threads, ours with "
            f"those that it chooses, and ours once more with a shortened audio context. All warm, in turns, "
            f"{len(mine)} rounds, medians. The bars are those of throughput, as time: "
            f"{_WHEEL_BAR} is 1.1 times as much, {_RECOMMENDED_BAR} 1.5 times, {_SHORT_BAR} twice. Then the text of "
            f"{len(spoken)} sentences on micro."
        ),
        figures=(
            ratio(
                "server / whisper-server, time",
                mine,
                theirs,
                bar=_RECOMMENDED_BAR if recommended else _WHEEL_BAR,
                digits=3,
            ),
            ratio(
                "shortened context / whisper-server, time",
                short,
                theirs,
                bar=_SHORT_BAR if recommended else None,
                digits=3,
            ),
            Figure(what="through the server", value=median(mine), unit="s"),
            Figure(what="with a shortened context", value=median(short), unit="s"),
            Figure(what="whisper-server", value=median(theirs), unit="s"),
            Figure(what="words unlike whisper-server's", value=different, unit="%"),
        ),
        samples={"server_s": mine, "short_context_s": short, "whisper_server_s": theirs},
        notes=(
            f"In time, {spread(mine, theirs)}; with a shortened context, {spread(short, theirs)}.",
            built,
            "This is the build that `doctor` recommends."
            if recommended
            else "The bars of 1.5 times and of twice are those of the build that `doctor` recommends, which this is "
            "not: not measured here.",
        ),
    )
