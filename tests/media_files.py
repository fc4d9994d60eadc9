"""Other formats of the test recordings, made with PyAV."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import av
import numpy as np
from attrs import frozen
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.video.stream import VideoStream


@frozen
class Encoding:
    """How a recording is written."""

    suffix: str
    codec: str
    rate: int = 44_100
    layout: str = "mono"
    picture: str | None = None
    container: str | None = None


ENCODINGS = (
    Encoding("mp3", "libmp3lame", layout="stereo"),
    Encoding("m4a", "aac"),
    Encoding("opus", "libopus", rate=48_000, container="ogg"),
    Encoding("ogg", "libopus", rate=48_000, layout="stereo"),
    Encoding("flac", "flac", rate=16_000),
    Encoding("webm", "libopus", rate=48_000),
    Encoding("mp4", "aac", picture="libx264"),
    Encoding("mov", "aac", layout="stereo"),
    Encoding("mkv", "libmp3lame", picture="libx264"),
    Encoding("aac", "aac", container="adts"),
    Encoding("aiff", "pcm_s16be", rate=22_050),
    Encoding("wav", "pcm_s24le", rate=48_000, layout="stereo"),
    Encoding("wav", "pcm_f32le", rate=8_000),
)


def encode(source: Path, target: Path, encoding: Encoding) -> Path:
    """Write ``source`` again as ``encoding`` says."""
    with av.open(str(source)) as incoming, av.open(str(target), "w", format=encoding.container) as outgoing:
        seconds = incoming.duration / av.time_base if incoming.duration else 0.0
        picture = _picture(outgoing, encoding.picture) if encoding.picture is not None else None
        sound = cast("AudioStream", outgoing.add_stream(encoding.codec, rate=encoding.rate, layout=encoding.layout))
        if picture is not None:
            for number in range(int(seconds * 5)):
                still = av.VideoFrame.from_ndarray(np.full((48, 64, 3), number % 255, np.uint8), "rgb24")
                still.pts = number
                outgoing.mux(picture.encode(still))
            outgoing.mux(picture.encode(None))
        resampler = av.AudioResampler(
            format=sound.format.name, layout=encoding.layout, rate=encoding.rate, frame_size=sound.frame_size or None
        )
        for piece in (*incoming.decode(incoming.streams.audio[0]), None):
            for frame in resampler.resample(piece):
                outgoing.mux(sound.encode(frame))
        outgoing.mux(sound.encode(None))
    return target


def _picture(outgoing: OutputContainer, codec: str) -> VideoStream:
    picture = cast("VideoStream", outgoing.add_stream(codec, rate=5))
    picture.width, picture.height, picture.pix_fmt = 64, 48, "yuv420p"
    return picture
