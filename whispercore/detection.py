"""Which language a recording is in, by its first windows, or each of its windows by itself."""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator, Iterator, Sequence
from typing import Final

from attrs import evolve, frozen

from whispercore.engines.engine import Control, Decoded, DetectedLanguage, Engine, Options, Window
from whispercore.errors import InvalidOption
from whispercore.spoken import LikelyLanguage
from whispercore.transcript import Segment

Look = Callable[[Window], Generator[list[Segment], None, DetectedLanguage]]

_SURE = 0.5
_MOST_LIKELY: Final = 5
"""Languages of a detection that are told: the others are next to nothing."""
_MOST_WINDOWS = 3
"""When the language of the first window is less likely than ``_SURE`` (music, silence), so many are looked at."""
SWITCHING_WINDOW_S: Final = 10.0
"""The longest window where each is in a language of its own: a change is heard after so much speech at the latest."""


@frozen
class Language:
    """The language of a recording, and how likely that is; None where it was given."""

    code: str
    probability: float | None
    likely: tuple[LikelyLanguage, ...] = ()
    """The likeliest, of which it is the first; empty where it was given."""


def likely_languages(found: DetectedLanguage) -> tuple[LikelyLanguage, ...]:
    """The likeliest languages, the first of which was found."""
    all_of_them = found.probabilities or {found.code: found.probability}
    best = sorted(all_of_them, key=lambda code: (code != found.code, -all_of_them[code]))[:_MOST_LIKELY]
    return tuple(LikelyLanguage(code=code, probability=round(all_of_them[code], 4)) for code in best)


def detectable(allowed: Sequence[str], known: Collection[str]) -> tuple[str, ...]:
    """The languages that may be found: those that are allowed and that the model knows; empty for all.

    Raises:
        InvalidOption: It knows none of them.
    """
    both = tuple(code for code in allowed if code in known)
    if allowed and not both:
        raise InvalidOption("languages", f"this model knows none of {', '.join(allowed)}")
    return both


def likeliest(
    windows: Iterator[Window | None], held: list[Window], look: Look, allowed: Sequence[str]
) -> Generator[list[Segment], None, DetectedLanguage | None]:
    """Look at windows until the language is clear; None where there was none to look at.

    Args:
        windows: Those of the recording; None where there is none yet.
        held: Gets what was taken of them.
        look: Gives steps until the language of a window is known.
        allowed: The codes of languages that it may be; empty for all.
    """
    seen: list[DetectedLanguage] = []
    for window in windows:
        if window is None:
            yield []
            continue
        held.append(window)
        seen.append((yield from look(window)))
        best = combined(seen, allowed)
        if best.probability >= _SURE or len(seen) == _MOST_WINDOWS:
            return best
    return combined(seen, allowed) if seen else None


def combined(seen: Sequence[DetectedLanguage], allowed: Sequence[str]) -> DetectedLanguage:
    """What several windows say together: for each language the mean of its probabilities.

    Of languages that are allowed, they add up to 1; where no window knows any of them, it is the first one.

    Args:
        seen: At least one.
        allowed: Codes; empty for all.
    """
    mean: dict[str, float] = dict.fromkeys(allowed, 0.0)
    for one in seen:
        for code, probability in (one.probabilities or {one.code: one.probability}).items():
            if code in mean or not allowed:
                mean[code] = mean.get(code, 0.0) + probability / len(seen)
    total = sum(mean.values()) if allowed else 1.0
    shares = {name: min(1.0, one / total) if total else 0.0 for name, one in mean.items()}
    code = max(mean, key=lambda name: mean[name])
    return DetectedLanguage(code=code, probability=shares[code], probabilities=shares)


@frozen
class EachWindow:
    """Decodes a window in the language that is spoken in it, and says so in its segments."""

    recording: Language
    """What the first windows are in. One that is not clear is heard together with them."""

    def __call__(self, engine: Engine, window: Window, options: Options, control: Control) -> Decoded:
        """What is heard in the window. Which windows came before does not matter.

        Raises:
            InvalidOption: The engine knows none of the languages that are allowed.
            WhispercoreError: As for ``Engine.decode``.
        """
        language = self._spoken(engine, window, options.languages, control)
        own = evolve(options, language=language.code, languages=(), code_switching=False)
        decoded = engine.decode([window], own, control)[0]
        return evolve(
            decoded,
            segments=tuple(
                evolve(one, language=language.code, language_probability=language.probability)
                for one in decoded.segments
            ),
        )

    def _spoken(self, engine: Engine, window: Window, languages: Sequence[str], control: Control) -> Language:
        recording, can = self.recording, engine.capabilities
        if recording.probability is None or not can.detects_language:
            return recording
        allowed = detectable(languages, can.languages)
        seen = engine.detect_language(window, control)
        found = combined([seen], allowed)
        if found.probability < _SURE:
            whole = DetectedLanguage(code=recording.code, probability=recording.probability)
            found = combined([seen, whole], allowed)
        return Language(found.code, round(found.probability, 4))
