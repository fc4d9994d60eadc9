"""Transcripts as OpenAI's API has them: whole, and as the events of a stream."""

from __future__ import annotations

from typing import Literal

from attrs import field, frozen

from whispercore.quality import Verdict
from whispercore.spoken import LikelyLanguage


@frozen(kw_only=True)
class Usage:
    """What was done, for those who pay for it elsewhere."""

    type: Literal["duration"] = "duration"
    seconds: float
    """Length of the recording."""


@frozen(kw_only=True)
class Logprob:
    """How likely a word is."""

    token: str
    """The word, with the space before it: all of them together are the text."""
    bytes: list[int]
    """The same in UTF-8."""
    logprob: float
    """Natural logarithm of the mean probability of the tokens that the word is made of."""


@frozen(kw_only=True)
class Transcription:
    """The text (``json``)."""

    text: str
    logprobs: list[Logprob] | None = None
    """Null unless ``include[]`` asks for them."""
    usage: Usage


@frozen(kw_only=True)
class TranscriptionWord:
    """A word; times in seconds from the beginning."""

    word: str
    start: float
    end: float


@frozen(kw_only=True)
class TranscriptionSegment:
    """A phrase; times in seconds from the beginning."""

    id: int
    seek: int
    """Where it begins, in hundredths of a second."""
    start: float
    end: float
    text: str
    tokens: list[int] = field(factory=list)
    """Empty: engines do not tell the numbers of their tokens."""
    temperature: float
    """That of the first attempt, as it was asked for."""
    avg_logprob: float | None
    """Mean of the natural logarithms of its tokens' probabilities; null where the engine does not tell."""
    compression_ratio: float | None
    """Bytes of its text for each byte of it compressed."""
    no_speech_prob: float | None
    """Probability that nobody speaks there; null where the engine does not tell."""
    verdict: Verdict | None = None
    """How far its text can be believed; null where the engine does not tell, and with ``hallucinations=keep``."""
    language: str | None = None
    """English name of what is spoken in it; null unless ``code_switching`` was asked for."""


@frozen(kw_only=True)
class VerboseTranscription:
    """The text with its times (``verbose_json``)."""

    task: Literal["transcribe", "translate"]
    language: str
    """Its English name."""
    likely_languages: list[LikelyLanguage] | None = None
    """What was heard when it was detected: up to five, the likeliest first; null where it was given."""
    duration: float
    """Seconds of the recording."""
    text: str
    no_speech: bool
    """Whether nobody speaks."""
    words: list[TranscriptionWord] | None = None
    """Null unless ``timestamp_granularities[]`` asks for them."""
    segments: list[TranscriptionSegment] | None = None
    """Null where ``timestamp_granularities[]`` asks for words only."""
    usage: Usage


@frozen(kw_only=True)
class TextSegment:
    """What one person says, in a whole transcript and as an event; times in seconds from the beginning."""

    type: Literal["transcript.text.segment"] = "transcript.text.segment"
    id: str
    start: float
    end: float
    text: str
    speaker: str
    """``A`` for who speaks first, ``B`` for the next new voice, and so on; ``unknown`` where no voice was heard."""


@frozen(kw_only=True)
class DiarizedTranscription:
    """The text by speaker (``diarized_json``)."""

    task: Literal["transcribe"] = "transcribe"
    duration: float
    """Seconds of the recording."""
    text: str
    segments: list[TextSegment]
    usage: Usage


@frozen(kw_only=True)
class TextDelta:
    """More text."""

    type: Literal["transcript.text.delta"] = "transcript.text.delta"
    delta: str
    """All of them together are the whole text."""
    logprobs: list[Logprob] | None = None
    """Null unless ``include[]`` asks for them."""
    segment_id: str | None = None
    """The segment that it is of, where speakers are told apart."""


@frozen(kw_only=True)
class TextDone:
    """The whole text; nothing follows."""

    type: Literal["transcript.text.done"] = "transcript.text.done"
    text: str
    logprobs: list[Logprob] | None = None
    """Null unless ``include[]`` asks for them."""


@frozen(kw_only=True)
class TranscriptionJob:
    """A job that was kept, and is not over."""

    id: str
    object: Literal["audio.transcription.job"] = "audio.transcription.job"
    status: Literal["queued", "in_progress"]
    progress: float
    """0 to 1."""
    created_at: int
    """In seconds since 1970."""
