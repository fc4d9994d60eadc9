"""Answers of ``api.transcriber.live``."""

from __future__ import annotations

import asyncio

from attrs import define

from whispercore.api.transcriber import live as api
from whispercore.api.transcriber.live import FromLive, Listen, Live, LiveReady, ToLive
from whispercore.errors import Conflict
from whispercore.hallucinations import Hallucinations
from whispercore.live import events
from whispercore.live.contained import sound_of
from whispercore.live.log import Numbered
from whispercore.people.caller import Caller
from whispercore.tasks.options import TranscribeOptions
from whispercore_server.live_sessions import Held, NewSession
from whispercore_server.plugin import Socket, serves
from whispercore_server.plugins.transcriber import views
from whispercore_server.ports import Ports


@define
class LiveHandlers:
    """Transcribes sound while it is spoken."""

    ports: Ports

    @serves(Live.listen)
    async def listen(self, request: Listen, caller: Caller, socket: Socket[FromLive, ToLive]) -> None:
        """One connection of a session: its first, or the one after a cut."""
        held = await self._held(request, caller)
        async with self.ports.live.attached(held) as left:
            await socket.send(
                LiveReady(
                    session_id=held.id,
                    model=held.session.model,
                    received_bytes=held.session.received_bytes,
                    grace_s=self.ports.settings.live_grace_s,
                )
            )
            working = (
                asyncio.ensure_future(self._send(held, request.after, socket)),
                asyncio.ensure_future(self._receive(held, socket)),
                asyncio.ensure_future(_left(left)),
            )
            try:
                done, _ = await asyncio.wait(working, return_when=asyncio.FIRST_COMPLETED)
                for one in done:
                    one.result()
            finally:
                for one in working:
                    one.cancel()
                await asyncio.gather(*working, return_exceptions=True)

    async def _held(self, request: Listen, caller: Caller) -> Held:
        if request.session_id is not None:
            return self.ports.live.find(request.session_id, caller)
        options = TranscribeOptions(
            model=await self.ports.submissions.model(request.model),
            language=request.language,
            languages=request.languages,
            prompt=request.prompt,
            translate=request.translate,
            words=request.words,
            hallucinations=Hallucinations(policy=request.hallucinations, cut_loops=request.cut_loops),
            lane="interactive",
        )
        await self.ports.submissions.check(options)
        new = NewSession(
            options=options,
            sound=sound_of(request.encoding, request.sample_rate),
            partials=request.partials,
            store=request.store,
        )
        return await self.ports.live.open(new, caller)

    async def _receive(self, held: Held, socket: Socket[FromLive, ToLive]) -> None:
        async for message in socket:
            if isinstance(message, api.Sound):
                await self.ports.live.take(held, message.data)
            elif isinstance(message, api.Finish):
                await held.end("finished")
            elif held.reason is None:
                await (held.session.flush() if isinstance(message, api.Flush) else held.session.clear())

    async def _send(self, held: Held, after: int, socket: Socket[FromLive, ToLive]) -> None:
        async for one in held.session.events(after):
            await socket.send(await _ended(held, one) if isinstance(one.event, events.Ended) else _message(one))


async def _left(left: asyncio.Event) -> None:
    await left.wait()
    raise Conflict("another connection goes on with this session")


async def _ended(held: Held, one: Numbered) -> api.LiveEnded:
    """The last message, once the session is kept.

    Raises:
        Exception: It cannot be kept.
    """
    await held.over.wait()
    if held.failure is not None:
        raise held.failure
    assert isinstance(one.event, events.Ended)
    return api.LiveEnded(
        seq=one.number,
        duration_s=one.event.duration_s,
        language=one.event.language,
        reason=held.reason or "finished",
        job_id=held.job_id,
    )


def _message(one: Numbered) -> FromLive:
    match one.event:
        case events.LanguageDetected(language=language, probability=probability, likely=likely):
            return api.LanguageDetected(seq=one.number, language=language, probability=probability, likely=list(likely))
        case events.SpeechStarted(utterance=utterance, start_s=start_s):
            return api.SpeechStarted(seq=one.number, utterance=utterance, start=start_s)
        case events.PartialText(utterance=utterance, start_s=start_s, end_s=end_s, text=text, stable=stable):
            return api.Partial(seq=one.number, utterance=utterance, start=start_s, end=end_s, text=text, stable=stable)
        case events.SpeechEnded(utterance=utterance, end_s=end_s, why=why):
            return api.SpeechEnded(seq=one.number, utterance=utterance, end=end_s, why=why)
        case events.FinalSegment(utterance=utterance, position=position, segment=segment):
            return api.Final(seq=one.number, utterance=utterance, position=position, segment=views.segment(segment))
        case events.UtteranceEnded() as ended:
            return api.UtteranceEnded(
                seq=one.number,
                utterance=ended.utterance,
                start=ended.start_s,
                end=ended.end_s,
                text=ended.text,
                dropped=list(ended.dropped),
            )
    raise AssertionError(one)
