"""Which language a recording is in, by its first windows."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Generator, Iterator

from attrs import frozen

from whispercore.engines.engine import DetectedLanguage, Window
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


def likeliest(
    windows: Iterator[Window], held: list[Window], look: Look
) -> Generator[list[Segment], None, DetectedLanguage | None]:
    """Look at windows until the language is clear; None where there was none to look at.

    Args:
        windows: Those of the recording.
        held: Gets what was taken of them.
        look: Gives steps until the language of a window is known.
    """
    best: DetectedLanguage | None = None
    for window in itertools.islice(windows, _MOST_WINDOWS):
        held.append(window)
        found = yield from look(window)
        best = found if best is None or found.probability > best.probability else best
        if best.probability >= _SURE:
            break
    return best
