"""A server that takes recordings over HTTP: ours and others', asked in the same way."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import aiohttp
from attrs import field, frozen

from benchmarks.place import Place
from benchmarks.results import NotMeasured
from benchmarks.servers import our_server
from whispercore.models.store import ModelStore
from whispercore.settings import Settings

_LIMIT_S = 1800.0
_MODEL = "benchmark"
_SHOWN = 300


@frozen
class Answered:
    """What came of recordings that were sent at once."""

    seconds: float
    """From the first that was sent to the end of the last answer."""
    texts: tuple[str, ...]

    @property
    def text(self) -> str:
        """All of them."""
        return " ".join(self.texts)


@frozen(kw_only=True)
class Service:
    """An address that answers a form with JSON in which there is a ``text``."""

    url: str
    fields: Mapping[str, str] = field(factory=dict)
    """What is sent beside the recording."""
    file_field: str = "file"
    """What the recording is called in the form."""
    headers: Mapping[str, str] = field(factory=dict, repr=False)

    def transcribe(self, recordings: Sequence[Path]) -> Answered:
        """Send recordings, all at once.

        Raises:
            NotMeasured: It does not answer as it should.
        """
        return asyncio.run(self._all(recordings))

    async def _all(self, recordings: Sequence[Path]) -> Answered:
        sounds = [(path.name, path.read_bytes()) for path in recordings]
        timeout = aiohttp.ClientTimeout(total=_LIMIT_S)
        try:
            async with aiohttp.ClientSession(headers=dict(self.headers), timeout=timeout) as session:
                began = time.perf_counter()
                texts = await asyncio.gather(*(self._one(session, name, sound) for name, sound in sounds))
                return Answered(time.perf_counter() - began, tuple(texts))
        except (aiohttp.ClientError, TimeoutError) as error:
            raise NotMeasured(f"{self.url} does not answer: {str(error) or type(error).__name__}") from error

    async def _one(self, session: aiohttp.ClientSession, name: str, sound: bytes) -> str:
        form = aiohttp.FormData(dict(self.fields))
        form.add_field(self.file_field, sound, filename=name, content_type="audio/wav")
        async with session.post(self.url, data=form) as answer:
            body = await answer.read()
            if answer.status != 200:
                raise NotMeasured(f"{self.url} answered {answer.status}: {body[:_SHOWN]!r}")
            try:
                return str((await answer.json(content_type=None))["text"])
            except (ValueError, LookupError, TypeError):
                raise NotMeasured(f"{self.url} answered without a text: {body[:_SHOWN]!r}") from None


@contextmanager
def our_service(
    place: Place, name: str, model: Path, *, threads: int | None = None, short_audio_context: bool = False
) -> Iterator[Service]:
    """Our server with one model, and its ``/v1/audio/transcriptions``.

    Args:
        place: This run.
        name: Of its folder.
        model: What it computes with.
        threads: For each window; None for those that the server chooses.
        short_audio_context: Whether short recordings are encoded in less context.
    """
    models = place.folder / f"models-of-{name}"
    ModelStore(Settings(models_dir=models)).add(_MODEL, model)
    environment = {
        **os.environ,
        "WHISPERCORE_MODELS": str(models),
        "WHISPERCORE_THREADS": "1" if place.quick else str(threads or ""),
        "WHISPERCORE_REUSE_RESULTS": "0",
        "WHISPERCORE_SHORT_AUDIO_CONTEXT": "1" if short_audio_context else "0",
    }
    with our_server(place.folder / name, environment=environment) as ours:
        yield Service(
            url=f"{ours.url}/v1/audio/transcriptions",
            fields={"model": _MODEL, "language": "en", "response_format": "json"},
            headers=ours.headers,
        )
