"""How letters are written in the index of the search, where SQLite's tokenizer does not see that two are the same.

The tokenizer ``unicode61`` folds case everywhere and drops the diacritics of Latin letters. It keeps those of Greek,
the vowel points of Arabic and Hebrew, letters that have no decomposition (``đ``, ``ß``), and takes a whole run of
Chinese, Japanese or Thai for one word. Here the former get a plain letter, and in scripts that are written without
spaces each character becomes a word of its own, so that a phrase of them finds any part of a run.

The triggers of the database do the same in SQL, from the table ``search_letters`` that ``LETTERS`` fills.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Final

from attrs import frozen

_LATIN: Final = {
    "đ": "d",
    "ð": "d",
    "ħ": "h",
    "\N{LATIN SMALL LETTER DOTLESS I}": "i",
    "ł": "l",
    "ø": "o",
    "ŧ": "t",
    "ß": "ss",
    "æ": "ae",
    "œ": "oe",
    "þ": "th",
    "\N{LATIN SMALL LETTER LONG S}": "s",
    "\u00ad": "",  # a soft hyphen
}
_ALEF: Final = "\N{ARABIC LETTER ALEF}"
_OTHERS: Final = {
    "ς": "\N{GREEK SMALL LETTER SIGMA}",
    "ё": "\N{CYRILLIC SMALL LETTER IE}",
    # As in Lucene's normalization of Arabic and Persian.
    "\N{ARABIC LETTER ALEF WITH MADDA ABOVE}": _ALEF,
    "\N{ARABIC LETTER ALEF WITH HAMZA ABOVE}": _ALEF,
    "\N{ARABIC LETTER ALEF WITH HAMZA BELOW}": _ALEF,
    "\N{ARABIC LETTER ALEF WASLA}": _ALEF,
    "\N{ARABIC LETTER TEH MARBUTA}": "\N{ARABIC LETTER HEH}",
    "\N{ARABIC LETTER ALEF MAKSURA}": "\N{ARABIC LETTER YEH}",
    "\N{ARABIC LETTER FARSI YEH}": "\N{ARABIC LETTER YEH}",
    "\N{ARABIC LETTER KEHEH}": "\N{ARABIC LETTER KAF}",
    "\u0640": "",  # what stretches words
    **{chr(first + number): str(number) for first in (0x0660, 0x06F0) for number in range(10)},
}
_MARKS: Final = ((0x0591, 0x05C7), (0x0610, 0x061A), (0x064B, 0x065F), (0x0670, 0x0670), (0x06D6, 0x06ED))
"""Where the vowel points of Hebrew and Arabic are."""
_GREEK: Final = ((0x0370, 0x03FF), (0x1F00, 0x1FFF))
_WIDE: Final = ((0xFF10, 0xFF19), (0xFF21, 0xFF3A), (0xFF41, 0xFF5A), (0xFB00, 0xFB06))
"""Latin of the width of Chinese characters, and ligatures."""

SPACELESS: Final = (
    (0x0E00, 0x0EFF),  # Thai, Lao
    (0x1000, 0x109F),  # Myanmar
    (0x1780, 0x17FF),  # Khmer
    (0x3005, 0x3007),
    (0x3040, 0x30FF),  # Japanese
    (0x3400, 0x4DBF),
    (0x4E00, 0x9FFF),  # Chinese characters
    (0xA9E0, 0xA9FF),
    (0xAA60, 0xAA7F),
    (0xAC00, 0xD7AF),  # Korean: its words are written together with what Chinese has no words for
    (0xF900, 0xFAFF),
    (0xFF66, 0xFF9F),
    (0x20000, 0x3FFFF),
)
"""First and last characters of scripts whose characters are words of their own in the index."""


def _class(ranges: Iterable[tuple[int, int]]) -> str:
    return "".join(f"{chr(first)}-{chr(last)}" for first, last in ranges)


def _ranges(letters: Iterable[str]) -> Iterator[tuple[int, int]]:
    """Letters that follow each other, together."""
    codes = sorted(map(ord, letters))
    for _, run in groupby(enumerate(codes), lambda each: each[1] - each[0]):
        found = [code for _, code in run]
        yield found[0], found[-1]


def _letters() -> Iterator[tuple[str, str]]:
    for letter, written in (_LATIN | _OTHERS).items():
        for one in {letter, letter.upper()}:
            if len(one) == 1 and not one.isascii():
                yield one, written
    yield "ẞ", "ss"
    for first, last in _GREEK:
        for letter in map(chr, range(first, last + 1)):
            plain = without_marks(letter)
            if plain not in ("", letter):
                yield letter, plain.lower()
    for first, last in _MARKS:
        yield from ((chr(code), "") for code in range(first, last + 1) if unicodedata.category(chr(code)) == "Mn")
    for first, last in _WIDE:
        yield from ((chr(code), unicodedata.normalize("NFKC", chr(code)).lower()) for code in range(first, last + 1))


def without_marks(text: str) -> str:
    """A text whose letters have lost what stands above and below them."""
    return "".join(one for one in unicodedata.normalize("NFD", text) if unicodedata.category(one) != "Mn")


LETTERS: Final = dict(_letters())
"""Letters, and what is written in the index in their place."""
SPACELESS_CLASS: Final = _class(SPACELESS)
"""As the characters of a set in GLOB and in regular expressions."""
SPECIAL_CLASS: Final = _class(_ranges(LETTERS)) + SPACELESS_CLASS
"""All characters that are not written as they are; likewise."""
_SPECIAL: Final = re.compile(f"[{SPECIAL_CLASS}]")
_SPACELESS: Final = re.compile(f"[{SPACELESS_CLASS}]")


@frozen
class Folded:
    """A text as it is written in the index."""

    text: str
    original: str
    places: tuple[int, ...] | None
    """Of each of its characters, the place in the original; None where they are the same."""

    def place(self, index: int) -> int:
        """The place in the original of a character of this text."""
        return index if self.places is None else self.places[index]

    def end(self, index: int) -> int:
        """The place behind the character before this one, and behind the points that belong to it."""
        if self.places is None:
            return index
        end = self.places[index - 1] + 1
        while end < len(self.original) and LETTERS.get(self.original[end]) == "":
            end += 1
        return end


def folded(text: str) -> Folded:
    """The text as the triggers of the database write it."""
    if _SPECIAL.search(text) is None:
        return Folded(text, text, None)
    made: list[str] = []
    places: list[int] = []
    for place, letter in enumerate(text):
        written = f" {letter} " if is_spaceless(letter) else LETTERS.get(letter, letter)
        made.append(written)
        places.extend([place] * len(written))
    return Folded("".join(made), text, tuple(places))


def is_spaceless(letter: str) -> bool:
    """Whether it is of a script that is written without spaces."""
    return _SPACELESS.match(letter) is not None


def has_words(text: str) -> bool:
    """Whether the tokenizer finds anything in it."""
    return any(map(is_of_words, text))


def is_of_words(letter: str) -> bool:
    """Whether the tokenizer takes it for a part of a word."""
    return unicodedata.category(letter) in _OF_WORDS


_OF_WORDS: Final = frozenset({"Lu", "Ll", "Lt", "Lm", "Lo", "Nd", "Nl", "No", "Co", "Mn", "Mc"})


def plainly(text: str) -> str:
    """A text without case and diacritics, to be compared with another one."""
    return without_marks("".join(LETTERS.get(one, one) for one in unicodedata.normalize("NFKC", text))).casefold()
