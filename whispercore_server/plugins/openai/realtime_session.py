"""How a realtime session transcribes, and the sessions of ours that do it."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from attrs import evolve, frozen

from whispercore.api.openai.realtime_session import (
    PCM_RATE,
    AudioChange,
    Included,
    Input,
    InputChange,
    SemanticTurnDetection,
    SessionChange,
    SoundFormat,
    TranscriptionConfig,
    TurnDetection,
)
from whispercore.contract.fields import Unset
from whispercore.errors import InvalidOption, InvalidRequest
from whispercore.live.g711 import G711
from whispercore.live.sound import Pcm16, Sound
from whispercore.live.utterances import Pauses
from whispercore.tasks.options import TranscribeOptions
from whispercore_server.live_sessions import NewSession
from whispercore_server.plugins.openai.models import model_of
from whispercore_server.ports import Ports

_TRANSCRIPTION: Final = "session.audio.input.transcription"
_FIELDS: Final = MappingProxyType({"words": "session.include"})
"""Where options are asked for that are not in the transcription."""
_PAUSE_S: Final = {"low": 1.6, "medium": 0.8, "high": 0.4, "auto": 0.8}
"""By which an utterance ends, for who asks how eager to be."""


@frozen(kw_only=True)
class Wanted:
    """How to transcribe. Make it with ``first``."""

    input: Input
    include: list[Included] | None = None
    options: TranscribeOptions
    """The same for our own sessions; its model can be used here."""

    @classmethod
    async def first(cls, model: str | None, ports: Ports, laid_down: SessionChange | None = None) -> Wanted:
        """As long as nobody asks for something else.

        Args:
            model: The name that was given with the connection; it counts more than what was laid down.
            ports: Know the models.
            laid_down: By who made the client secret that the connection comes with.

        Raises:
            InvalidRequest: What was laid down cannot be done.
            NotFound: No model has this name.
            ModelNotAvailable: It is known, but not on this machine, and may not be fetched.
        """
        if laid_down is not None:
            usual = await cls.first(None, ports)
            wanted = await usual.changed(laid_down, ports)
            if model is None:
                return wanted
            transcription = evolve(wanted.input.transcription, model=model)
            change = SessionChange(audio=AudioChange(input=InputChange(transcription=transcription)))
            return await wanted.changed(change, ports)
        input_ = Input(transcription=TranscriptionConfig(model=model))
        return cls(input=input_, options=await _options(input_.transcription, ports, words=False))

    async def changed(self, change: SessionChange, ports: Ports) -> Wanted:
        """With what a client asks for; what he leaves out stays.

        Raises:
            InvalidRequest: It cannot be done.
            InvalidOption: A value is out of range.
            NotFound: No model has this name.
            ModelNotAvailable: It is known, but not on this machine, and may not be fetched.
        """
        asked, now = change.audio.input, self.input
        transcription = now.transcription
        if not isinstance(asked.transcription, Unset):
            transcription = asked.transcription or TranscriptionConfig()
        include = self.include if isinstance(change.include, Unset) else change.include
        return Wanted(
            input=Input(
                format=now.format if isinstance(asked.format, Unset) else _format(asked.format),
                transcription=transcription,
                turn_detection=now.turn_detection if isinstance(asked.turn_detection, Unset) else asked.turn_detection,
                noise_reduction=(
                    now.noise_reduction if isinstance(asked.noise_reduction, Unset) else asked.noise_reduction
                ),
            ),
            include=include,
            options=await _options(transcription, ports, words=bool(include)),
        )

    def new(self) -> NewSession:
        """A session of ours that does it."""
        new = NewSession(options=self.options, sound=_sound(self.input.format), pauses=None)
        match self.input.turn_detection:
            case TurnDetection(silence_duration_ms=end_ms, threshold=threshold):
                new = evolve(new, pauses=_pauses(end_ms / 1000))
                return new if threshold is None else evolve(new, threshold=threshold)
            case SemanticTurnDetection(eagerness=eagerness):
                return evolve(new, pauses=_pauses(_PAUSE_S[eagerness]))
        return new


def _pauses(end_s: float) -> Pauses:
    usual = Pauses()
    return evolve(usual, end_s=end_s, hurried_end_s=min(end_s, usual.hurried_end_s))


def _format(asked: SoundFormat | None) -> SoundFormat:
    given = asked if asked is not None else SoundFormat()
    if given.type == "audio/pcm":
        return evolve(given, rate=given.rate or PCM_RATE)
    if given.rate is not None:
        raise InvalidRequest.one("session.audio.input.format.rate", "only audio/pcm has another rate than 8,000")
    return given


def _sound(of: SoundFormat) -> Sound:
    if of.type == "audio/pcm":
        return Pcm16(of.rate or PCM_RATE)
    return G711("mu" if of.type == "audio/pcmu" else "a")


async def _options(asked: TranscriptionConfig, ports: Ports, *, words: bool) -> TranscribeOptions:
    languages = asked.languages or []
    if asked.language is not None and set(languages) - {asked.language}:
        raise InvalidRequest.one(
            f"{_TRANSCRIPTION}.languages",
            "others than the language can be given only where that is detected",
        )
    options = TranscribeOptions(
        model=await model_of(asked.model, ports),
        language=asked.language,
        languages=() if asked.language is not None else tuple(languages),
        prompt=", ".join(filter(None, [asked.prompt, *(asked.keywords or ())])) or None,
        words=words,
        lane="interactive",
    )
    try:
        await ports.submissions.check(options)
    except InvalidOption as error:
        raise InvalidRequest.one(_FIELDS.get(error.option, f"{_TRANSCRIPTION}.{error.option}"), error.reason) from error
    return options
