"""Live transcription: how soon a text is final, and how far it is from that of the whole recording."""

from __future__ import annotations

import asyncio
import time
import wave
from collections.abc import AsyncIterator
from statistics import median

from benchmarks import live_client
from benchmarks.place import Place
from benchmarks.processes import Side
from benchmarks.results import Figure, Result
from benchmarks.servers import ADMIN_KEY, our_server
from benchmarks.texts import unlike
from whispercore import transcribe
from whispercore.engines.pool import EnginePool
from whispercore.live import FinalSegment, SpeechEnded, UtteranceEnded, live

_RATE = 16_000
_PIECE_S = 0.1


def run(place: Place) -> Result:
    """One recording in real time for the delays, and all of it as fast as it goes for the words."""
    recording = place.talk(1)
    with wave.open(str(recording)) as file:
        sound = file.readframes(file.getnframes())
    length_s = place.pick(45, 5)
    with EnginePool() as pool:
        asyncio.run(_listen(sound[: _RATE * 2], pool, paced=False))  # the model is loaded
        delays, _ = asyncio.run(_listen(sound[: length_s * _RATE * 2], pool, paced=True))
        _, heard = asyncio.run(_listen(sound, pool, paced=False))
    with our_server(place.folder / "live") as server, Side() as client:
        _ = client.call(live_client.listen, server.url, ADMIN_KEY, sound[: _RATE * 2], paced=False)
        there = client.call(live_client.listen, server.url, ADMIN_KEY, sound[: length_s * _RATE * 2], paced=True)
        all_there = client.call(live_client.listen, server.url, ADMIN_KEY, sound, paced=False)
    batch = transcribe(recording, model="micro").text
    return Result(
        name="live",
        title="Live",
        how=(
            f"{length_s} s of speech in real time, in pieces of {_PIECE_S:g} s, on micro: from the last loud frame of "
            f"each of {len(delays)} utterances until its final text is there. Then {len(sound) / 2 / _RATE:.0f} s as "
            "fast as it goes: words that differ from the transcript of the recording. The same then over the WebSocket "
            "of `whispercore serve`, with our client in a process of its own."
        ),
        figures=(
            Figure(what="until the text is final, longest", value=max(delays), unit="s", bar=1.5),
            Figure(what="median", value=median(delays), unit="s"),
            Figure(what="words unlike the recording's transcript", value=unlike(batch, heard), unit="%", bar=3.0),
            Figure(
                what="over the WebSocket, until the text is final, longest",
                value=max(there.delays_s),
                unit="s",
                bar=1.5,
            ),
            Figure(what="over the WebSocket, median", value=median(there.delays_s), unit="s"),
            Figure(
                what="over the WebSocket, words unlike the recording's transcript",
                value=unlike(batch, all_there.text),
                unit="%",
                bar=3.0,
            ),
        ),
        samples={"delays_s": delays, "websocket_delays_s": there.delays_s},
    )


async def _listen(sound: bytes, pool: EnginePool, *, paced: bool) -> tuple[list[float], str]:
    began = time.monotonic()

    async def frames() -> AsyncIterator[bytes]:
        step = round(_PIECE_S * _RATE) * 2
        for place in range(0, len(sound), step):
            if paced:
                await asyncio.sleep(began + (place + step) / 2 / _RATE - time.monotonic())
            yield sound[place : place + step]

    ended_s: dict[int, float] = {}
    delays: list[float] = []
    texts: list[str] = []
    async for event in live(frames(), model="micro", pool=pool):
        match event:
            case SpeechEnded(utterance=utterance, end_s=end_s):
                ended_s[utterance] = end_s
            case FinalSegment(segment=segment):
                texts.append(segment.text)
            case UtteranceEnded(utterance=utterance):
                delays.append(time.monotonic() - began - ended_s[utterance])
    return delays, " ".join(texts)
