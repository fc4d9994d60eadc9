"""Which language a recording is in, by its first windows."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Generator, Iterator, Sequence

from attrs import frozen

from whispercore.engines.engine import DetectedLanguage, Window
from whispercore.errors import InvalidOption
from whispercore.transcript import Segment

Look = Callable[[Window], Generator[list[Segment], None, DetectedLanguage]]

_SURE = 0.5
_MOST_WINDOWS = 3
"""When the language of the first window is less likely than ``_SURE`` (music, silence), so many are looked at."""


@frozen
class Language:
    """The language of a recording, and how likely that is; None where it was given."""

    code: str
    probability: float | None


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
    windows: Iterator[Window], held: list[Window], look: Look, allowed: Sequence[str]
) -> Generator[list[Segment], None, DetectedLanguage | None]:
    """Look at windows until the language is clear; None where there was none to look at.

    Args:
        windows: Those of the recording.
        held: Gets what was taken of them.
        look: Gives steps until the language of a window is known.
        allowed: The codes of languages that it may be; empty for all.
    """
    seen: list[DetectedLanguage] = []
    for window in itertools.islice(windows, _MOST_WINDOWS):
        held.append(window)
        seen.append((yield from look(window)))
        best = combined(seen, allowed)
        if best.probability >= _SURE:
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
    code = max(mean, key=lambda name: mean[name])
    return DetectedLanguage(code=code, probability=min(1.0, mean[code] / total) if total else 0.0)
