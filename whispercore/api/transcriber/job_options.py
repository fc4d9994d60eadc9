"""How a recording is to be transcribed: the same fields wherever a job is asked for."""

from __future__ import annotations

from typing import Literal, TypedDict

from attrs import field, frozen

from whispercore.audio.vad import DetectorName, Vad
from whispercore.contract.fields import between, header, length, listed, told
from whispercore.hallucinations import Policy
from whispercore.speakers.diarization import MOST_SPEAKERS

Priority = Literal["low", "normal", "high", "urgent"]


@frozen(kw_only=True)
class JobOptions:
    """How to transcribe."""

    model: str | None = field(
        default=None, metadata=told("A name of the model store; the server's default if left out.")
    )
    fallback: list[str] = field(
        factory=list,
        validator=length(0, 5),
        metadata=told("Models that go on, in this order, where one cannot be loaded or its engine is away."),
    )
    language: str | None = field(default=None, metadata=told("A code or English name; detected if left out."))
    languages: list[str] = field(
        factory=list,
        converter=listed,
        validator=length(0, 100),
        metadata=told(
            "Codes or English names, the only ones that are detected; all if left out. One text may have several, with "
            "commas between."
        ),
    )
    code_switching: bool = field(
        default=False,
        metadata=told("Detect the language of each stretch of speech by itself, for recordings in several languages."),
    )
    prompt: str | None = field(default=None, validator=length(0, 4000), metadata=told("Names and words to expect."))
    translate: bool = field(default=False, metadata=told("Write English, whatever is spoken."))
    temperature: float = field(
        default=0.0, validator=between(0, 1), metadata=told("Randomness; 0 takes what is likeliest.")
    )
    temperature_step: float = field(
        default=0.2, validator=between(0, 1), metadata=told("Added for each further attempt.")
    )
    beam_size: int = field(default=1, validator=between(1, 8), metadata=told("Hypotheses to follow at once."))
    words: bool = field(default=False, metadata=told("Give the time of each word."))
    channels: Literal["mix", "separate"] = field(default="mix", metadata=told("Together, or each by itself."))
    diarize: bool = field(
        default=False,
        metadata=told("Tell who says what: each channel is a speaker if they are separate, else by voice."),
    )
    speakers: int | None = field(
        default=None,
        validator=between(1, MOST_SPEAKERS),
        metadata=told("How many people speak, for diarize by voice; found out if left out."),
    )
    keep_damaged: bool = field(default=False, metadata=told("Transcribe what can be read of a damaged recording."))
    vad: bool = field(
        default=True,
        metadata=told("Leave out what is no speech, so that it costs nothing and nothing is invented there."),
    )
    vad_detector: DetectorName = field(
        default="auto", metadata=told("What finds speech: a small model, loudness alone, or the model where it runs.")
    )
    vad_threshold: float = field(
        default=0.5, validator=between(0.05, 0.95), metadata=told("Probability from which sound is speech.")
    )
    vad_min_speech_s: float = field(default=0.1, validator=between(0, 5), metadata=told("Shorter speech is none."))
    vad_min_silence_s: float = field(
        default=1.0, validator=between(0.1, 60), metadata=told("Pauses up to this length stay as they are.")
    )
    vad_pad_s: float = field(
        default=0.3, validator=between(0, 5), metadata=told("Silence that is left on either side of speech.")
    )
    hallucinations: Policy = field(
        default="flag",
        metadata=told("Text that seems made up: told by the verdict of its quality, left out, or not judged."),
    )
    cut_loops: bool = field(
        default=False, metadata=told("Cut phrases that are repeated again and again to their first occurrence.")
    )
    condition_on_previous_text: bool = field(
        default=False,
        metadata=told("Prompt each window with what was said in the one before; they are decoded one after the other."),
    )
    priority: Priority = field(
        default="normal",
        metadata=told(
            "Of your own jobs those of a higher priority go first; before others' each step is a head start."
        ),
    )
    webhook_id: str | None = field(
        default=None, validator=length(1, 100), metadata=told("One of your webhooks, to be told when the job is over.")
    )
    idempotency_key: str | None = field(
        default=None,
        validator=length(1, 255),
        metadata=header(
            "Idempotency-Key", "A name for this request: sent again, it gives the same job and does nothing twice."
        ),
    )


class VadFields(TypedDict):
    """The fields of ``JobOptions`` that say how speech is found."""

    vad: bool
    vad_detector: DetectorName
    vad_threshold: float
    vad_min_speech_s: float
    vad_min_silence_s: float
    vad_pad_s: float


def vad_fields(vad: Vad | bool) -> VadFields:
    """What is asked of the library, as fields of ``JobOptions``."""
    asked = Vad.asked(vad) or Vad()
    return VadFields(
        vad=vad is not False,
        vad_detector=asked.detector,
        vad_threshold=asked.threshold,
        vad_min_speech_s=asked.min_speech_s,
        vad_min_silence_s=asked.min_silence_s,
        vad_pad_s=asked.pad_s,
    )
