"""Where sound comes from: standard input, or a microphone."""

from __future__ import annotations

import asyncio
import struct
import sys
import threading
from collections.abc import AsyncIterator
from io import BufferedReader
from typing import Final, cast

import numpy as np
from attrs import frozen

from whispercore.audio.signature import media_kind
from whispercore.engines.engine import SAMPLE_RATE
from whispercore.errors import InvalidOption
from whispercore.live.sound import Encoding

_FRAME_BYTES: Final = 6400
_WAITING: Final = 300
"""Pieces of sound that may wait: a minute of a microphone."""
_PCM: Final = (1, 0xFFFE)
_ENDS: Final = range(1, 0x7FFF_F000)
"""Bytes of samples that a WAV can announce. What writes one into a pipe announces nothing, or the most there can be."""
_STREAMS: Final = (b"OggS", b"\x1a\x45\xdf\xa3")
"""How Ogg and WebM begin."""
_INSTEAD: Final = "ffmpeg -i FILE -f s16le -ar 16000 -ac 1 - makes of it what this command takes"


@frozen
class Source:
    """Sound, and what it is."""

    sample_rate: int
    frames: AsyncIterator[bytes]
    """Signed 16-bit samples of one channel, or an Opus stream."""
    encoding: Encoding = "pcm16"


async def from_stdin(sample_rate: int) -> Source:
    """What comes through a pipe: a WAV of 16-bit samples, or bare ones; or Opus in Ogg or WebM.

    Args:
        sample_rate: Of bare samples.

    Raises:
        InvalidOption: It is something else.
    """
    pipe = cast("BufferedReader", sys.stdin.buffer)
    head = await asyncio.to_thread(pipe.read, 12)
    if head[:4] == b"RIFF" and head[8:12] == b"WAVE":
        rate, channels, size_bytes = await asyncio.to_thread(_wav, pipe)
        frames = _pieces(pipe, b"")
        return Source(rate, _mixed(_first(frames, size_bytes) if size_bytes in _ENDS else frames, channels))
    if head.startswith(_STREAMS):
        return Source(sample_rate, _pieces(pipe, head), "opus")
    kind = media_kind(head)
    if kind is not None:
        raise InvalidOption("stdin", f"it is {kind}, and neither a WAV of 16-bit samples nor bare ones; {_INSTEAD}")
    return Source(sample_rate, _pieces(pipe, head))


def microphone(until: asyncio.Event) -> Source:
    """The microphone of this machine.

    Args:
        until: Ends it.

    Raises:
        InvalidOption: The extra is not installed, or there is no microphone.
    """
    try:
        import sounddevice  # noqa: PLC0415 - an extra  # pyright: ignore[reportMissingImports]
    except (ImportError, OSError) as error:
        raise InvalidOption(
            "--microphone",
            f"it needs the extra microphone and PortAudio: pip install 'whispercore[microphone]' ({error})",
        ) from None

    async def frames() -> AsyncIterator[bytes]:
        loop = asyncio.get_running_loop()
        waiting: asyncio.Queue[bytes] = asyncio.Queue()

        def heard(data: object, *_: object) -> None:
            loop.call_soon_threadsafe(waiting.put_nowait, bytes(data))  # type: ignore[call-overload]  # a buffer

        try:
            stream = sounddevice.RawInputStream(samplerate=SAMPLE_RATE, channels=1, dtype="int16", callback=heard)
        except sounddevice.PortAudioError as error:
            raise InvalidOption("--microphone", str(error)) from None
        with stream:
            while not until.is_set():
                if waiting.qsize() > _WAITING:
                    raise InvalidOption("--model", "it is too slow for this machine to follow a microphone")
                try:
                    yield await asyncio.wait_for(waiting.get(), 0.2)
                except TimeoutError:
                    continue
        await asyncio.sleep(0)  # so that what the callback has left last is there
        while not waiting.empty():
            yield waiting.get_nowait()

    return Source(SAMPLE_RATE, frames())


def _wav(pipe: BufferedReader) -> tuple[int, int, int]:
    """Reads the head of a WAV up to its samples, and gives their rate, the number of channels, and their bytes."""
    rate = channels = 0
    while len(chunk := pipe.read(8)) == 8:
        name, size = struct.unpack("<4sI", chunk)
        if name == b"data":
            if not rate:
                break
            return rate, channels, size
        body = pipe.read(size + size % 2)
        if name == b"fmt " and len(body) >= 16:
            form, channels, rate, _, _, bits = struct.unpack("<HHIIHH", body[:16])
            if form not in _PCM or bits != 16 or not channels:
                raise InvalidOption("stdin", f"it is a WAV of other samples than 16-bit ones; {_INSTEAD}")
    raise InvalidOption("stdin", "it is a WAV without samples")


async def _pieces(pipe: BufferedReader, head: bytes) -> AsyncIterator[bytes]:
    """What comes through a pipe, as it comes. A thread reads it, which nobody has to wait for at the end."""
    loop = asyncio.get_running_loop()
    waiting: asyncio.Queue[bytes] = asyncio.Queue(_WAITING)

    def read() -> None:
        data = head or pipe.read1(_FRAME_BYTES)
        try:
            while data:
                asyncio.run_coroutine_threadsafe(waiting.put(data), loop).result()
                data = pipe.read1(_FRAME_BYTES)
            asyncio.run_coroutine_threadsafe(waiting.put(b""), loop).result()
        except RuntimeError:
            return  # the loop is gone, and with it whoever listened

    threading.Thread(target=read, name="whispercore-stdin", daemon=True).start()
    while data := await waiting.get():
        yield data


async def _first(frames: AsyncIterator[bytes], size_bytes: int) -> AsyncIterator[bytes]:
    """So much of what comes. The rest is read, so that whoever writes it is not broken off, and is no sound."""
    async for frame in frames:
        if size_bytes > 0:
            yield frame[:size_bytes]
        size_bytes -= len(frame)


async def _mixed(frames: AsyncIterator[bytes], channels: int) -> AsyncIterator[bytes]:
    rest = b""
    async for frame in frames:
        data = rest + frame
        whole = len(data) - len(data) % (2 * channels)
        rest = data[whole:]
        if channels == 1:
            yield data[:whole]
        elif whole:
            samples = np.frombuffer(data[:whole], "<i2").reshape(-1, channels)
            yield samples.mean(axis=1).astype("<i2").tobytes()
