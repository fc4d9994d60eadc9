"""What a caller wants of a recording, and the job that brings it forth."""

from __future__ import annotations

from attrs import evolve, frozen

from whispercore.api.openai.audio import CreateTranscription, CreateTranslation, ResponseFormat
from whispercore.audio.vad import Vad
from whispercore.errors import InvalidRequest
from whispercore.hallucinations import Hallucinations
from whispercore.tasks.options import TranscribeOptions

_ASYNC = "respond-async"


@frozen(kw_only=True)
class Wish:
    """What the answer is made of.

    Raises:
        InvalidRequest: What was asked for does not go together.
    """

    response_format: ResponseFormat
    words: bool = False
    """Whether ``verbose_json`` has the times of words."""
    segments: bool = True
    """Whether it has those of segments."""
    logprobs: bool = False
    stream: bool = False

    @classmethod
    def of(cls, request: CreateTranscription | CreateTranslation) -> Wish:
        """The wish of a request."""
        if isinstance(request, CreateTranslation):
            return cls(response_format=request.response_format)
        times = request.timestamp_granularities
        if times and request.response_format != "verbose_json":
            raise InvalidRequest.one("timestamp_granularities[]", "it needs the response_format verbose_json")
        if request.include and request.response_format != "json":
            raise InvalidRequest.one("include[]", "logprobs need the response_format json")
        if request.stream and request.response_format not in ("json", "text", "diarized_json"):
            raise InvalidRequest.one("stream", f"events are no {request.response_format}; leave one of the two out")
        if request.known_speaker_names or request.known_speaker_references:
            raise InvalidRequest.one("known_speaker_names[]", "voices are not known from samples here")
        if request.language is not None and set(request.languages) - {request.language}:
            raise InvalidRequest.one("languages[]", "others than the language can be given only where that is detected")
        return cls(
            response_format=request.response_format,
            words="word" in times,
            segments="segment" in times or not times,
            logprobs="logprobs" in request.include,
            stream=request.stream,
        )

    @classmethod
    def of_kept(cls, response_format: ResponseFormat, options: TranscribeOptions) -> Wish:
        """The wish of somebody who asks for what a job that was kept has brought forth."""
        return cls(response_format=response_format, words=options.words)

    def field(self, option: str) -> str:
        """The field of the request by which an option of ours was asked for."""
        match option:
            case "words":
                return "include[]" if self.logprobs else "timestamp_granularities[]"
            case "languages":
                return "languages[]"
            case "diarize":
                return "response_format"
            case "translate":
                return "model"
        return option

    def options(self, request: CreateTranscription | CreateTranslation, model: str) -> TranscribeOptions:
        """How the recording is to be transcribed for it.

        Raises:
            InvalidOption: A value is out of range.
        """
        language, languages, keywords, code_switching = None, list[str](), list[str](), False
        if isinstance(request, CreateTranscription):
            language, keywords, code_switching = request.language, request.keywords, request.code_switching
            languages = request.languages if language is None else []
        options = TranscribeOptions(
            model=model,
            language=language,
            languages=tuple(languages),
            code_switching=code_switching,
            translate=isinstance(request, CreateTranslation),
            prompt=", ".join(filter(None, [request.prompt, *keywords])) or None,
            temperature=request.temperature,
            hallucinations=Hallucinations(
                policy=request.hallucinations,
                cut_loops=request.cut_loops,
                condition_on_previous_text=request.condition_on_previous_text,
            ),
            words=self.words or self.logprobs,
            word_times=None if self.words else "tokens",  # probabilities have no use for alignment
            diarize=self.response_format == "diarized_json",
        )
        vad = _vad(request) if isinstance(request, CreateTranscription) else None
        return options if vad is None else evolve(options, vad=vad)


def waits(request: CreateTranscription | CreateTranslation) -> bool:
    """Whether the caller waits for the answer, and does not prefer a job."""
    preferred = (request.prefer or "").split(",")
    return all(one.partition(";")[0].strip().lower() != _ASYNC for one in preferred)


def _vad(request: CreateTranscription) -> Vad | None:
    """How speech is to be found, if the request says so; as near as ours comes to it."""
    threshold, prefix_ms, silence_ms = (
        request.chunking_threshold,
        request.chunking_prefix_ms,
        request.chunking_silence_ms,
    )
    if request.chunking_type is None and (threshold, prefix_ms, silence_ms) == (None, None, None):
        return None
    usual = Vad()
    silence_s = usual.min_silence_s if silence_ms is None else min(max(silence_ms / 1000, 0.1), 60.0)
    pad_s = usual.pad_s if prefix_ms is None else min(prefix_ms / 1000, 5.0)
    return Vad(
        threshold=usual.threshold if threshold is None else min(max(threshold, 0.05), 0.95),
        min_silence_s=silence_s,
        pad_s=min(pad_s, silence_s),
    )
