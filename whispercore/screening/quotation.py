"""Quotation marks that end what somebody's text was put into."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

_MARKS: Final = re.compile(r"(?P<mark>['\"])(?P=mark){2,}|(?<=[^\W\d_])'(?=[^\W\d_])|(?P<one>['\"])")
"""Three in a row and apostrophes within words are none."""
_MOST_MARKS: Final = 2000
"""So many are looked at."""


def escapes(text: str) -> Iterator[int]:
    """Behind each mark that may close what the text itself has not opened: where a text of its own would begin one.

    ``' OR 1=1`` has one at its beginning. In ``name = 'x' or y``, the second mark closes what the first has opened; in
    ``"it's"``, the inner one is a part of a quotation.
    """
    marks = [found for found in _MARKS.finditer(text) if found["one"]]
    counted = {"'": 0, '"': 0}
    inside = _inside(marks)
    for found in marks[:_MOST_MARKS]:
        counted[found["one"]] += 1
        if counted[found["one"]] % 2 and found.start() not in inside:
            yield found.end()


def _inside(marks: list[re.Match[str]]) -> set[int]:
    """The marks that stand within a quotation with the other ones, if it ends."""
    inside: set[int] = set()
    pending: list[int] = []
    opened = ""
    for found in marks:
        mark = found["one"]
        if not opened:
            opened, pending = mark, []
        elif mark == opened:
            inside.update(pending)
            opened = ""
        else:
            pending.append(found.start())
    return inside
