"""Texts as words, and which words of two texts are the same."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from typing import Final, Literal

from attrs import define, frozen

from whispercore.languages import is_unspaced

_CHUNK: Final = re.compile(r"\S+")

Tag = Literal["replace", "delete", "insert", "equal"]
Block = tuple[Tag, int, int, int, int]
"""As ``difflib`` has it: what became of ``old[i1:i2]``, and where it is now: ``new[j1:j2]``."""


@frozen
class Token:
    """A word of a text; where a script has no spaces, a character with its marks."""

    text: str
    start: int
    """Where it begins in the text, in characters."""
    end: int

    @property
    def key(self) -> str:
        """The same for words that differ in case and punctuation only."""
        return "".join(one for one in self.text.casefold() if one.isalnum()) or self.text


def tokens(text: str) -> list[Token]:
    """The words of a text, in order."""
    return [token for chunk in _CHUNK.finditer(text) for token in _cut(chunk[0], chunk.start())]


def _cut(chunk: str, offset: int) -> Iterator[Token]:
    begin = 0
    for at in range(1, len(chunk)):
        if is_unspaced(chunk[at - 1]) and _begins(chunk[at]):
            yield Token(chunk[begin:at], offset + begin, offset + at)
            begin = at
    yield Token(chunk[begin:], offset + begin, offset + len(chunk))


def _begins(character: str) -> bool:
    is_mark = unicodedata.category(character) in ("Mn", "Mc")
    return not is_mark and (is_unspaced(character) or character.isalnum())


@define
class Effort:
    """How much may still be compared. What would cost more than is left is told as one change, as it is then."""

    left: int

    def allows(self, old: Sequence[str], new: Sequence[str]) -> bool:
        """Whether these may be compared, which is taken off: texts of one word, said again and again, cost most."""
        counted = Counter(new)
        cost = len(old) + len(new) + sum(counted[one] for one in old)
        if cost > self.left:
            return False
        self.left -= cost
        return True


def blocks(old: Sequence[str], new: Sequence[str], effort: Effort) -> list[Block]:
    """What of the one is in the other, and what was put in its place.

    Args:
        old: Keys of words.
        new: Keys of words.
        effort: How much may be compared.
    """
    first = 0
    while first < min(len(old), len(new)) and old[first] == new[first]:
        first += 1
    last = 0
    while last < min(len(old), len(new)) - first and old[-1 - last] == new[-1 - last]:
        last += 1
    inner_old, inner_new = old[first : len(old) - last], new[first : len(new) - last]
    found: list[Block] = [("equal", 0, first, 0, first)] if first else []
    found.extend(
        (tag, i1 + first, i2 + first, j1 + first, j2 + first)
        for tag, i1, i2, j1, j2 in _inner(inner_old, inner_new, effort)
    )
    if last:
        found.append(("equal", len(old) - last, len(old), len(new) - last, len(new)))
    return found


def _inner(old: Sequence[str], new: Sequence[str], effort: Effort) -> list[Block]:
    if not old and not new:
        return []
    if not old or not new:
        return [("insert" if not old else "delete", 0, len(old), 0, len(new))]
    if not effort.allows(old, new):
        return [("replace", 0, len(old), 0, len(new))]
    return SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
