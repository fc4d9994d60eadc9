"""The way from a recording that came in to its job in the queue, whatever door it came in by."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from typing import Final

from attrs import evolve, frozen
from sqlalchemy.ext.asyncio import AsyncConnection

from whispercore import tracing
from whispercore.audio.replay import Recording
from whispercore.audit.event import AuditEvent
from whispercore.audit.trail import Audit
from whispercore.engines.engine import MakeEngine
from whispercore.engines.pool import check_declared
from whispercore.errors import EngineMissing, InvalidOption, ModelNotAvailable, UnknownModel
from whispercore.files.files import Files
from whispercore.files.manifest import Staged
from whispercore.files.names import clean_name
from whispercore.jobs.fairness import take_turns
from whispercore.jobs.holding import HELD
from whispercore.jobs.job import Job, NewJob
from whispercore.jobs.queue_limit import QueueLimit
from whispercore.jobs.table import Jobs
from whispercore.models.choice import engine_of, parted
from whispercore.models.store import ModelStore
from whispercore.outgoing.fetching import Fetcher, name_of
from whispercore.people.caller import Caller
from whispercore.settings import Settings
from whispercore.speakers.diarization import Diarization
from whispercore.speakers.diarizer import find_diarizer
from whispercore.tasks.options import VERSION, TranscribeOptions
from whispercore.tasks.probe import Probe
from whispercore.tasks.shelf import Left, Shelf
from whispercore.tasks.transcribe import KIND, Admit

_UNKNOWN_LENGTH_S: Final = 60.0
"""What a recording that does not tell its length is taken for when turns are shared out."""


@frozen(kw_only=True)
class Accepted:
    """A recording that was looked at, and the job that it may become."""

    staged: Staged
    new: NewJob


@frozen(kw_only=True)
class Submitted:
    """A job in the queue, or wherever it is by now."""

    job: Job
    repeated: bool = False
    """It was made by an earlier request with the same ``Idempotency-Key``."""


class Submissions:
    """Makes jobs of recordings.

    Args:
        files: Where the recordings came in.
        jobs: Where the jobs go.
        models: What may be asked for.
        find_engine: Turns the name of an engine into what makes it.
        library: Where the models are.
        probe: Looks at the recordings.
        shelf: Where what was read of a recording is left for its job.
        audit: Where it is noted.
        fetcher: Judges addresses that recordings are to be fetched from.
        fetch_models: Whether models that are not on this machine may be asked for.
        admit: Raises where an owner may not keep so many bytes more, in the transaction that would keep them.
        queue_limit: How many jobs may wait.
        max_retries: How often a job is tried again by itself.
    """

    def __init__(
        self,
        *,
        files: Files,
        jobs: Jobs,
        models: ModelStore,
        find_engine: Callable[[str], MakeEngine],
        library: Settings,
        probe: Probe,
        shelf: Shelf,
        audit: Audit,
        fetcher: Fetcher,
        fetch_models: bool,
        admit: Admit,
        queue_limit: QueueLimit,
        max_retries: int,
    ) -> None:
        self._files = files
        self._jobs = jobs
        self._models = models
        self._probe = probe
        self._shelf = shelf
        self._audit = audit
        self._fetcher = fetcher
        self._admit = admit
        self._find_engine = find_engine
        self._library = library
        self._fetch_models = fetch_models
        self.queue_limit = queue_limit
        self._max_retries = max_retries

    async def model(self, name: str | None) -> str:
        """The name of a model that can be used here.

        Args:
            name: As it was asked for; None for the default.

        Raises:
            UnknownModel: No model has this name; paths are none.
            ModelNotAvailable: It is known, but not on this machine, and may not be fetched.
        """
        wanted = name if name is not None else self._library.default_model
        if not await asyncio.to_thread(self._is_here, wanted) and not self._fetch_models:
            here = await asyncio.to_thread(self._models.list)
            raise ModelNotAvailable(wanted, tuple(one.name for one in here if one.downloaded))
        return wanted

    def _is_here(self, name: str) -> bool:
        engine, _ = parted(name)
        try:
            return (engine is None or callable(self._find_engine(engine))) and self._models.is_here(name)
        except EngineMissing as error:
            raise UnknownModel(name) from error

    async def check(self, options: TranscribeOptions) -> None:
        """Refuse a job that nobody here could do.

        Raises:
            InvalidOption: The engine of one cannot do what is asked for, or nothing here tells voices apart.
        """
        for model in (options.model, *options.fallback):
            engine = await asyncio.to_thread(engine_of, model, self._library.models_dir)
            await asyncio.to_thread(check_declared, options.decoding, engine, self._find_engine)
        await self._check_speakers(options.diarization)

    async def _check_speakers(self, wanted: Diarization | None) -> None:
        if wanted is None or wanted.by != "voice":
            return
        missing = await asyncio.to_thread(lambda: find_diarizer(wanted.diarizer)(self._library).missing)
        if missing and not self._fetch_models:
            raise InvalidOption("diarize", f"this server has no {' and no '.join(missing)}, which tell voices apart")

    async def accept(
        self,
        staged: Staged,
        options: TranscribeOptions,
        caller: Caller,
        *,
        priority: int = 0,
        idempotency_key: str | None = None,
        kind: str = KIND,
        secures: bool = False,
    ) -> Accepted:
        """Look at a recording before anybody is promised a transcript of it.

        Args:
            staged: What came in.
            options: How it is to be transcribed.
            caller: Whose job it will be.
            priority: As in ``Job``.
            idempotency_key: The caller's name for the request, if it has one.
            kind: Of the job; what does it has to do ``transcribe`` too.
            secures: Whether it does not survive a power cut yet, but has to; that is seen to beside the look.

        Raises:
            NotMedia: It is neither audio nor video.
            MediaError: It has no sound, is truncated or damaged.
            StorageFull: There is no room to look at it, or to keep it.
        """
        recording = Recording() if self._shelf.is_used else None
        async with self._files.local_copy(staged, checked=False) as parts:
            look = self._probe.look(
                parts,
                name=staged.name,
                owner_id=caller.user_id,
                channels=options.channels,
                keep_damaged=options.keep_damaged,
                vad=options.vad,
                recording=recording,
            )
            sound = (await asyncio.gather(look, self._files.secured(staged)))[0] if secures else await look
        if recording is not None and recording.is_whole:
            self._shelf.put(Left(staged, recording))
        digest = digest_of((staged.sha256, staged.name), options, priority) if idempotency_key is not None else None
        new = evolve(
            self._new(options, caller, priority),
            kind=kind,
            cost=max(1.0, sound.declared_s or _UNKNOWN_LENGTH_S),
            file_id=staged.id,
            filename=staged.name,
            audio_duration_s=sound.declared_s,
            idempotency_key=idempotency_key,
            request_sha256=digest,
        )
        return Accepted(staged=staged, new=new)

    async def enqueue_held(
        self,
        tx: AsyncConnection,
        recording: Staged | str,
        options: TranscribeOptions,
        caller: Caller,
        *,
        priority: int,
        batch_id: str,
    ) -> Job:
        """Queue a job of a batch, which lets it go. Nobody has looked at its recording: what is wrong fails the job.

        Args:
            tx: The transaction that makes the batch.
            recording: What came in, to be ``published`` later, or the address to fetch it from.
            options: How it is to be transcribed.
            caller: Whose job it is.
            priority: As in ``Job``.
            batch_id: Of the batch.

        Raises:
            InvalidOption: The address is none of the web.
        """
        if isinstance(recording, str):
            options = evolve(options, url=self._fetcher.checked(recording))
            new = evolve(self._new(options, caller, priority), filename=clean_name(name_of(recording)))
        else:
            new = evolve(self._new(options, caller, priority), file_id=recording.id, filename=recording.name)
            await self._files.keep(tx, recording, caller.user_id)
            await self._audit.append(tx, caller, _uploaded(recording))
        return await self._jobs.enqueue(tx, evolve(new, batch_id=batch_id, next_attempt_at=HELD), caller)

    async def enqueue(
        self, tx: AsyncConnection, accepted: Accepted, caller: Caller, *, is_counted: bool = False
    ) -> Submitted:
        """Keep the recording and queue its job, when the transaction commits; ``publish`` it then.

        A request that was made before with the same key gets the job that it made then, and nothing is kept.

        Args:
            tx: The transaction.
            accepted: The recording and its job.
            caller: Whose they are.
            is_counted: Whether its bytes are among those that he keeps already, as those of an open upload are.

        Raises:
            Unavailable: The queue is full.
            QuotaExceeded: The caller may not keep so much.
            Conflict: The recording is kept already.
            KeyReused: The key came with another request before.
        """
        new = accepted.new
        if new.idempotency_key is not None and new.request_sha256 is not None:
            job = await self._jobs.with_key(tx, new.owner_id, new.idempotency_key, new.request_sha256)
            if job is not None:
                return Submitted(job=job, repeated=True)
        staged = accepted.staged
        await self.queue_limit.check_in(tx)
        await take_turns(tx, new.owner_id)
        if not is_counted:
            await self._admit(tx, caller.user_id, staged.size_bytes)
        await self._files.keep(tx, staged, caller.user_id)
        await self._audit.append(tx, caller, _uploaded(staged))
        return Submitted(job=await self._jobs.enqueue(tx, new, caller))

    async def publish(self, accepted: Accepted, submitted: Submitted) -> None:
        """Move the recording to where it stays, once its job is in the queue."""
        if not submitted.repeated:
            await self._files.publish(accepted.staged)

    async def submit(
        self,
        staged: Staged,
        options: TranscribeOptions,
        caller: Caller,
        *,
        priority: int = 0,
        idempotency_key: str | None = None,
        kind: str = KIND,
        lasts: bool = True,
    ) -> Submitted:
        """All of it: ``accept``, ``enqueue`` in a transaction of its own, ``publish`` for a recording that lasts.

        Args:
            staged: What came in with a request.
            options: How it is to be transcribed.
            caller: Whose job it will be.
            priority: As in ``Job``.
            idempotency_key: The caller's name for the request, if it has one.
            kind: As for ``accept``.
            lasts: False where the recording goes with its request, which does not survive a power cut either.

        Raises:
            Unavailable: The queue is full.
            NotMedia: It is neither audio nor video.
            MediaError: It has no sound, is truncated or damaged.
            StorageFull: There is no room for it.
            QuotaExceeded: The caller may not keep so much.
            Conflict: It is kept already.
            KeyReused: The key came with another request before.
        """
        digest = digest_of((staged.sha256, staged.name), options, priority)
        if (made := await self._made_before(caller, idempotency_key, digest)) is not None:
            return made
        await self.queue_limit.check()
        accepted = await self.accept(
            staged,
            options,
            caller,
            priority=priority,
            idempotency_key=idempotency_key,
            kind=kind,
            secures=lasts,
        )
        async with self._jobs.database.write() as tx:
            submitted = await self.enqueue(tx, accepted, caller)
        if lasts:
            await self.publish(accepted, submitted)
        return submitted

    async def submit_url(
        self, options: TranscribeOptions, caller: Caller, *, priority: int = 0, idempotency_key: str | None = None
    ) -> Submitted:
        """Queue a job whose recording will be fetched from ``options.url``; what is wrong with it fails the job.

        Raises:
            Unavailable: The queue is full.
            InvalidOption: The address is none of the web.
            KeyReused: The key came with another request before.
        """
        url = self._fetcher.checked(options.url or "")
        options = evolve(options, url=url)
        digest = digest_of((), options, priority)
        if (made := await self._made_before(caller, idempotency_key, digest)) is not None:
            return made
        await self.queue_limit.check()
        async with self._jobs.database.write() as tx:
            if idempotency_key is not None:
                job = await self._jobs.with_key(tx, caller.user_id, idempotency_key, digest)
                if job is not None:
                    return Submitted(job=job, repeated=True)
            await self.queue_limit.check_in(tx)
            new = evolve(
                self._new(options, caller, priority),
                filename=clean_name(name_of(url)),
                idempotency_key=idempotency_key,
                request_sha256=digest if idempotency_key is not None else None,
            )
            return Submitted(job=await self._jobs.enqueue(tx, new, caller))

    async def _made_before(self, caller: Caller, idempotency_key: str | None, digest: str) -> Submitted | None:
        """What the same request has made; it is told that also where no more would be taken."""
        if idempotency_key is None:
            return None
        async with self._jobs.database.read() as tx:
            job = await self._jobs.with_key(tx, caller.user_id, idempotency_key, digest)
        return Submitted(job=job, repeated=True) if job is not None else None

    def _new(self, options: TranscribeOptions, caller: Caller, priority: int) -> NewJob:
        """A job, as far as all doors are alike."""
        return NewJob(
            owner_id=caller.user_id,
            kind=KIND,
            options=evolve(options, traceparent=tracing.traceparent()).dump(),
            payload_version=VERSION,
            priority=priority,
            cost=_UNKNOWN_LENGTH_S,
            max_retries=self._max_retries,
            model=options.model,
            language=options.decoding.language,
            webhook_id=options.webhook_id,
        )


def digest_of(recording: Sequence[str], options: TranscribeOptions, priority: int) -> str:
    """Checksum of all that a request asked for, in lines that none of them can contain.

    Args:
        recording: Its SHA-256 and its name, where it came with the request.
        options: How it is to be transcribed.
        priority: Of the job.
    """
    asked = "\n".join((str(priority), options.dump(), *recording))
    return hashlib.sha256(asked.encode(errors="surrogateescape")).hexdigest()


def _uploaded(staged: Staged) -> AuditEvent:
    return AuditEvent(
        event_type="file_upload",
        action="upload a recording",
        resource_type="file",
        resource_id=staged.id,
        details={"size_bytes": staged.size_bytes, "sha256": staged.sha256},
    )
