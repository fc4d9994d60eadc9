"""JSON with the names that OpenAI's ``verbose_json`` has, for programs that read that.

What only its server knows of its decoder (tokens, temperature) is not in it; what our engines do not tell is null.
"""

from __future__ import annotations

from typing import NotRequired, TypedDict

from whispercore.formats.line import encodable
from whispercore.formats.options import NoOptions
from whispercore.languages import LANGUAGES
from whispercore.transcript import Segment, Transcript, Word


class _Word(TypedDict):
    word: str
    start: float
    end: float
    confidence: float | None


class _Segment(TypedDict):
    id: int
    start: float
    end: float
    text: str
    avg_logprob: float | None
    compression_ratio: float | None
    no_speech_prob: float | None
    confidence: float | None
    speaker: str | None
    channel: int | None
    language: NotRequired[str]


class _Language(TypedDict):
    language: str
    share: float


class _Document(TypedDict):
    task: str
    language: str
    duration: float
    text: str
    segments: list[_Segment]
    languages: NotRequired[list[_Language]]
    words: NotRequired[list[_Word]]


def write(transcript: Transcript, options: NoOptions) -> str:
    """Language by its English name, duration, text, segments and, where they are known, words and languages.

    Lone surrogates become U+FFFD. A time that is not finite is null, as JSON has no other way.
    """
    import orjson  # noqa: PLC0415 (who only lists formats does not pay for it)

    del options
    document: _Document = {
        "task": "transcribe",
        "language": _named(transcript.language),
        "duration": transcript.duration_s,
        "text": encodable(transcript.text),
        "segments": [_segment(number, one) for number, one in enumerate(transcript.segments)],
    }
    if transcript.languages:
        document["languages"] = [{"language": _named(one.code), "share": one.share} for one in transcript.languages]
    if transcript.words:
        document["words"] = [_word(word) for word in transcript.words]
    return orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE).decode()


def _named(code: str) -> str:
    return LANGUAGES.get(code, encodable(code))


def _segment(number: int, segment: Segment) -> _Segment:
    quality = segment.quality
    written: _Segment = {
        "id": number,
        "start": segment.start_s,
        "end": segment.end_s,
        "text": encodable(segment.text),
        "avg_logprob": quality.avg_logprob if quality is not None else None,
        "compression_ratio": quality.compression_ratio if quality is not None else None,
        "no_speech_prob": quality.no_speech_prob if quality is not None else None,
        "confidence": segment.confidence,
        "speaker": None if segment.speaker is None else encodable(segment.speaker),
        "channel": segment.channel,
    }
    if segment.language is not None:
        written["language"] = _named(segment.language)
    return written


def _word(word: Word) -> _Word:
    return {
        "word": encodable(word.text),
        "start": word.start_s,
        "end": word.end_s,
        "confidence": word.confidence,
    }
