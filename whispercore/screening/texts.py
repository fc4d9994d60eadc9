"""Texts, looked at by all rules."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from whispercore.screening import characters, markup, shell, statements, traversal
from whispercore.screening.forms import Forms
from whispercore.screening.rule import Finding, Subject, TextRule

RULES: Final[tuple[TextRule, ...]] = (
    *characters.RULES,
    *traversal.RULES,
    *markup.RULES,
    *statements.RULES,
    *shell.RULES,
)
"""All that is looked for in texts."""
_WORD: Final = re.compile(r"[\w@.+-]*")
_PIECE_CHARACTERS: Final = 20_000
_OVERLAP_CHARACTERS: Final = 500


def screened(field: str, text: str, subject: Subject = "text") -> list[Finding]:
    """What is suspicious about a text. Takes time in proportion to its length.

    Args:
        field: What findings call its place.
        text: As it was sent.
        subject: What it is for.
    """
    if ".." not in text and _WORD.fullmatch(text):
        return []  # an id, an address, a date, a word: most of what is sent
    pieces = [Forms(piece) for piece in _pieces(text)]
    return [Finding(field, rule) for rule in RULES if any(rule.matches(forms, subject) for forms in pieces)]


def _pieces(text: str) -> Iterator[str]:
    """A long text in pieces that overlap: a search cannot be interrupted, and must not keep others waiting for long."""
    at = 0
    while True:
        yield text[at : at + _PIECE_CHARACTERS]
        at += _PIECE_CHARACTERS - _OVERLAP_CHARACTERS
        if at + _OVERLAP_CHARACTERS >= len(text):
            return
