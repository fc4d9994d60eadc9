"""One text in the forms in which an attack would be read: decoded, in lower case, without disguise.

Every step takes time in proportion to the length of the text.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache, cached_property
from typing import Final
from urllib.parse import unquote

from attrs import frozen

_ROUNDS: Final = 2
"""Text that was encoded twice is decoded twice."""
_UNICODE_PERCENT: Final = re.compile(r"%u00([0-9a-f]{2})", re.IGNORECASE)
_ESCAPE: Final = re.compile(r"\\(?:u00|x)([0-7][0-9a-f])", re.IGNORECASE)
_ENTITY: Final = re.compile(r"&(?:#0{0,20}([0-9]{1,7})|#x0{0,20}([0-9a-f]{1,6})|([a-z]{2,10}));?", re.IGNORECASE)
_NAMED: Final = {
    "lt": "<",
    "gt": ">",
    "quot": '"',
    "apos": "'",
    "amp": "&",
    "lpar": "(",
    "rpar": ")",
    "lbrace": "{",
    "rbrace": "}",
    "colon": ":",
    "semi": ";",
    "sol": "/",
    "bsol": "\\",
    "equals": "=",
    "grave": "`",
    "tab": "\t",
    "newline": "\n",
    "nbsp": " ",
}
"""Entities that hide what attacks are written with."""
_BREAKS: Final = dict.fromkeys(map(ord, "\t\r\n"), "")
_SPACES: Final = re.compile(r"\s+")
_TWIN_RANGES: Final = ((0xA0, 0x24F), (0x2000, 0x2BFF), (0x3000, 0x303F), (0xFB00, 0xFFEF), (0x1D400, 0x1D7FF))
"""Blocks with characters that stand for ASCII ones."""
_INVISIBLE: Final = frozenset(
    number
    for first, last in (
        (0x00, 0x08),
        (0x0E, 0x1F),
        (0x7F, 0x7F),
        (0xAD, 0xAD),
        (0x034F, 0x034F),
        (0x061C, 0x061C),
        (0x200B, 0x200F),
        (0x202A, 0x202E),
        (0x2060, 0x206F),
        (0xFE00, 0xFE0F),
        (0xFEFF, 0xFEFF),
    )
    for number in range(first, last + 1)
)
"""Control characters, joiners, marks of direction, selectors of variants."""
_COMMENT: Final = re.compile(r"/\*!?[0-9]{0,6}|\*/")
_BLANK_COMMENT: Final = re.compile(r"/\*[^*/]{0,40}\*/")
_SHELL_BLANK: Final = re.compile(r"\$\{?IFS\}?(?:\$[0-9])?")
_SHELL_NOISE: Final = str.maketrans(dict.fromkeys("'\"\\^", ""))


@frozen(slots=False)
class Forms:
    """A text and what it may stand for."""

    raw: str
    """As it was sent."""

    @cached_property
    def cased(self) -> str:
        """Decoded, with one space, or one line break, for all white space in a row."""
        text = decoded(self.raw).translate(_twins())
        return _SPACES.sub(lambda found: "\n" if "\n" in found[0] else " ", text)

    @cached_property
    def plain(self) -> str:
        """The same in lower case."""
        return self.cased.lower()

    @cached_property
    def unbroken(self) -> str:
        """As a browser reads an address: without tabs and line breaks."""
        return decoded(self.raw).translate(_BREAKS).translate(_twins()).lower().strip()

    @cached_property
    def packed(self) -> str:
        """Without any white space: browsers do not mind it in the middle of a scheme."""
        return self.plain.replace(" ", "").replace("\n", "")

    @cached_property
    def sql(self) -> str:
        """As a database reads it: a comment is a space, and so is a plus sign that a form left behind."""
        return _SPACES.sub(" ", _COMMENT.sub(" ", self.plain).replace("+", " ")).strip()

    @cached_property
    def sql_joined(self) -> str:
        """The same for those who drop comments altogether."""
        return _SPACES.sub(" ", _BLANK_COMMENT.sub("", self.plain)).strip()

    @cached_property
    def shell(self) -> str:
        """As a shell reads it: quotes within words are gone."""
        return _SHELL_BLANK.sub(" ", self.cased).translate(_SHELL_NOISE)


def decoded(text: str) -> str:
    """Without percent signs, entities and escapes that stand for other characters."""
    for _ in range(_ROUNDS):
        before = text
        if "%" in text:
            text = unquote(_UNICODE_PERCENT.sub(_of_hexadecimal, text), errors="replace")
        if "&" in text:
            text = _ENTITY.sub(_of_entity, text)
        if text == before:
            break
    return _ESCAPE.sub(_of_hexadecimal, text) if "\\" in text else text


def _of_hexadecimal(found: re.Match[str]) -> str:
    return chr(int(found[1], 16))


def _of_entity(found: re.Match[str]) -> str:
    decimal, hexadecimal, name = found.groups()
    if name:
        return _NAMED.get(name.lower(), found[0])
    number = int(decimal) if decimal else int(hexadecimal, 16)
    return chr(number) if 0 < number < 0xD800 else found[0]


@cache
def _twins() -> dict[int, str]:
    """Each character that stands for ASCII ones (full width, mathematical, ligatures), and what can be seen of none.

    Not ``unicodedata.normalize`` on the text: its time grows with the square of a row of accents.
    """
    made: dict[int, str] = dict.fromkeys(_INVISIBLE, "")
    for first, last in _TWIN_RANGES:
        for number in range(first, last + 1):
            twin = unicodedata.normalize("NFKC", chr(number))
            if number not in made and twin.isascii():
                made[number] = twin
    return made
