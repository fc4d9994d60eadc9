"""Listening with a server's engine."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress

from whispercore.api.transcriber import live as api
from whispercore.api.transcriber.jobs import SpokenSegment
from whispercore.errors import WhispercoreError
from whispercore.live.events import (
    Ended,
    FinalSegment,
    LanguageDetected,
    LiveEvent,
    PartialText,
    SpeechEnded,
    SpeechStarted,
    UtteranceEnded,
)
from whispercore.transcript import Segment, Word
from whispercore_client import AsyncClient
from whispercore_server.cli.listen.sources import Source
from whispercore_server.cli.listen.speech import Speech


async def events_there(source: Source, url: str, api_key: str | None, speech: Speech) -> AsyncIterator[LiveEvent]:
    """What a server hears, as this machine would tell it.

    Raises:
        WhispercoreError: The server refuses, or cannot be reached.
    """
    async with (
        AsyncClient(url, api_key=api_key) as client,
        client.live.listen(
            model=speech.model,
            language=speech.language,
            languages=speech.languages or (),
            translate=speech.translate,
            hallucinations=speech.hallucinations,
            cut_loops=speech.cut_loops,
            sample_rate=source.sample_rate,
            encoding=source.encoding,
        ) as socket,
    ):

        async def send() -> None:
            try:
                async for frame in source.frames:
                    await socket.send(api.Sound(data=frame))
            except Exception:
                with suppress(WhispercoreError):
                    await socket.send(api.Finish())  # or the server would wait for more, and we for the server
                raise
            await socket.send(api.Finish())

        sending = asyncio.create_task(send())
        try:
            async for message in socket:
                for event in _told(message):
                    yield event
        finally:
            sending.cancel()
            await asyncio.wait((sending,))
        if not sending.cancelled() and (error := sending.exception()) is not None:
            raise error


def _told(message: api.FromLive) -> Iterator[LiveEvent]:
    """What happened, by a message; nothing where it is about the connection."""
    match message:
        case api.LanguageDetected(language=language, probability=probability, likely=likely):
            yield LanguageDetected(language=language, probability=probability, likely=tuple(likely))
        case api.SpeechStarted(utterance=utterance, start=start):
            yield SpeechStarted(utterance=utterance, start_s=start)
        case api.Partial(utterance=utterance, start=start, end=end, text=text, stable=stable):
            yield PartialText(utterance=utterance, start_s=start, end_s=end, text=text, stable=stable)
        case api.SpeechEnded(utterance=utterance, end=end, why=why):
            yield SpeechEnded(utterance=utterance, end_s=end, why=why)
        case api.Final(utterance=utterance, position=position, segment=heard):
            yield FinalSegment(utterance=utterance, position=position, segment=_segment(heard))
        case api.UtteranceEnded() as ended:
            yield UtteranceEnded(
                utterance=ended.utterance,
                start_s=ended.start,
                end_s=ended.end,
                text=ended.text,
                dropped=tuple(ended.dropped),
            )
        case api.LiveEnded(duration_s=duration_s, language=language):
            yield Ended(duration_s=duration_s, language=language)


def _segment(heard: SpokenSegment) -> Segment:
    return Segment(
        text=heard.text,
        start_s=heard.start,
        end_s=heard.end,
        confidence=heard.confidence,
        quality=heard.quality,
        words=tuple(
            Word(text=one.text, start_s=one.start, end_s=one.end, confidence=one.confidence) for one in heard.words
        ),
    )
