"""What a transcription job was asked for, as it is frozen in its row."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

from attrs import field, frozen, validators

from whispercore.audio.messages import Channels
from whispercore.audio.recording import known_channels
from whispercore.audio.vad import Vad
from whispercore.engines.engine import Options, language_codes
from whispercore.engines.shared import LANES, Lane
from whispercore.errors import InvalidOption
from whispercore.hallucinations import Hallucinations
from whispercore.speakers.diarization import DEFAULT, Diarization
from whispercore.transcript import WordTimes

if TYPE_CHECKING:
    from cattrs.preconf.orjson import OrjsonConverter

VERSION = 1
"""Of the JSON that ``dump`` writes."""
_MODEL = re.compile(
    r"openai:[A-Za-z0-9][A-Za-z0-9._/:-]{0,99}|([a-z][a-z0-9-]{1,49}:)?[A-Za-z0-9][A-Za-z0-9._-]{0,99}(?<!\.bin)"
)


def _model(_: object, __: object, value: str) -> None:
    """A name of the store, and never a path: that would hand any file of the server to a parser."""
    if _MODEL.fullmatch(value) is None:
        raise InvalidOption("model", f"{value[:100]!r} is not the name of a model")


def _models(_: object, __: object, value: tuple[str, ...]) -> None:
    for name in value:
        if _MODEL.fullmatch(name) is None:
            raise InvalidOption("fallback", f"{name[:100]!r} is not the name of a model")


@frozen(kw_only=True)
class TranscribeOptions:
    """The options of a job of the kind ``transcribe``. All is checked when they are made.

    Raises:
        InvalidOption: A value is out of range.
    """

    model: str = field(validator=_model)
    """A name of the model store, or ``ENGINE:NAME``."""
    fallback: tuple[str, ...] = field(default=(), validator=_models)
    """Models that go on, in this order, where one cannot be loaded or its engine is away."""
    language: str | None = None
    """Code or English name; None to detect it."""
    languages: tuple[str, ...] = field(default=(), converter=language_codes)
    """Codes or English names, the only ones that are detected; empty for all."""
    code_switching: bool = False
    """Detect the language of each window by itself."""
    translate: bool = False
    prompt: str | None = None
    temperature: float = 0.0
    temperature_step: float = 0.2
    beam_size: int = 1
    words: bool = False
    word_times: WordTimes | None = None
    """How words get their times; None as the settings say."""
    channels: Channels = field(default="mix", validator=known_channels)
    diarize: bool = False
    """Tell who says what: each channel is a speaker where they are separate, else voices are told apart."""
    speakers: int | None = None
    """How many people speak, for voices; None to find out."""
    diarizer: str = DEFAULT
    keep_damaged: bool = False
    """Complete the job with what can be read of a truncated or damaged recording, in place of failing it."""
    vad: Vad | None = field(factory=Vad)
    """How speech is found; None to transcribe all."""
    hallucinations: Hallucinations = field(factory=Hallucinations)
    """What is done with text that was made up."""
    engine: str | None = None
    """None for the one that the model is for."""
    url: str | None = field(default=None, repr=False)
    """Where the recording is to be fetched from, when it did not come with the job. It may have a secret in it."""
    traceparent: str | None = None
    """The trace of the request that asked for it (W3C Trace Context)."""
    webhook_id: str | None = None
    """One of the owner's webhooks, which is told when the job is over."""
    lane: Lane = field(default="batch", validator=validators.in_(LANES))
    """``interactive`` goes before ``batch`` in the engine's queue: for those who wait for the answer."""

    def __attrs_post_init__(self) -> None:
        _ = self.decoding, self.diarization

    @property
    def decoding(self) -> Options:
        """What the engine is asked for."""
        return Options(
            language=self.language,
            languages=self.languages,
            code_switching=self.code_switching,
            translate=self.translate,
            prompt=self.prompt,
            temperature=self.temperature,
            temperature_step=self.temperature_step,
            beam_size=self.beam_size,
            words=self.words,
        )

    @property
    def diarization(self) -> Diarization | None:
        """How speakers are told apart; None where nobody asks."""
        return Diarization.asked(
            diarize=self.diarize, speakers=self.speakers, channels=self.channels, diarizer=self.diarizer
        )

    def dump(self) -> str:
        """JSON of version ``VERSION``."""
        return _converter().dumps(self).decode()

    @classmethod
    def load(cls, text: str, version: int = VERSION) -> TranscribeOptions:
        """What ``dump`` wrote.

        Raises:
            InvalidOption: It is of a version that is not known here, or no options at all.
        """
        import orjson  # noqa: PLC0415 (only workers pay for it)
        from cattrs import BaseValidationError, transform_error  # noqa: PLC0415 (as above)

        if version != VERSION:
            raise InvalidOption("options", f"version {version} is not known to this worker, which knows {VERSION}")
        try:
            document = orjson.loads(text)
            if not isinstance(document, dict):
                raise InvalidOption("options", "they are no JSON object")
            return _converter().structure(document, cls)
        except orjson.JSONDecodeError as error:
            raise InvalidOption("options", str(error)) from error
        except BaseValidationError as error:
            raise InvalidOption("options", "; ".join(transform_error(error))) from error


@cache
def _converter() -> OrjsonConverter:
    from cattrs.preconf.orjson import make_converter  # noqa: PLC0415 (as above)

    return make_converter(forbid_extra_keys=True)
