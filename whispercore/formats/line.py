"""A line: text as the formats that are made of lines can carry it."""

from __future__ import annotations

import re
import unicodedata

from whispercore.transcript import Segment

# All that some reader takes for the end of a line is in here: CR, LF, VT, FF, FS to RS, NEL, LS and PS. Spaces that
# typography needs (U+00A0, U+202F, U+3000) are not.
_BREAKS_AND_CONTROLS = re.compile("[\x00-\x20\x7f-\x9f\u2028\u2029]+")
_UNSEEN = frozenset({"Cc", "Cf", "Zl", "Zp", "Zs"})
_SURROGATES = re.compile("[\ud800-\udfff]")


def one_line(text: str) -> str:
    """The text in one line.

    Control characters, line and paragraph separators and spaces become one space where they meet, and white space at
    both ends goes. Everything else stays, save what :func:`encodable` replaces.
    """
    return encodable(_BREAKS_AND_CONTROLS.sub(" ", text)).strip()


def encodable(text: str) -> str:
    """The text with U+FFFD for lone surrogates, which no file can hold.

    They come with names of files and speakers that are not UTF-8.
    """
    return _SURROGATES.sub("\ufffd", text)


def is_seen(text: str) -> bool:
    """Whether there is anything but spaces, controls and characters that show nothing by themselves."""
    return any(unicodedata.category(one) not in _UNSEEN for one in text)


def attributed(segment: Segment) -> str:
    """What was said in one line, after ``NAME: `` where it is known who spoke; empty when nothing was said."""
    text = one_line(segment.text)
    speaker = one_line(segment.speaker or "")
    return f"{speaker}: {text}" if speaker and text else text
