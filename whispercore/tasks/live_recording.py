"""What was transcribed live, kept as a recording and a job that is completed already."""

from __future__ import annotations

from contextlib import AsyncExitStack
from datetime import datetime
from typing import Final

import numpy as np
from attrs import define, field
from sqlalchemy.ext.asyncio import AsyncConnection

from whispercore.audio.windows import Samples
from whispercore.engines.engine import SAMPLE_RATE
from whispercore.files.files import Files
from whispercore.files.manifest import Staged
from whispercore.files.staging import Stage
from whispercore.jobs.job import Job, NewJob
from whispercore.jobs.table import Jobs
from whispercore.live.sound import Sound
from whispercore.people.caller import Caller
from whispercore.tasks.options import VERSION, TranscribeOptions
from whispercore.tasks.transcribe import KIND, Admit
from whispercore.transcript import Transcript

_SECONDS_KNOWN: Final = 1.0
"""The least that a job costs."""


class LiveRecordings:
    """Keeps sound while it is transcribed.

    Args:
        files: Where it goes.
        jobs: Where its jobs go.
        admit: Raises where an owner may not keep so many bytes more, in the transaction that would keep them.
    """

    def __init__(self, files: Files, jobs: Jobs, *, admit: Admit) -> None:
        self._files = files
        self._jobs = jobs
        self._admit = admit

    async def record(self, sound: Sound, *, began_at: datetime) -> LiveRecording:
        """Record what goes through ``sound``. The recording is closed by whoever asked for it.

        Raises:
            StorageFull: The store has no room.
        """
        stack = AsyncExitStack()
        stage = await stack.enter_async_context(
            self._files.staging(name=f"live {began_at:%Y-%m-%d %H.%M.%S}.flac", content_type="audio/flac")
        )
        return LiveRecording(sound, stage, stack)

    async def keep(
        self, recording: LiveRecording, transcript: Transcript, options: TranscribeOptions, caller: Caller
    ) -> Job:
        """Make a completed job of what was recorded.

        Raises:
            QuotaExceeded: The caller may not keep so much more.
            StorageFull: There is no room for it.
        """
        staged = await recording.finish()
        new = NewJob(
            owner_id=caller.user_id,
            kind=KIND,
            options=options.dump(),
            payload_version=VERSION,
            cost=max(_SECONDS_KNOWN, transcript.duration_s),
            file_id=staged.id,
            filename=staged.name,
            model=options.model,
            audio_duration_s=transcript.duration_s,
        )

        async def keep(tx: AsyncConnection) -> Job:
            await self._admit(tx, caller.user_id, staged.size_bytes)
            await self._files.keep(tx, staged, caller.user_id)
            return await self._jobs.record(tx, new, transcript, caller)

        try:
            async with self._jobs.database.write() as tx:
                job = await keep(tx)
        finally:
            await self._files.discard(staged)  # unless it was kept
        await self._files.publish(staged)
        return job


class _Flac:
    """Encodes samples without loss. What is encoded leaves at once, so the file does not say how long it is."""

    def __init__(self) -> None:
        import av  # noqa: PLC0415 (an encoder is needed by few sessions)

        self._encoded = _Encoded()
        self._container = av.open(self._encoded, "w", format="flac")
        self._stream = self._container.add_stream("flac", rate=SAMPLE_RATE, layout="mono")

    def push(self, samples: Samples) -> bytes:
        """What samples become."""
        from av.audio.frame import AudioFrame  # noqa: PLC0415 (as above)

        pcm = np.clip(samples * 32768, -32768, 32767).astype(np.int16)
        frame = AudioFrame.from_ndarray(pcm.reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate = SAMPLE_RATE
        self._container.mux(self._stream.encode(frame))
        return self._encoded.take()

    def finish(self) -> bytes:
        """The end of the file."""
        self._container.mux(self._stream.encode(None))
        self._container.close()
        return self._encoded.take()


class _Encoded:
    """A file that is only written, and never from another place than its end."""

    def __init__(self) -> None:
        self._data = bytearray()

    def write(self, data: bytes) -> int:
        self._data += data
        return len(data)

    def take(self) -> bytes:
        data = bytes(self._data)
        self._data.clear()
        return data


@define(eq=False)
class LiveRecording:
    """Sound that is kept while it goes through, as FLAC. It is a ``whispercore.live.sound.Sound`` itself."""

    _sound: Sound
    _stage: Stage
    _stack: AsyncExitStack
    _flac: _Flac = field(init=False, factory=_Flac)

    async def samples(self, data: bytes) -> Samples:
        """The samples of the next bytes, which are kept."""
        return await self._kept(await self._sound.samples(data))

    async def rest(self) -> Samples:
        """What is left when nothing follows."""
        return await self._kept(await self._sound.rest())

    async def close(self) -> None:
        """Forget what was not kept."""
        await self._sound.close()
        await self._stack.aclose()

    async def finish(self) -> Staged:
        """The whole recording, as it came in."""
        await self._stage.write(self._flac.finish())
        return await self._stage.finish()

    async def _kept(self, samples: Samples) -> Samples:
        if samples.size:
            await self._stage.write(self._flac.push(samples))
        return samples
