"""One recording at a time and several at once, against servers at addresses that were given."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode, urlsplit
from urllib.request import urlopen

from benchmarks.peers.service import Service, our_service
from benchmarks.place import Peer, Place, in_words
from benchmarks.results import Figure, NotMeasured, Result, ratio
from benchmarks.texts import unlike
from whispercore.models.store import ModelStore
from whispercore.settings import Settings

KEY = "PEER_KEY"
"""The variable with the key for these servers, if they want one."""

_PATIENCE_S = 120.0
_WEBSERVICE_PATH = "/asr"


def run(place: Place) -> Result:
    """Each of the servers against ours, with the model that it was given beside."""
    if not place.peers:
        raise NotMeasured("no server was named: --peer URL THEIR_MODEL OUR_MODEL")
    clips = place.clips(place.pick(8, 2))
    figures: list[Figure] = []
    notes: list[str] = []
    samples: dict[str, Sequence[float]] = {}
    with ExitStack() as started:
        services: dict[str, Service] = {}
        for peer in place.peers:
            where = _where(peer)
            try:
                theirs = _service(peer)
                if peer.ours not in services:
                    model = ModelStore(Settings.from_environment()).get(peer.ours).path
                    ours = our_service(place, f"beside-{len(services)}", model)
                    services[peer.ours] = started.enter_context(ours)
                different, taken = _compared(theirs, services[peer.ours], clips, rounds=place.pick(4, 1))
            except NotMeasured as reason:
                notes.append(f"{where}: not measured: {reason}.")
                continue
            figures += _figures(where, len(clips), taken)
            figures.append(Figure(what=f"{where}: words unlike theirs", value=different, unit="%"))
            notes.append(f"{where} computes with {peer.model}, ours with {peer.ours}.")
            samples |= {f"{where}_{name}_s": values for name, values in taken.items()}
    if not figures:
        raise NotMeasured(" ".join(notes))
    return Result(
        name="peers",
        title="Against servers elsewhere",
        how=(
            f"Recordings of {in_words(clips[0])}, in English, one at a time and {len(clips)} at once, to each server "
            "and to ours, which has the threads that it chooses. All warm, in turns, medians. Theirs may be on other "
            "machines."
        ),
        figures=tuple(figures),
        samples=samples,
        notes=tuple(notes),
    )


def _where(peer: Peer) -> str:
    """Its address, without what may be secret."""
    parts = urlsplit(peer.url)
    return parts.netloc.rpartition("@")[2] + parts.path.rstrip("/")


def _compared(
    theirs: Service, ours: Service, clips: Sequence[Path], *, rounds: int
) -> tuple[float, dict[str, list[float]]]:
    """Words that differ, in per cent, and the seconds that both sides took; the texts are made first, as a warm-up."""
    taken: dict[str, list[float]] = {key: [] for key in ("mine", "theirs", "mine_at_once", "theirs_at_once")}
    different = unlike(theirs.transcribe(clips).text, ours.transcribe(clips).text)
    for _ in range(rounds):
        taken["theirs"].append(theirs.transcribe(clips[:1]).seconds)
        taken["mine"].append(ours.transcribe(clips[:1]).seconds)
        taken["theirs_at_once"].append(theirs.transcribe(clips).seconds)
        taken["mine_at_once"].append(ours.transcribe(clips).seconds)
    return different, taken


def _figures(where: str, count: int, taken: Mapping[str, Sequence[float]]) -> list[Figure]:
    return [
        ratio(f"{where}: one at a time, ours / theirs, time", taken["mine"], taken["theirs"]),
        ratio(f"{where}: {count} at once, ours / theirs, time", taken["mine_at_once"], taken["theirs_at_once"]),
        Figure(what=f"{where}: one at a time", value=median(taken["theirs"]), unit="s"),
        Figure(what=f"{where}: {count} at once", value=median(taken["theirs_at_once"]), unit="s"),
    ]


def _service(peer: Peer) -> Service:
    base = peer.url.rstrip("/").removesuffix("/v1")
    key = os.environ.get(KEY)
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    if _WEBSERVICE_PATH in _paths(base):
        query = urlencode({"task": "transcribe", "language": "en", "output": "json"})
        return Service(url=f"{base}{_WEBSERVICE_PATH}?{query}", file_field="audio_file", headers=headers)
    fields = {"model": peer.model, "language": "en", "response_format": "json"}
    return Service(url=f"{base}/v1/audio/transcriptions", fields=fields, headers=headers)


def _paths(base: str) -> Sequence[str]:
    """Those of its OpenAPI document; whisper-asr-webservice is told from the others by it."""
    try:
        with urlopen(f"{base}/openapi.json", timeout=_PATIENCE_S) as answer:  # noqa: S310 (who measures has named it)
            return list(json.load(answer)["paths"])
    except HTTPError:
        return ()
    except (URLError, OSError) as error:
        raise NotMeasured(f"it cannot be reached ({error})") from error
    except (ValueError, LookupError, TypeError):
        return ()
