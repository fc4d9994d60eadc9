"""One live transcription: sound goes in as it is spoken, events come out."""

from __future__ import annotations

import asyncio
import collections
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from typing import Final, Literal, TypeVar

from attrs import evolve

from whispercore.audio.windows import Samples
from whispercore.database.undisturbed import undisturbed
from whispercore.detection import likely_languages
from whispercore.engines.engine import Control, DetectedLanguage, Engine, Window
from whispercore.engines.pool import Lease
from whispercore.errors import Cancelled, Conflict, InvalidRequest, MediaError, Unavailable
from whispercore.languages import joined
from whispercore.live.activity import Activity
from whispercore.live.events import (
    Ended,
    FinalSegment,
    LanguageDetected,
    PartialText,
    SpeechEnded,
    SpeechStarted,
    UtteranceEnded,
)
from whispercore.live.language import LanguageSearch
from whispercore.live.log import Log, Numbered
from whispercore.live.options import LiveOptions
from whispercore.live.settling import settled
from whispercore.live.sound import Sound
from whispercore.live.utterances import BREATH_S, Utterance, Utterances
from whispercore.transcript import Dropped, Segment, Transcript, Word

_SLICE_BYTES: Final = 1 << 15
"""So much sound is taken in at once; between slices others have their turn."""
_BACKLOG_S: Final = 60.0
"""When so much speech waits for the engine, no more is taken in."""
_PASS_S: Final = 0.6
"""A pass over an utterance begins when so much of it is new."""
_PASS_COSTS_S: Final = 1.0
"""Speech that is shorter keeps the engine busy for as long as if it were not."""
_LEAST_S: Final = 0.4
"""What is shorter says nothing yet."""
_T = TypeVar("_T")


