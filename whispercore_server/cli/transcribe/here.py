"""Transcribing on this machine."""

from __future__ import annotations

from pathlib import Path

from attrs import frozen

import whispercore
from whispercore.models.store import ModelStore
from whispercore.settings import Settings
from whispercore.transcription import Transcription
from whispercore_server.cli.bars import Bar, download_bar
from whispercore_server.cli.terminal import Screen
from whispercore_server.cli.transcribe.inputs import Pipe, Recording
from whispercore_server.cli.transcribe.speech import Speech


@frozen(kw_only=True)
class Here:
    """This machine."""

    speech: Speech
    threads: int | None
    settings: Settings
    looks_first: bool = False

    def prepare(self, screen: Screen) -> None:
        """Have the models here, and checked, before several threads ask for it.

        Raises:
            ModelError: One cannot be had.
        """
        for model in (self.speech.model or self.settings.default_model, *self.speech.fallback):
            with download_bar(model, screen.console) as on_progress:
                ModelStore(self.settings).get(model, on_progress=on_progress)

    def start(self, recording: Recording, audio: Path | Pipe, bar: Bar | None) -> Transcription:
        """A transcription that has not begun.

        Raises:
            InvalidOption: An option makes no sense.
        """
        del recording
        speech = self.speech
        return whispercore.stream(
            audio,
            model=speech.model,
            fallback=speech.fallback,
            language=speech.language,
            languages=speech.languages or (),
            code_switching=speech.code_switching,
            translate=speech.translate,
            prompt=speech.prompt,
            temperature=speech.temperature,
            beam_size=speech.beam_size,
            words=speech.words,
            threads=self.threads,
            channels=speech.channels,
            diarize=speech.diarize,
            speakers=speech.speakers,
            keep_damaged=speech.keep_damaged,
            vad=speech.vad if speech.vad is not None else False,
            hallucinations=speech.hallucinations,
            cut_loops=speech.cut_loops,
            condition_on_previous_text=speech.condition_on_previous_text,
            settings=self.settings,
            on_progress=bar.show if bar else None,
        )
