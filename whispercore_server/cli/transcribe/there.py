"""Transcribing by a server. What the command writes and says is the same as on this machine."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from attrs import define, field, frozen

from whispercore.api.transcriber.job_options import vad_fields
from whispercore.api.transcriber.jobs import SpokenSegment
from whispercore.api.transcriber.progress import Ended, Heard, JobProgress, Progressed
from whispercore.contract.fields import Upload
from whispercore.engines.engine import Options
from whispercore.errors import (
    Cancelled,
    InvalidOption,
    JobFailed,
    TimedOut,
    UnexpectedReply,
    Unreachable,
    WhispercoreError,
)
from whispercore.formats.json import read
from whispercore.transcript import Segment, Transcript, Word
from whispercore_client import Client
from whispercore_client.retry import WHILE_IT_STARTS
from whispercore_server.cli.bars import Bar
from whispercore_server.cli.remote import asking_for_a_key, client_of
from whispercore_server.cli.terminal import Screen
from whispercore_server.cli.transcribe.inputs import Pipe, Recording
from whispercore_server.cli.transcribe.speech import Speech

_FAREWELL_S: Final = 2.0
"""How long a server may take to hear that a job is not wanted any more."""


@frozen(kw_only=True)
class There:
    """A server."""

    speech: Speech
    client: Client
    has_key: bool
    looks_first: bool = True

    @classmethod
    def of(cls, speech: Speech, url: str, api_key: str | None) -> There:
        """The server at an address.

        Raises:
            InvalidOption: The address is none, the key cannot be sent, or the model is a file of this machine.
        """
        if any(os.sep in model for model in (speech.model or "", *speech.fallback)):
            raise InvalidOption("--model", "a server takes the names of its models, not paths of this machine")
        return cls(speech=speech, client=client_of(url, api_key), has_key=bool(api_key))

    def prepare(self, screen: Screen) -> None:
        """Nothing: the server has the models."""

    def start(self, recording: Recording, audio: Path | Pipe, bar: Bar | None) -> Errand:
        """An errand that has not begun.

        Raises:
            InvalidOption: An option makes no sense, as no engine would accept it.
        """
        speech = self.speech
        Options(
            language=speech.language,
            languages=speech.languages,
            code_switching=speech.code_switching,
            translate=speech.translate,
            prompt=speech.prompt,
            temperature=speech.temperature,
            beam_size=speech.beam_size,
            words=speech.words,
        )
        return Errand(place=self, upload=Upload(recording.path.name, source=audio), bar=bar)


@define(kw_only=True, eq=False)
class Errand:
    """One recording that a server transcribes."""

    place: There
    upload: Upload
    bar: Bar | None
    transcript: Transcript | None = None
    _job_id: str | None = None
    _over: bool = False
    _cancelled: threading.Event = field(init=False, factory=threading.Event)

    def cancel(self) -> None:
        """Stop, from any thread. Returns at once; the server is told in a thread of its own."""
        if not self._cancelled.is_set() and not self._over:
            self._cancelled.set()
            threading.Thread(target=self._call_off, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.cancel()

    def __iter__(self) -> Iterator[Segment]:
        self._job_id = self._sent()
        given = 0
        try:
            for event in self._patient.progress.events(self._job_id):
                self._stop_if_cancelled()
                match event:
                    case Progressed():
                        self._show(event.progress)
                    case Heard() if event.position == given:
                        given += 1
                        yield _segment(event.segment)
                    case Ended():
                        break
        except (Unreachable, UnexpectedReply, TimedOut):
            pass  # something in between holds events back; asking now and then may still work
        self._wait()
        self.transcript = self._fetched()
        self._over = True
        yield from self.transcript.segments[given:]

    @property
    def _patient(self) -> Client:
        return self.place.client.with_options(retries=WHILE_IT_STARTS)

    def _sent(self) -> str:
        self._stop_if_cancelled()
        speech, client = self.place.speech, self.place.client.with_options(on_upload=self._uploaded)
        with asking_for_a_key(has_key=self.place.has_key):
            created = client.jobs.create(
                file=self.upload,
                model=speech.model,
                fallback=list(speech.fallback),
                language=speech.language,
                languages=speech.languages or (),
                code_switching=speech.code_switching,
                translate=speech.translate,
                prompt=speech.prompt,
                temperature=speech.temperature,
                beam_size=speech.beam_size,
                words=speech.words,
                channels=speech.channels,
                diarize=speech.diarize,
                speakers=speech.speakers,
                keep_damaged=speech.keep_damaged,
                **vad_fields(speech.vad if speech.vad is not None else False),
                hallucinations=speech.hallucinations,
                cut_loops=speech.cut_loops,
                condition_on_previous_text=speech.condition_on_previous_text,
            )
        if self._cancelled.is_set():  # too late for whoever cancelled: he did not know the id
            self._job_id = created.job_id
            self._call_off()
            raise Cancelled
        return created.job_id

    def _uploaded(self, done_bytes: int, total_bytes: int | None) -> None:
        self._stop_if_cancelled()
        if self.bar is not None:
            self.bar.draw("uploading", done_bytes / total_bytes if total_bytes else None)

    def _show(self, progress: JobProgress) -> None:
        if self.bar is None:
            return
        moving = progress.stage == "transcribing"
        left = progress.estimated_time_remaining
        note = f"{progress.progress}%{f', {left} left' if left else ''}" if moving else progress.stage
        self.bar.draw(note, progress.progress / 100 if moving else None)

    def _wait(self) -> None:
        assert self._job_id is not None
        job = self._patient.wait(self._job_id, on_progress=self._show)
        self._stop_if_cancelled()
        if job.status != "completed":
            self._over = True
            raise JobFailed(job.job_id, job.failure_reason or job.status, job.error)

    def _fetched(self) -> Transcript:
        """The transcript with all fields, as its own JSON has them."""
        assert self._job_id is not None
        with self._patient.exports.download(self._job_id, "json") as file:
            text = file.read().decode(errors="replace")
        try:
            return read(text)
        except InvalidOption as error:
            raise UnexpectedReply(200, "application/json", str(error)) from error

    def _stop_if_cancelled(self) -> None:
        if self._cancelled.is_set():
            raise Cancelled

    def _call_off(self) -> None:
        if self._job_id is not None:
            with suppress(WhispercoreError, RuntimeError):  # it may be over by now, or the server gone
                self.place.client.with_options(timeout_s=_FAREWELL_S, retries=0).jobs.cancel(self._job_id)


def _segment(spoken: SpokenSegment) -> Segment:
    return Segment(
        text=spoken.text,
        start_s=spoken.start,
        end_s=spoken.end,
        words=tuple(
            Word(
                text=word.text,
                start_s=word.start,
                end_s=word.end,
                confidence=word.confidence,
                speaker=word.speaker,
            )
            for word in spoken.words
        ),
        confidence=spoken.confidence,
        speaker=spoken.speaker,
        channel=spoken.channel,
        quality=spoken.quality,
        language=spoken.language,
        language_probability=spoken.language_probability,
    )
