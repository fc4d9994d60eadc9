"""How fast recordings of several formats are read."""

from __future__ import annotations

import time
from pathlib import Path
from statistics import median

import av
import numpy as np
from attrs import frozen
from av import container

from benchmarks.place import Place, duration_s, in_words
from benchmarks.results import Figure, Result
from whispercore.audio.decoder import Decoder

_PICTURES_PER_S = 5


@frozen
class _Format:
    """How to make a file."""

    ending: str
    codec: str
    rate: int
    layout: str = "mono"
    picture: str | None = None
    """Codec of a moving picture beside the sound."""


_FORMATS = (
    _Format("mp3", "libmp3lame", 44_100, "stereo"),
    _Format("m4a", "aac", 44_100, "stereo"),
    _Format("opus", "libopus", 48_000),
    _Format("flac", "flac", 44_100, "stereo"),
    _Format("webm", "libopus", 48_000),
    _Format("mp4", "aac", 44_100, "stereo", picture="mpeg4"),
)


def run(place: Place) -> Result:
    """From file to windows in our process, the decoder's process included."""
    source = place.talk(1)
    length_s = duration_s(source)
    figures: list[Figure] = []
    samples: dict[str, list[float]] = {}
    opening: list[float] = []
    for kind in _FORMATS:
        path = _made(kind, source, place.folder)
        name = f"{kind.ending} with a picture" if kind.picture else kind.ending
        reading: list[float] = []
        for _ in range(place.pick(3, 1)):
            opened_s, read_s = _read(path)
            opening.append(opened_s)
            reading.append(read_s)
        samples[f"{kind.ending}_s"] = reading
        figures.append(Figure(what=name, value=length_s / median(reading), unit="x real time", digits=0))
    return Result(
        name="formats",
        title="Reading formats",
        how=(
            f"`Decoder(...).windows(30.0)` on {in_words(source)} of speech in each format, from the moment "
            f"that the file is open; medians of {place.pick(3, 1)}. Starting the decoder's process and opening the "
            f"file is apart, since a recording pays it once."
        ),
        figures=(*figures, Figure(what="starting and opening", value=median(opening), unit="s")),
        samples={**samples, "opening_s": opening},
    )


def _read(path: Path) -> tuple[float, float]:
    began = time.perf_counter()
    with Decoder(path) as decoder:
        opened = time.perf_counter()
        for _ in decoder.windows(30.0):
            pass
        return opened - began, time.perf_counter() - opened


def _made(kind: _Format, source: Path, folder: Path) -> Path:
    path = folder / f"format.{kind.ending}"
    with av.open(str(source)) as sound, av.open(str(path), "w", format="ogg" if kind.ending == "opus" else None) as out:
        track = out.add_stream(kind.codec, rate=kind.rate, layout=kind.layout)
        assert isinstance(track, av.AudioStream)
        if kind.picture:
            _add_picture(out, kind.picture, duration_s(source))
        context = track.codec_context
        resampler = av.AudioResampler(context.format, context.layout, context.rate, context.frame_size or None)
        for frame in [*sound.decode(audio=0), None]:
            for piece in resampler.resample(frame):
                out.mux(track.encode(piece))
        out.mux(track.encode(None))
    return path


def _add_picture(out: container.OutputContainer, codec: str, length_s: float) -> None:
    track = out.add_stream(codec, rate=_PICTURES_PER_S)
    assert isinstance(track, av.VideoStream)
    track.width, track.height, track.pix_fmt = 320, 180, "yuv420p"
    noise = np.random.default_rng(1).integers(0, 255, (180, 320, 3), np.uint8)
    for number in range(round(length_s * _PICTURES_PER_S)):
        picture = av.VideoFrame.from_ndarray(np.roll(noise, number, axis=1), format="rgb24")
        picture.pts = number
        out.mux(track.encode(picture))
    out.mux(track.encode(None))
