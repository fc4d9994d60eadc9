"""How full the windows are: the encoder costs the same for a second as for thirty."""

from __future__ import annotations

from statistics import mean

from benchmarks.place import Place
from benchmarks.results import Figure, Result
from whispercore.audio.decoder import Decoder

_LONGEST_S = 30.0


def run(place: Place) -> Result:
    """Windows of the recording with pauses; its last one is as long as what is left."""
    with Decoder(place.talk(place.pick(1, 4))) as decoder:
        windows = list(decoder.windows(_LONGEST_S))
    lengths = [window.duration_s for window in windows]
    full = lengths[:-1] or lengths
    least = -(-sum(lengths) // _LONGEST_S)
    return Result(
        name="windows",
        title="Length of windows",
        how=f"{sum(lengths):.0f} s of speech, cut where it is quiet, at the latest after {_LONGEST_S:.0f} s.",
        figures=(
            Figure(what="mean, without the last", value=mean(full), unit="s", digits=1),
            Figure(what="shortest, without the last", value=min(full), unit="s", digits=1),
            Figure(what="windows", value=len(lengths), digits=0),
            Figure(what="windows if cut by count", value=least, digits=0),
            Figure(what="of these cut where nothing is quiet", value=sum(w.forced for w in windows), digits=0),
        ),
        samples={"lengths_s": lengths},
    )
