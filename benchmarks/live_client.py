"""A client of live transcription, for a process of its own: it speaks a recording to a server and listens."""

from __future__ import annotations

import asyncio
import time

from attrs import frozen

from whispercore.api.transcriber.live import Final, Finish, LiveReady, Sound, SpeechEnded, UtteranceEnded
from whispercore_client import AsyncClient

_RATE = 16_000
_PIECE_S = 0.1


@frozen
class Heard:
    """What came back."""

    delays_s: list[float]
    """Of each utterance: from its last loud frame until its final text is there."""
    text: str


def listen(url: str, api_key: str, sound: bytes, *, paced: bool) -> Heard:
    """Have a server listen to 16-bit samples.

    Args:
        url: Of the server.
        api_key: For it.
        sound: All of them.
        paced: In real time; else as fast as the server takes them.
    """
    return asyncio.run(_listen(url, api_key, sound, paced=paced))


async def _listen(url: str, api_key: str, sound: bytes, *, paced: bool) -> Heard:
    ended_s: dict[int, float] = {}
    delays_s: list[float] = []
    texts: list[str] = []
    async with AsyncClient(url, api_key=api_key) as client, client.live.listen(model="micro") as socket:
        assert isinstance(await anext(aiter(socket)), LiveReady)
        began = time.monotonic()

        async def send() -> None:
            step = round(_PIECE_S * _RATE) * 2
            for place in range(0, len(sound), step):
                if paced:
                    await asyncio.sleep(began + (place + step) / 2 / _RATE - time.monotonic())
                await socket.send(Sound(data=sound[place : place + step]))
            await socket.send(Finish())

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(send())
            async for message in socket:
                match message:
                    case SpeechEnded(utterance=utterance, end=end_s):
                        ended_s[utterance] = end_s
                    case Final(segment=segment):
                        texts.append(segment.text)
                    case UtteranceEnded(utterance=utterance):
                        delays_s.append(time.monotonic() - began - ended_s[utterance])
    return Heard(delays_s, " ".join(texts))
