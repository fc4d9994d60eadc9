"""The decoder's child: reads files one after the other, and sends windows."""

from __future__ import annotations

import contextlib
import io
import os
import sys
import wave
from typing import BinaryIO

import numpy as np

from whispercore.audio import MAX_WINDOW_S
from whispercore.audio.joined import opened
from whispercore.audio.media import MAX_CHANNELS, Media, Silent, Unreadable
from whispercore.audio.messages import CODEC, Finished, Listened, Open, Opened, Piece, Read, Refused
from whispercore.audio.signature import describe, media_kind, missing_end
from whispercore.audio.speech import SpeechCutter, detector
from whispercore.audio.vad import Vad, VoiceActivity
from whispercore.audio.windows import Cut, Cutter, best_cut
from whispercore.children.frames import Channel
from whispercore.engines.engine import SAMPLE_RATE
from whispercore.engines.whispercpp.library import UnknownLibrary

__all__ = ["CODEC", "serve"]

_TELL_S = 300.0
"""Of a recording in which nobody speaks, nothing else would be heard for as long as it takes to read."""
_EDGE_S = 0.2
_TOLERANCE_S = 0.5
_TOLERANCE = 0.01
"""Less sound than declared is no damage when it is less by half a second or one per cent: encoders pad and round."""


def serve(channel: Channel) -> None:
    """Read the files that are asked for, until the channel ends."""
    if channel.isolated:
        _warm_up()
    locked = False
    while (frame := channel.receive()) is not None:
        request = frame[0]
        if not isinstance(request, Open):
            return
        if channel.isolated and not locked:
            if request.seal is not None:  # what opens it has to be imported now, or can never be
                import cryptography.hazmat.backends.openssl.backend  # noqa: F401, PLC0415 (else the first key does)

                import whispercore.files.sealed  # noqa: F401, PLC0415
            lock_in(request.memory_bytes)
            locked = True
        try:
            with opened(request.paths, request.seal) as file:
                _read(channel, request, file)
        except OSError as error:
            channel.send(Refused("missing", error.strerror or str(error)))


def lock_in(memory_bytes: int) -> None:
    """Leave FFmpeg no way to reach anything but the file: no second descriptor, no file growth, bounded memory.

    Demuxers that could name other files are off already; this holds also when one of them is fooled.
    """
    if os.name != "posix":
        return
    import resource  # noqa: PLC0415 (POSIX only)

    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        lowest_free = os.open(os.devnull, os.O_RDONLY)
        os.close(lowest_free)
        resource.setrlimit(resource.RLIMIT_NOFILE, (lowest_free + 1, lowest_free + 1))
        if sys.platform == "linux":
            resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))


def _warm_up() -> None:
    """Have everything imported that reading imports: imports need descriptors too."""
    import av.subtitles.stream  # noqa: PLC0415
    import av.video.stream  # noqa: F401, PLC0415

    sound = io.BytesIO()
    with wave.open(sound, "wb") as wav:
        wav.setparams((2, 2, 8000, 0, "NONE", ""))
        wav.writeframes(bytes(3200))
    sound.seek(0)
    for _ in Media(sound, "mix").blocks():
        pass
    with contextlib.suppress(Unreadable):
        Media(io.BytesIO(b"nothing"), "mix")
    with contextlib.suppress(UnknownLibrary):
        SpeechCutter(SAMPLE_RATE, MAX_WINDOW_S, Vad()).finish()
    best_cut(np.zeros(round(MAX_WINDOW_S * SAMPLE_RATE), np.float32), SAMPLE_RATE)


def _read(channel: Channel, request: Open, file: BinaryIO) -> None:
    head = file.read(256)
    file.seek(0)
    try:
        media = Media(file, request.channels)
    except Silent as silent:
        channel.send(Refused("no_sound", str(silent)))
        return
    except Unreadable as error:
        channel.send(_refusal(file, head, str(error)))
        return
    if request.channels == "separate" and media.n_channels > MAX_CHANNELS:
        channel.send(Refused("damaged", f"{media.n_channels} channels are more than {MAX_CHANNELS}"))
        return
    finds = None
    first: list[VoiceActivity] = []
    if request.vad is not None:
        try:
            activity, finds = detector(request.vad)
            first.append(activity)
        except UnknownLibrary as error:
            channel.send(Refused("no_detector", str(error)))
            return
    channel.send(Opened(media.container, media.codec, media.sample_rate, media.n_channels, media.declared_s, finds))
    frame = channel.receive()
    if frame is None or not isinstance(frame[0], Read):
        return
    _send_windows(channel, media, frame[0], request, first)
    channel.send(_finished(file, media))


def _send_windows(channel: Channel, media: Media, read: Read, request: Open, first: list[VoiceActivity]) -> None:
    separate = request.channels == "separate"
    cutters: list[Cutter | SpeechCutter] = []
    counts: list[int] = []
    told_s = 0.0

    def send(row: int, cuts: list[Cut]) -> None:
        for cut in cuts:
            stretches = tuple((start / SAMPLE_RATE, length / SAMPLE_RATE) for start, length in cut.stretches)
            place = row if separate else None
            piece = Piece(counts[row], cut.start_sample / SAMPLE_RATE, place, cut.forced, stretches)
            counts[row] += 1
            channel.send(piece, cut.samples.tobytes())

    for block in media.blocks():
        while len(cutters) < block.shape[0]:
            if request.vad is None or not read.leaves_out:
                cutters.append(Cutter(SAMPLE_RATE, read.window_s))
            else:  # what was made to see whether it can be made hears the first channel
                activity = first.pop() if first else detector(request.vad)[0]
                cutters.append(SpeechCutter(SAMPLE_RATE, read.window_s, request.vad, activity, packed=read.packed))
            counts.append(0)
        for row, cutter in enumerate(cutters[: block.shape[0]]):
            send(row, cutter.push(block[row]))
        if media.read_s - told_s >= _TELL_S:
            told_s = media.read_s
            channel.send(Listened(told_s))
    for row, cutter in enumerate(cutters):
        send(row, cutter.finish())


def _refusal(file: BinaryIO, head: bytes, reason: str) -> Refused:
    kind = media_kind(head)
    if kind is None:
        return Refused("not_media", describe(head))
    missing = missing_end(file)
    if missing is not None:
        return Refused("truncated", f"it is {kind}, but {missing}")
    return Refused("damaged", f"it is {kind}, but its beginning cannot be read ({reason})")


def _finished(file: BinaryIO, media: Media) -> Finished:
    read_s, declared_s = media.read_s, media.declared_s
    # Streams that were cut out of others begin and end with half a frame. No player minds, and nor do we.
    flaws = [flaw for flaw in media.flaws if _EDGE_S < flaw.at_s < read_s - _EDGE_S]
    missing = missing_end(file)
    absent_s = declared_s - read_s if declared_s is not None else 0.0
    if missing is None and not flaws and absent_s > max(_TOLERANCE_S, _TOLERANCE * (declared_s or 0.0)):
        missing = f"it announces {declared_s:.1f} s of sound"
    if missing is not None:
        return Finished(read_s, declared_s, "truncated", missing)
    if flaws:
        more = f" (and {len(flaws) - 1} more flaws)" if len(flaws) > 1 else ""
        return Finished(read_s, declared_s, "damaged", f"at {flaws[0].at_s:.1f} s, {flaws[0].found}{more}")
    return Finished(read_s, declared_s, None, "")
