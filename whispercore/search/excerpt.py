"""The part of a text that is shown of a match, and its marks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from secrets import token_hex
from typing import Final

from attrs import frozen

from whispercore.search.letters import folded

LONGEST: Final = 240
"""Characters of a text that are shown of it."""
_BEFORE: Final = 80
"""Of them, those before the first match."""
_LONGEST_WORD: Final = 20
"""So far away a space is looked for, to cut there."""

Span = tuple[int, int]
"""The first character and the one behind the last."""


@frozen
class Marks:
    """What SQLite puts around what it has found."""

    opening: str
    closing: str

    @classmethod
    def new(cls) -> Marks:
        """Marks that no text has in it, since nobody can know them before."""
        made = token_hex(8)
        return cls(f"<{made}>", f"</{made}>")


@frozen
class Excerpt:
    """What is shown."""

    text: str
    """Plain, with an ellipsis where it was cut."""
    highlighted: str
    """The same for HTML: escaped, with ``<mark>`` around what was found."""


def spans_of(text: str, marked: str, marks: Marks) -> tuple[Span, ...]:
    """What was found, as places in the text.

    Args:
        text: As it was said.
        marked: As it is written in the index, with marks in it.
        marks: The marks.
    """
    written, spans, begun = "", list[Span](), -1
    for piece in marked.split(marks.opening):
        found, mark, rest = piece.partition(marks.closing)
        if mark:
            begun = len(written)
            spans.append((begun, begun + len(found)))
        written += found + rest
    original = folded(text)
    if original.text != written:  # it has been changed since, or its letters are not those that we know
        return ()
    return joined((original.place(first), original.end(end)) for first, end in spans if first < end)


def joined(spans: Iterable[Span]) -> tuple[Span, ...]:
    """Spans in order; those that touch are one: each character of some scripts was found by itself."""
    made: list[Span] = []
    for first, end in spans:
        if made and first <= made[-1][1]:
            made[-1] = (made[-1][0], max(end, made[-1][1]))
        else:
            made.append((first, end))
    return tuple(made)


def excerpt(text: str, spans: Sequence[Span]) -> Excerpt:
    """The text around the first of the matches; all of it if it is short."""
    first, end = 0, len(text)
    if end > LONGEST:
        first = _border(text, max(0, (spans[0][0] if spans else 0) - _BEFORE))
        end = min(len(text), first + LONGEST)
        space = text.rfind(" ", end - _LONGEST_WORD, end) if end < len(text) else -1
        end = space if space >= 0 else end
    before, after = "…" if first else "", "…" if end < len(text) else ""
    made, at = before, first
    for span_first, span_end in spans:
        if span_first >= end:
            break
        if span_end > at:
            shown = text[max(span_first, at) : min(span_end, end)]
            made += f"{escape(text[at : max(span_first, at)])}<mark>{escape(shown)}</mark>"
            at = min(span_end, end)
    return Excerpt(f"{before}{text[first:end]}{after}", f"{made}{escape(text[at:end])}{after}")


def _border(text: str, first: int) -> int:
    """The beginning of a word near this place, or the place itself."""
    space = text.find(" ", first, first + _LONGEST_WORD) if first else -1
    return space + 1 if space >= 0 else first
