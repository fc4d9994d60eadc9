"""The words of a text, as the index of PostgreSQL has them: cut and folded in the way of SQLite's FTS5.

The function ``search_words`` of the database does the same in SQL, from the table ``search_letters`` that
``plain_letters`` fills.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Final

from attrs import frozen

from whispercore.search.letters import LETTERS, is_of_words, is_spaceless, without_marks

LONGEST: Final = 400
"""Characters of a word that count; PostgreSQL takes no more than 2,046 bytes."""
_LATIN: Final = ((0x00C0, 0x024F), (0x1E00, 0x1EFF), (0x2C60, 0x2C7F), (0xA720, 0xA7FF))
_ACCENTS: Final = (0x0300, 0x036F)
"""Diacritics that stand behind their letter."""
_ASCII: Final = re.compile("[0-9a-z]+")


@frozen
class Word:
    """A word, and where it stands."""

    text: str
    """As it is in the index."""
    first: int
    end: int
    """Behind its last character."""


@cache
def plain_letters() -> dict[str, str]:
    """Letters that are not written as they are, and what is written in their place."""
    made = {chr(code): "" for code in range(_ACCENTS[0], _ACCENTS[1] + 1)}
    for code in range(0x1FFFF):
        letter = chr(code)
        plain = letter.lower()
        if any(first <= code <= last for first, last in _LATIN):
            plain = without_marks(plain)
        if plain != letter:
            made[letter] = plain
    return made | LETTERS


def word_class() -> str:
    """The characters of words, as those of a set in a regular expression."""
    made, first = "", None
    for code in range(sys.maxunicode + 2):
        of_words = code <= sys.maxunicode and is_of_words(chr(code))
        if of_words and first is None:
            first = code
        elif not of_words and first is not None:
            made += f"{chr(first)}-{chr(code - 1)}"
            first = None
    return made


def words_of(text: str) -> list[Word]:
    """The words, in order."""
    if text.isascii():
        return [Word(one.group()[:LONGEST], *one.span()) for one in _ASCII.finditer(text.lower())]
    return list(_cut(text, _written(text)))


def _written(text: str) -> Iterator[tuple[int, str]]:
    """Each character as it is written in the index, with its place."""
    plain = plain_letters()
    for place, letter in enumerate(text):
        written = f" {letter} " if is_spaceless(letter) else plain.get(letter, letter)
        yield from ((place, one) for one in written)


def _cut(text: str, written: Iterable[tuple[int, str]]) -> Iterator[Word]:
    word, first, end = "", 0, 0
    for place, letter in written:
        if is_of_words(letter):
            first = first if word else place
            word += letter
            end = place + 1
        elif word:
            yield Word(word[:LONGEST], first, _with_points(text, end))
            word = ""
    if word:
        yield Word(word[:LONGEST], first, _with_points(text, end))


def _with_points(text: str, end: int) -> int:
    """With the points that belong to the last character, of which nothing is written."""
    while end < len(text) and plain_letters().get(text[end]) == "":
        end += 1
    return end
