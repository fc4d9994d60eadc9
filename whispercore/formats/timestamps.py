"""Times as subtitles write them: ``HH:MM:SS,mmm`` (SubRip) and ``HH:MM:SS.mmm`` (WebVTT)."""

from __future__ import annotations

import math
import re
from fractions import Fraction
from typing import Literal

from whispercore.errors import InvalidOption

_SURE_MS = 1e12
_NEAR = 0.499
"""Nearer to a whole number than this, below so many milliseconds, no error of the multiplication matters."""
_STAMP = re.compile(r"(?:([0-9]{2,}):)?([0-5][0-9]):([0-5][0-9])[,.]([0-9]{3})")


def milliseconds(seconds: float) -> int:
    """The nearest millisecond, halves up; times before the recording are its beginning.

    Raises:
        ValueError: The time is not finite.
    """
    scaled = seconds * 1000
    if -_SURE_MS < scaled < _SURE_MS:
        nearest = math.floor(scaled + 0.5)
        if abs(scaled - nearest) < _NEAR:
            return max(0, nearest)
    # The decimal that people see is rounded, not the binary number behind it: 1.0005 s are 1001 ms, although
    # 1.0005 * 1000 is a little less than 1000.5.
    exact = Fraction(repr(float(seconds)))
    return max(0, math.floor(exact * 1000 + Fraction(1, 2)))


def stamp(milliseconds: int, mark: Literal[",", "."]) -> str:
    """The time with hours of two digits or more, and the mark before the milliseconds."""
    seconds, ms = divmod(milliseconds, 1000)
    minutes, s = divmod(seconds, 60)
    h, m = divmod(minutes, 60)
    return f"{h:02}:{m:02}:{s:02}{mark}{ms:03}"


def seconds(stamp: str) -> float:
    """The way back, for both marks, and for stamps of WebVTT without hours.

    Raises:
        InvalidOption: This is not a timestamp.
    """
    match = _STAMP.fullmatch(stamp)
    if match is None:
        raise InvalidOption("timestamp", f"{stamp!r} is not of the form HH:MM:SS,mmm or HH:MM:SS.mmm")
    h, m, s, ms = (int(digits or 0) for digits in match.groups())
    return (((h * 60 + m) * 60 + s) * 1000 + ms) / 1000
