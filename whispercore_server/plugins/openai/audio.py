"""Answers of ``api.openai.audio``."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing, suppress
from functools import partial
from http import HTTPStatus
from types import MappingProxyType
from typing import Final

from attrs import define, evolve

from whispercore.api.openai.audio import (
    EVENTS,
    Audio,
    CreateTranscription,
    CreateTranslation,
    GetTranscription,
)
from whispercore.contract.messages import Content
from whispercore.contract.wire import dumps
from whispercore.errors import (
    Conflict,
    DamagedMedia,
    InvalidOption,
    InvalidRequest,
    JobFailed,
    MediaError,
    NoRoom,
    NoSound,
    NotFound,
    NotMedia,
    TruncatedMedia,
    Unavailable,
    WhispercoreError,
)
from whispercore.jobs.job import Job, State
from whispercore.people.caller import Caller
from whispercore.tasks.options import TranscribeOptions
from whispercore.transcript import Segment, Transcript
from whispercore_server.bodies import staged_of
from whispercore_server.ordering import PRIORITIES
from whispercore_server.plugin import serves
from whispercore_server.plugins.openai import patience, views
from whispercore_server.plugins.openai.events import Telling, failed
from whispercore_server.plugins.openai.models import model_of
from whispercore_server.plugins.openai.wish import Wish, waits
from whispercore_server.ports import Ports

_ACCEPTED: Final = MappingProxyType({"Preference-Applied": "respond-async"})
_NONE: Final = MappingProxyType[str, str]({})
_UNBUFFERED: Final = MappingProxyType({"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
_JOB_ID: Final = "X-Job-ID"
_ROOM_AFTER_S: Final = 60
"""When to try again where the memory had no room for a model."""
_OF_MEDIA: Final = frozenset(kind.code for kind in (NotMedia, NoSound, TruncatedMedia, DamagedMedia))
"""Why a job failed whose recording is to blame."""


@define
class AudioHandlers:
    """Turns speech into text, for those who wait and for those who come again."""

    ports: Ports

    @serves(Audio.transcribe)
    async def transcribe(self, request: CreateTranscription, caller: Caller) -> Content:
        """In the language that is spoken."""
        return await self._made(request, caller)

    @serves(Audio.translate)
    async def translate(self, request: CreateTranslation, caller: Caller) -> Content:
        """In English."""
        return await self._made(request, caller)

    @serves(Audio.get)
    async def get(self, request: GetTranscription, caller: Caller) -> Content:
        """As it is now."""
        job = await self.ports.jobs.owned(request.job_id, caller)
        if not job.state.is_over:
            return _going_on(job)
        transcript = await self._transcript(job)
        options = TranscribeOptions.load(job.options, job.payload_version)
        wish = Wish.of_kept(request.response_format, options)
        body = await asyncio.to_thread(views.body, transcript, wish, options)
        return Content(body=body, media_type=views.media_type(wish))

    async def _made(self, request: CreateTranscription | CreateTranslation, caller: Caller) -> Content:
        wish = Wish.of(request)
        options = wish.options(request, await model_of(request.model, self.ports))
        await self._check(options, wish)
        is_awaited = waits(request)
        priority = PRIORITIES[request.priority or ("high" if is_awaited else "normal")]
        staged, submissions = staged_of(request.file), self.ports.submissions
        if not is_awaited:
            job = (await submissions.submit(staged, options, caller, priority=priority)).job
            where = f"{caller.request.mounted_at}{Audio.get.path.format(job_id=job.id)}"
            return _going_on(job, {"Location": where, **_ACCEPTED})
        if request.store:
            options = evolve(options, lane="interactive")
            job = (await submissions.submit(staged, options, caller, priority=priority)).job
        else:
            job = await self.ports.answers.begin(staged, options, caller, priority=priority)
        return Content(
            body=self._answered(job, wish, options, caller),
            media_type=EVENTS if wish.stream else views.media_type(wish),
            headers={**(_UNBUFFERED if wish.stream else {}), **({_JOB_ID: job.id} if request.store else {})},
            after=partial(self._left, job, caller, is_kept=request.store),
        )

    async def _check(self, options: TranscribeOptions, wish: Wish) -> None:
        try:
            await self.ports.submissions.check(options)
        except InvalidOption as error:
            raise InvalidRequest.one(wish.field(error.option), error.reason) from error

    async def _answered(
        self, job: Job, wish: Wish, options: TranscribeOptions, caller: Caller
    ) -> AsyncGenerator[bytes, None]:
        """The answer of a job, which ends with it."""
        pieces = self._events(job, wish, caller) if wish.stream else self._whole(job, wish, options, caller)
        filler = patience.EVENTS if wish.stream else patience.TEXTS.get(wish.response_format, patience.JSON)
        is_begun = False
        try:
            async with aclosing(patience.kept_alive(pieces, filler)) as kept_alive:
                async for piece in kept_alive:
                    is_begun = True
                    yield piece
        except WhispercoreError as error:
            if not (is_begun and wish.stream):
                raise
            yield failed(error)

    async def _left(self, job: Job, caller: Caller, *, is_kept: bool) -> None:
        """Nobody waits for the answer any more: he has it, or went away, which stops the job."""
        if not is_kept:
            await self.ports.answers.forget(job.id, job.owner_id)
            return
        with suppress(Conflict, NotFound):  # it is over, or somebody has deleted it
            await self.ports.jobs.cancel(job.id, caller)

    async def _whole(
        self, job: Job, wish: Wish, options: TranscribeOptions, caller: Caller
    ) -> AsyncGenerator[bytes, None]:
        async with aclosing(self._followed(job, caller)) as moments:
            async for moment in moments:
                job = moment[0]
        transcript = await self._transcript(job)
        yield await asyncio.to_thread(views.body, transcript, wish, options)

    async def _events(self, job: Job, wish: Wish, caller: Caller) -> AsyncGenerator[bytes, None]:
        telling = Telling(wish)
        async with aclosing(self._followed(job, caller)) as moments:
            async for now, segments in moments:
                job = now
                for event in telling.more(segments, job.language or ""):
                    yield event
        yield telling.done(await self._transcript(job))

    async def _followed(self, job: Job, caller: Caller) -> AsyncGenerator[tuple[Job, list[Segment]], None]:
        """The job whenever it has moved, until it is over.

        Raises:
            Unavailable: The server ends before it does.
        """
        async with aclosing(self.ports.following.follow(job.id, caller)) as moments:
            async for moment in moments:
                job = moment[0]
                yield moment
        if not job.state.is_over:
            raise Unavailable("the server is ending")

    async def _transcript(self, job: Job) -> Transcript:
        """What a job that is over has brought forth."""
        if job.state is not State.COMPLETED:
            raise _failure(job)
        transcript = await self.ports.jobs.transcript(job)
        if transcript is None:
            raise NotFound("transcription", job.id)
        return transcript


def _going_on(job: Job, headers: Mapping[str, str] = _NONE) -> Content:
    """The job itself."""
    return Content(
        body=dumps(views.job(job)),
        media_type="application/json",
        status=HTTPStatus.ACCEPTED,
        headers={_JOB_ID: job.id, **headers},
    )


def _failure(job: Job) -> WhispercoreError:
    """Why there is no transcript."""
    if job.state is State.CANCELLED:
        return Conflict("the job was cancelled")
    why = job.error or job.failure_reason or "nobody knows why"
    if job.failure_reason in _OF_MEDIA:
        return MediaError(job.filename or "the recording", why)
    if job.failure_reason == NoRoom.code:
        return Unavailable(why, retry_after=_ROOM_AFTER_S)
    return JobFailed(job.id, job.failure_reason, why)