class LiveSession:
    """A running session. Make it with ``whispercore.live.opening.start``, in an event loop.

    Args:
        lease: Of the engine.
        engine: What the lease is of, loaded.
        model: Its name.
        sound: Makes samples of what comes in.
        activity: Tells where speech is; None when only ``flush`` ends an utterance.
        threads: Where it is asked; None for those of the event loop.
        options: What is asked for.
    """

    def __init__(
        self,
        lease: Lease,
        engine: Engine,
        *,
        model: str,
        sound: Sound,
        activity: Activity | None,
        threads: Executor | None,
        options: LiveOptions,
    ) -> None:
        self.model = model
        self._lease = lease
        self._engine, self._can = engine, engine.capabilities
        short, times = options.decoding.short_audio_context, self._can.times_of_words(options.decoding.word_times)
        self._fingerprint = evolve(engine.fingerprint, short_audio_context=short, word_times=times)
        self._sound = sound
        self._options = options
        self._utterances = Utterances(activity, options.pauses, threads)
        self._search = LanguageSearch(options.decoding.languages)
        self._ended: collections.deque[Utterance] = collections.deque()
        self._segments: list[Segment] = []
        self._dropped: list[Dropped] = []
        self._control = Control()
        self._moved = asyncio.Event()
        self._room = asyncio.Event()
        self._over = False
        self._taking = asyncio.Lock()
        self._passes = 0
        self.log = Log()
        """What has happened."""
        self.received_bytes = 0
        """How much came in."""
        self._work = asyncio.create_task(self._run(), name="live session")

    # ------------------------------------------------------------ what goes in

    async def feed(self, data: bytes) -> None:
        """Take sound in. Waits while the engine is far behind.

        Raises:
            Conflict: The session is over.
            MediaError: This is no sound of the kind that was announced.
            WhispercoreError: What ended the session.
        """
        async with self._taking:
            self._check_open()
            for start in range(0, len(data), _SLICE_BYTES):
                while self.backlog_s > _BACKLOG_S and not self._work.done():
                    self._room.clear()
                    await self._room.wait()
                self._check_open()
                # All of a slice or nothing of it: whoever was cancelled sends on from ``received_bytes``.
                await undisturbed(self._take(data[start : start + _SLICE_BYTES]))
                await asyncio.sleep(0)

    async def flush(self) -> bool:
        """End the utterance here, whether the speaker has paused or not.

        Returns:
            Whether there was one.
        """
        async with self._taking:
            self._check_open()
            return self._end_open()

    async def clear(self) -> None:
        """Forget the utterance that is being spoken."""
        async with self._taking:
            self._check_open()
            forgotten = self._utterances.clear()
            if forgotten is not None:
                forgotten.ended = True
                start_s, end_s = _rounded(forgotten.start_s), _rounded(self.heard_s)
                self.log.add(SpeechEnded(utterance=forgotten.number, end_s=end_s, why="forgotten"))
                self.log.add(UtteranceEnded(utterance=forgotten.number, start_s=start_s, end_s=end_s, text=""))

    async def finish(self) -> None:
        """Nothing more comes in. Returns when all that came in is transcribed; calling it again does nothing.

        Raises:
            WhispercoreError: What ended the session.
        """
        async with self._taking:
            if not self._over:
                await undisturbed(self._take_rest())
                self._end_open()
                self._over = True
                self._moved.set()
        await self.wait()
        if self._work.cancelled():
            raise self.log.failure or Cancelled()
        self._work.result()

    async def wait(self) -> None:
        """Wait until nothing follows, for whatever reason."""
        await asyncio.wait((self._work,))

    async def close(self) -> None:
        """End it here and now, and give the engine back. Readers get ``Cancelled`` if it was not finished."""
        await undisturbed(self._close())

    async def _close(self) -> None:
        self._over = True
        self._work.cancel()  # a pass that runs goes on without us: ending it could cost others their engine
        await asyncio.gather(self._work, return_exceptions=True)  # readers were told
        self.log.end(Cancelled())
        self._lease.close()
        async with self._taking:  # what is just being taken in needs them
            await self._sound.close()
            self._utterances.close()

    # ------------------------------------------------------------ what comes out

    def events(self, after: int = 0) -> AsyncIterator[Numbered]:
        """The events behind a place, as they come; ends behind ``Ended``.

        Raises:
            Conflict: Some of them are not kept any more.
            WhispercoreError: What ended the session.
        """
        return self.log.after(after)

    @property
    def is_finished(self) -> bool:
        """Whether all that came in is transcribed, and nothing more will come."""
        return self._work.done() and not self._work.cancelled() and self._work.exception() is None

    @property
    def heard_s(self) -> float:
        """Length of the sound that came in."""
        return self._utterances.heard_s

    @property
    def backlog_s(self) -> float:
        """Length of the speech that waits for the engine, where each utterance counts as a second at least."""
        return sum(max(one.end_s - one.start_s, _PASS_COSTS_S) for one in self._ended)

    @property
    def segments(self) -> tuple[Segment, ...]:
        """All final ones so far."""
        return tuple(self._segments)

    @property
    def transcript(self) -> Transcript:
        """All that was said so far."""
        return Transcript(
            segments=self.segments,
            language=self.language_code,
            language_probability=self.language.probability if self.language is not None else None,
            likely_languages=likely_languages(self.language) if self.language is not None else (),
            duration_s=_rounded(self.heard_s),
            model=self.model,
            fingerprint=self._fingerprint,
            dropped=tuple(self._dropped),
        )

    @property
    def language(self) -> DetectedLanguage | None:
        """The language that was detected; None until then, and where it was given."""
        return self._search.found

    @property
    def language_code(self) -> str:
        """The language that is written."""
        given = self._options.decoding.language
        return given or (self.language.code if self.language is not None else "en")

    @property
    def passes(self) -> int:
        """How often the engine was asked; silence asks it nothing."""
        return self._passes

    # ------------------------------------------------------------ sound to utterances

    def _check_open(self) -> None:
        if self._work.done() and not self._work.cancelled() and (error := self._work.exception()) is not None:
            raise error
        if self._over or self._work.done():
            raise Conflict("the session is over")

    async def _take(self, piece: bytes) -> None:
        with self._failing(InvalidRequest, MediaError):  # what was heard before is still told
            await self._hear(await self._sound.samples(piece))
        self.received_bytes += len(piece)

    async def _take_rest(self) -> None:
        with self._failing():
            await self._hear(await self._sound.rest())

    @contextmanager
    def _failing(self, *but: type[Exception]) -> Iterator[None]:
        """What goes wrong with the sound ends the session, or a part of it would be missing; but for these errors."""
        try:
            yield
        except but:
            raise
        except Exception as error:
            self.log.end(error)
            self._over = True
            self._work.cancel()
            raise

    async def _hear(self, samples: Samples) -> None:
        async for utterance in self._utterances.push(samples):
            if utterance.ended:
                self._queue(utterance, "length" if utterance.continued else "pause")
            else:
                self.log.add(SpeechStarted(utterance=utterance.number, start_s=_rounded(utterance.start_s)))
        self._moved.set()

    def _end_open(self) -> bool:
        utterance = self._utterances.end()
        if utterance is not None:
            self._queue(utterance, "asked")
            self._moved.set()
        return utterance is not None

    def _queue(self, utterance: Utterance, why: Literal["pause", "length", "asked"]) -> None:
        self.log.add(SpeechEnded(utterance=utterance.number, end_s=_rounded(utterance.spoken_s), why=why))
        self._ended.append(utterance)

    # ------------------------------------------------------------ utterances to text

    async def _run(self) -> None:
        try:
            while True:
                self._moved.clear()
                if self._ended:
                    await self._conclude(self._ended[0])
                    self._ended.popleft()
                    self._room.set()
                elif self._over:
                    break
                elif (utterance := self._due()) is not None:
                    await self._pass(utterance)
                else:
                    await self._moved.wait()
            self.log.add(Ended(duration_s=_rounded(self.heard_s), language=self.language_code))
            self.log.end()
        except Exception as error:
            self.log.end(error)
            raise
        finally:
            self._room.set()

    def _due(self) -> Utterance | None:
        """The open utterance, if a pass over it is worth while."""
        utterance = self._utterances.open
        if utterance is None or not self._options.partials or utterance.end_s - utterance.start_s < _LEAST_S:
            return None
        if self._utterances.silence_s >= BREATH_S:
            return utterance if not utterance.is_heard else None
        return utterance if utterance.end_s - max(utterance.heard_s, utterance.start_s) >= _PASS_S else None

    async def _pass(self, utterance: Utterance) -> None:
        """Listen to an utterance, as far as it came in."""
        window = Window(index=utterance.number, start_s=utterance.start_s, samples=utterance.samples().tobytes())
        await self._find_language(window)
        options = evolve(
            self._options.decoding,
            language=self.language_code,
            languages=(),
            words=self._can.words,  # they are what passes agree on
        )
        self._passes += 1
        decoded = await self._answer(self._lease.decode(window, options, self._control, "interactive"))
        utterance.heard, utterance.heard_s = decoded.segments, window.end_s
        words = utterance.agreement.hear(utterance.words, window.end_s)
        if utterance.ended:
            return
        text = self._joined(words) if words else self._text(decoded.segments)
        if text:
            self.log.add(
                PartialText(
                    utterance=utterance.number,
                    start_s=_rounded(utterance.start_s),
                    end_s=_rounded(window.end_s),
                    text=text,
                    stable=self._joined(utterance.agreement.stable),
                )
            )

    async def _conclude(self, utterance: Utterance) -> None:
        """The final text of an utterance that has ended."""
        if not utterance.is_heard or utterance.continued:
            await self._pass(utterance)
        # Judged before anybody is told: what is final is neither changed nor taken back.
        kept, dropped = self._options.hallucinations.treated(settled(utterance, self.language_code))
        self._dropped += dropped
        segments = [one if self._options.decoding.words else evolve(one, words=()) for one in kept]
        for segment in segments:
            self.log.add(FinalSegment(utterance=utterance.number, position=len(self._segments), segment=segment))
            self._segments.append(segment)
        self.log.add(
            UtteranceEnded(
                utterance=utterance.number,
                start_s=_rounded(utterance.start_s),
                end_s=_rounded(utterance.end_s),
                text=self._text(segments),
                dropped=dropped,
            )
        )

    async def _find_language(self, window: Window) -> None:
        if self._options.decoding.language is not None or not self._can.detects_language or not self._search.begins():
            return
        heard = await self._answer(self._lease.detect_language(window, self._control, "interactive"))
        if (found := self._search.take(heard, self._can.languages)) is not None:
            told = LanguageDetected(language=found.code, probability=found.probability, likely=likely_languages(found))
            self.log.add(told)

    async def _answer(self, future: Future[_T]) -> _T:
        try:
            return await asyncio.wrap_future(future)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            raise Unavailable("the engines were closed") from None

    def _joined(self, words: tuple[Word, ...]) -> str:
        return joined((word.text for word in words), self.language_code)

    def _text(self, segments: tuple[Segment, ...] | list[Segment]) -> str:
        return joined((segment.text for segment in segments), self.language_code)


def _rounded(time_s: float) -> float:
    return round(time_s, 3)
