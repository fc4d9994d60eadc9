"""How a recording is to be transcribed: the same fields wherever a job is asked for."""

from __future__ import annotations

from typing import Literal

from attrs import field, frozen

from whispercore.contract.fields import between, header, length, told
from whispercore.speakers.diarization import MOST_SPEAKERS

Priority = Literal["low", "normal", "high", "urgent"]


@frozen(kw_only=True)
class JobOptions:
    """How to transcribe."""

    model: str | None = field(
        default=None, metadata=told("A name of the model store; the server's default if left out.")
    )
    language: str | None = field(default=None, metadata=told("A code or English name; detected if left out."))
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
    priority: Priority = field(
        default="normal", metadata=told("Jobs of a higher priority go first, whoever's they are.")
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
