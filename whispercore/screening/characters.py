"""Characters that no keyboard makes, and line breaks that would forge headers."""

from __future__ import annotations

import re
from typing import Final

from whispercore.screening.forms import Forms
from whispercore.screening.rule import CHARACTERS, Subject, TextRule

_NULL: Final = re.compile(r"\0|%(?:25){0,2}00|\\x00|\\u0000", re.IGNORECASE)
_NULL_IN_PATH: Final = re.compile(r"\.[a-z0-9]{1,8}(?:\0|%(?:25){0,2}00|\\x00)|(?:\0|%(?:25){0,2}00)\.", re.IGNORECASE)
_CONTROL: Final = re.compile(r"[\x01-\x08\x0e-\x1f\x7f]")
_HEADER: Final = re.compile(
    r"(?:\r|\n|%(?:25)?0[ad]|嘊|嘍|%e5%98%8[ad])\s{0,4}"
    r"(?:set-cookie|location|content-(?:type|length|disposition)|transfer-encoding|x-[a-z-]{3,30}|http/1\.[01])"
    r"\s?:?\s?\S",
    re.IGNORECASE,
)
_ENCODED_BREAK: Final = re.compile(r"%(?:25)?0[ad]|%e5%98%8[ad]|嘊|嘍", re.IGNORECASE)
_OVERRIDES: Final = ("\u202d", "\u202e")


def _null(forms: Forms, subject: Subject) -> bool:
    if "\0" in forms.raw:
        return True
    found = _NULL if subject == "name" else _NULL_IN_PATH
    return found.search(forms.raw) is not None


def _control(forms: Forms, _: Subject) -> bool:
    return _CONTROL.search(forms.raw) is not None


def _header(forms: Forms, _: Subject) -> bool:
    return _ENCODED_BREAK.search(forms.raw) is not None and _HEADER.search(forms.raw) is not None


def _turned(forms: Forms, subject: Subject) -> bool:
    """``gpj.exe`` that is shown as ``exe.jpg``; in a text it is somebody's way of writing."""
    return subject == "name" and any(one in forms.raw for one in _OVERRIDES)


RULES: Final = (
    TextRule("null_byte", "Null byte detected", 8, _null),
    TextRule("control_character", CHARACTERS, 6, _control),
    TextRule("header_line", CHARACTERS, 7, _header),
    TextRule("turned_name", CHARACTERS, 6, _turned),
)
