"""A server with OpenAI's API for speech, on a real port: it hears two segments in everything."""

from __future__ import annotations

import io
import json
import wave
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

from aiohttp import web
from attrs import Factory, define

from tests.serving import served

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


@define
class SpeechServerStandIn:
    """What it was asked, and how it will answer before it answers as usual."""

    url: str = ""
    asked: list[dict[str, list[str]]] = Factory(list)
    """The fields of the forms; the path as ``path``, the key as ``key``, the length of the sound as ``seconds``."""
    first: list[Answer] = Factory(list)
    language: str | None = "english"
    plain: bool = False
    """The model gives no segments, as OpenAI's newer ones."""

    async def answer(self, http: web.Request) -> web.StreamResponse:
        form = await http.post()
        sound = form["file"]
        assert isinstance(sound, web.FileField)
        with sound.file as body, wave.open(io.BytesIO(body.read())) as file:
            assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, 16_000)
            seconds = file.getnframes() / 16_000
        fields = {
            name: [value for value in form.getall(name) if isinstance(value, str)] for name in form if name != "file"
        }
        about = {"path": [http.path], "key": [http.headers.get("Authorization", "")], "seconds": [f"{seconds:g}"]}
        self.asked.append({**fields, **about})
        if self.first:
            return await self.first.pop(0)(http)
        if self.plain:
            if fields["response_format"] != ["json"]:
                return refusal(400, "verbose_json is not compatible with this model", param="response_format")
            return web.json_response({"text": "Hello, there. Good bye."})
        timed = "word" in fields.get("timestamp_granularities[]", ())
        return web.json_response(self.heard(seconds, words=timed))

    def heard(self, seconds: float, *, words: bool) -> dict[str, object]:
        half = seconds / 2
        answer: dict[str, object] = {
            "task": "transcribe",
            "language": self.language,
            "duration": seconds,
            "text": "Hello, there. Good bye.",
            "segments": [
                {
                    "id": 0,
                    "start": 0.0,
                    "end": half,
                    "text": " Hello, there.",
                    "avg_logprob": -0.1,
                    "no_speech_prob": 0.2,
                    "tokens": [1],
                },
                {"id": 1, "start": half, "end": 30.0, "text": " Good bye.", "avg_logprob": -0.2, "tokens": [2]},
            ],
        }
        if words:
            spoken = ("Hello", "there", "Good", "bye")
            answer["words"] = [
                {"word": word, "start": i * seconds / 4, "end": (i + 1) * seconds / 4} for i, word in enumerate(spoken)
            ]
        return answer


def refusal(
    status: int, message: str, *, param: str | None = None, headers: dict[str, str] | None = None
) -> web.Response:
    """OpenAI's error body."""
    error = {"message": message, "type": "invalid_request_error", "param": param, "code": None}
    return web.Response(
        status=status, text=json.dumps({"error": error}), content_type="application/json", headers=headers
    )


def once(response: Callable[[], web.StreamResponse]) -> Answer:
    """An answer that does not depend on what was asked."""

    async def answer(_http: web.Request) -> web.StreamResponse:
        return response()

    return answer


@contextmanager
def speech_server() -> Iterator[SpeechServerStandIn]:
    """It, until the block ends."""
    stand_in = SpeechServerStandIn()
    app = web.Application(client_max_size=64 << 20)
    app.router.add_post("/v1/audio/transcriptions", stand_in.answer)
    app.router.add_post("/v1/audio/translations", stand_in.answer)
    with served(app) as address:
        stand_in.url = f"{address}/v1"
        yield stand_in
