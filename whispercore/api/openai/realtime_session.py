"""How a realtime session transcribes: the part of OpenAI's ``session`` that speech to text has."""

from __future__ import annotations

from typing import Literal

from attrs import field, frozen

from whispercore.contract.fields import UNSET, Unset, between, length, told

PCM_RATE = 24_000
"""Samples per second, as OpenAI's clients send them."""


@frozen(kw_only=True)
class SoundFormat:
    """What the sound is: always one channel."""

    type: Literal["audio/pcm", "audio/pcmu", "audio/pcma"] = field(
        default="audio/pcm", metadata=told("16-bit samples, the lower byte first; or G.711, μ-law or A-law, at 8 kHz.")
    )
    rate: int | None = field(
        default=None,
        validator=between(8_000, 192_000),
        metadata=told("Samples per second of ``audio/pcm``; 24,000 if left out."),
    )


@frozen(kw_only=True)
class TurnDetection:
    """What ends an utterance: a pause."""

    type: Literal["server_vad"] = "server_vad"
    silence_duration_ms: int = field(
        default=500, validator=between(100, 10_000), metadata=told("Length of the pause that ends it.")
    )
    prefix_padding_ms: int | None = field(
        default=None, validator=between(0, 60_000), metadata=told("Changes nothing: 500 ms are always heard before.")
    )
    threshold: float | None = field(
        default=None, validator=between(0, 1), metadata=told("Probability from which it is a voice; 0.5 if left out.")
    )


@frozen(kw_only=True)
class SemanticTurnDetection:
    """What ends an utterance: a pause too. What was said is not considered."""

    type: Literal["semantic_vad"] = "semantic_vad"
    eagerness: Literal["low", "medium", "high", "auto"] = field(
        default="auto", metadata=told("How long it is: 1.6 s, 0.8 s or 0.4 s; ``auto`` is ``medium``.")
    )


@frozen(kw_only=True)
class TranscriptionConfig:
    """Of what model, in what language."""

    model: str | None = field(
        default=None,
        metadata=told("A name of the model store. ``whisper-1``, or nothing, is the server's default."),
    )
    language: str | None = field(
        default=None, metadata=told("What is spoken: a code or English name; detected if left out.")
    )
    languages: list[str] | None = field(
        default=None,
        validator=length(0, 100),
        metadata=told("Codes or English names of what may be spoken: the only ones that are detected."),
    )
    prompt: str | None = field(default=None, validator=length(0, 4000), metadata=told("Names and words to expect."))
    keywords: list[str] | None = field(default=None, metadata=told("Words to expect, beside the prompt."))


@frozen(kw_only=True)
class NoiseReduction:
    """Taken, and changes nothing."""

    type: Literal["near_field", "far_field"] | None = None
    strength: float | None = None


@frozen(kw_only=True)
class InputChange:
    """What is to be other than it is; what is left out stays."""

    format: SoundFormat | Unset | None = UNSET
    transcription: TranscriptionConfig | Unset | None = UNSET
    turn_detection: TurnDetection | SemanticTurnDetection | Unset | None = field(
        default=UNSET, metadata=told("Null: only ``input_audio_buffer.commit`` ends an utterance.")
    )
    noise_reduction: NoiseReduction | Unset | None = UNSET


@frozen(kw_only=True)
class AudioChange:
    """Of the sound."""

    input: InputChange = field(factory=InputChange)


Included = Literal["item.input_audio_transcription.logprobs"]


@frozen(kw_only=True)
class SessionChange:
    """How to transcribe from here on."""

    type: Literal["transcription"] = "transcription"
    audio: AudioChange = field(factory=AudioChange)
    include: list[Included] | Unset | None = UNSET


@frozen(kw_only=True)
class Input:
    """How the sound is taken."""

    format: SoundFormat = field(factory=lambda: SoundFormat(rate=PCM_RATE))
    transcription: TranscriptionConfig = field(factory=TranscriptionConfig)
    turn_detection: TurnDetection | SemanticTurnDetection | None = field(factory=TurnDetection)
    noise_reduction: NoiseReduction | None = None


@frozen(kw_only=True)
class SessionAudio:
    """Of the sound."""

    input: Input


@frozen(kw_only=True)
class Session:
    """How a session transcribes."""

    id: str
    object: Literal["realtime.transcription_session"] = "realtime.transcription_session"
    type: Literal["transcription"] = "transcription"
    expires_at: int | None
    """When it ends at the latest, in seconds since 1970; null before it has begun."""
    audio: SessionAudio
    include: list[Included] | None = None
