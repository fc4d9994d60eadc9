"""What engines declare that they can do, so that nothing is left out without a word."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from attrs import field, frozen, validators

from whispercore.engines.engine import Options, Scalar
from whispercore.errors import InvalidOption
from whispercore.languages import LANGUAGES
from whispercore.transcript import WordTimes

_MOST_NAMED: Final = 5
"""So few languages are listed in an error."""
_DECLARED: Final[Mapping[str, Scalar]] = {
    "words": False,
    "translate": False,
    "prompt": None,
    "temperature": 0.0,
    "temperature_step": 0.2,
    "beam_size": 1,
}
"""The options that an engine follows only where it says so, and what they are if nobody asks for them."""


@frozen(kw_only=True)
class Capabilities:
    """What an engine can do. What it does not declare is refused where somebody asks for it, and never left out."""

    max_window_s: float | None = field(validator=validators.optional(validators.gt(0)))
    """Longest window; None when it takes a whole recording."""
    batch: int = 1
    """Windows that one call decodes at once."""
    slots: int = 1
    """Calls that may run at the same time."""
    words: bool = False
    words_of_translations: bool = False
    """Whether ``translate`` and ``words`` go together."""
    word_times: tuple[WordTimes, ...] = ()
    """How words can get their times; empty where the engine does not tell."""
    translate: bool = False
    prompt: bool = False
    temperature: bool = False
    temperature_step: bool = False
    """Whether ``Options.temperature_step`` is followed; else how often is tried is the engine's own affair."""
    beam_size: bool = False
    short_audio_context: bool = False
    detects_language: bool = False
    languages: frozenset[str] = frozenset(LANGUAGES)
    device: str = "cpu"

    @property
    def options(self) -> tuple[str, ...]:
        """The options that it follows, of those that not every engine can."""
        return tuple(name for name in _DECLARED if getattr(self, name))

    def check(self, options: Options, engine: str, *, conditions: bool = False) -> None:
        """Refuse what the engine would have to leave out. What an option is if nobody asks for it is never refused.

        Args:
            options: What is asked for.
            engine: What it is called in the error.
            conditions: Whether each window is to be prompted with what was said before.

        Raises:
            InvalidOption: It cannot do this.
        """
        for name, usual in _DECLARED.items():
            if getattr(options, name) != usual and not getattr(self, name):
                raise InvalidOption(name, f"the engine {engine} cannot do it")
        if conditions and not self.prompt:
            raise InvalidOption("condition_on_previous_text", f"the engine {engine} takes no prompt")
        if options.words and options.translate and not self.words_of_translations:
            raise InvalidOption("words", f"the engine {engine} cannot do it together with translate")
        if options.language is not None and options.language not in self.languages:
            known = self.languages if len(self.languages) <= _MOST_NAMED else ()
            only = f", only {', '.join(sorted(known))}" if known else ""
            raise InvalidOption("language", f"the engine {engine} does not know {options.language!r}{only}")
        if not self.detects_language:
            self._check_undetected(options, engine)

    def _check_undetected(self, options: Options, engine: str) -> None:
        if options.code_switching:
            raise InvalidOption("code_switching", f"the engine {engine} detects no language")
        allowed = [code for code in options.languages if code in self.languages]
        if options.languages and len(allowed) > 1:
            raise InvalidOption("languages", f"the engine {engine} detects no language; name the one that is spoken")
        if options.language is None and not allowed and len(self.languages) > 1:
            raise InvalidOption("language", f"the engine {engine} detects none, so it has to be named")

    def times_of_words(self, wanted: WordTimes) -> WordTimes | None:
        """How words get their times where this is wanted; None where the engine does not tell."""
        if wanted in self.word_times:
            return wanted
        return self.word_times[0] if self.word_times else None
