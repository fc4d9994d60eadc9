"""The language of queries: words, "phrases", beginnings*, AND, OR, NOT, -exclusions and parentheses.

There is no query that is wrong: what makes no sense as an operator is a word, and a parenthesis without its other is
left out. What comes out is a tree of terms, each of them an expression of FTS5 that consists of nothing but quoted
words, so that no text can be anything else for SQLite.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from typing import Final, Literal

from attrs import define, field, frozen

from whispercore.formats.line import encodable
from whispercore.search.letters import folded, has_words, is_spaceless

MOST_TERMS: Final = 16
"""What comes behind these is left out."""
_DEEPEST: Final = 20
"""Parentheses inside so many others are left out."""
_SHORTEST_BEGINNING: Final = 2
"""Of a word; where one character is a word, one."""

_QUOTES: Final = str.maketrans(dict.fromkeys("“”„‟«»", '"'))
_TOKEN: Final = re.compile(r'\s*(?:(-?)"([^"]*)"(\*?)|(-?)(\()|(\))|(-?)([^\s"()]+)|")')
_OPERATORS: Final = frozenset({"AND", "OR", "NOT"})

_Kind = Literal["term", "open", "close", "AND", "OR", "NOT"]


@frozen
class Term:
    """A word, a phrase, or the beginning of one."""

    expression: str
    """For ``MATCH`` of FTS5."""

    @property
    def text(self) -> str:
        """Its words, folded."""
        return self.expression.strip('"*')

    @property
    def is_beginning(self) -> bool:
        """Whether its last word may go on."""
        return self.expression.endswith("*")

    def found(self, hits: Mapping[Term, AbstractSet[int]]) -> AbstractSet[int]:
        """Which of the documents it is in."""
        return hits.get(self, frozenset())

    def wanted(self) -> Iterator[Term]:
        """The terms that may be shown as matches."""
        yield self


@frozen
class Every:
    """All of these, and none of those."""

    parts: tuple[Query, ...]
    excluded: tuple[Query, ...] = ()

    def found(self, hits: Mapping[Term, AbstractSet[int]]) -> AbstractSet[int]:
        """Which of the documents it fits."""
        found = frozenset.intersection(*(frozenset(part.found(hits)) for part in self.parts))
        return found.difference(*(part.found(hits) for part in self.excluded))

    def wanted(self) -> Iterator[Term]:
        """The terms that may be shown as matches."""
        for part in self.parts:
            yield from part.wanted()


@frozen
class Any:
    """One of these."""

    parts: tuple[Query, ...]

    def found(self, hits: Mapping[Term, AbstractSet[int]]) -> AbstractSet[int]:
        """Which of the documents it fits."""
        return frozenset[int]().union(*(part.found(hits) for part in self.parts))

    def wanted(self) -> Iterator[Term]:
        """The terms that may be shown as matches."""
        for part in self.parts:
            yield from part.wanted()


Query = Term | Every | Any


@frozen
class Parsed:
    """A query that asks for something."""

    query: Query
    terms: tuple[Term, ...]
    """All of it, excluded ones too, each once."""

    @property
    def wanted(self) -> tuple[Term, ...]:
        """Those that may be shown as matches, each once."""
        return tuple(dict.fromkeys(self.query.wanted()))


def parsed(text: str) -> Parsed | None:
    """What a query asks for; None when there is no word in it."""
    reader = _Reader(list(_meant(list(_balanced(_tokens(text.translate(_QUOTES)))))))
    query = reader.any()
    return None if query is None else Parsed(query, tuple(reader.terms))


def term_of(text: str, *, is_beginning: bool = False) -> Term | None:
    """A term for these words, one behind the other; None when there is no word in it."""
    clean = encodable(unicodedata.normalize("NFC", text.replace("\0", " ").replace('"', " ")))
    words = " ".join(folded(clean).text.lower().split())
    if not has_words(words):
        return None
    enough = len(words.rpartition(" ")[2]) >= _SHORTEST_BEGINNING or is_spaceless(words[-1])
    return Term(f'"{words}"*' if is_beginning and enough else f'"{words}"')


@frozen
class _Token:
    kind: _Kind
    text: str = ""
    is_beginning: bool = False


def _tokens(text: str) -> Iterator[_Token]:
    for match in _TOKEN.finditer(text):
        not_phrase, phrase, star, not_group, opened, closed, not_word, word = match.groups()
        if not_phrase or not_group or (not_word and word != "-"):
            yield _Token("NOT", "")
        if phrase is not None:
            yield _Token("term", phrase, is_beginning=bool(star))
        elif opened:
            yield _Token("open")
        elif closed:
            yield _Token("close")
        elif word in _OPERATORS and not not_word:
            yield _Token(word, word)  # type: ignore[arg-type]  # one of the three
        elif word:
            yield _Token("term", word.rstrip("*"), is_beginning=word.endswith("*"))


def _balanced(tokens: Iterator[_Token]) -> Iterator[_Token]:
    """Without parentheses that close nothing."""
    depth = 0
    for token in tokens:
        depth += (token.kind == "open") - (token.kind == "close")
        if depth < 0:
            depth = 0
        else:
            yield token


def _meant(tokens: list[_Token]) -> Iterator[_Token]:
    """Operators that have nothing to operate on become words."""
    for number, token in enumerate(tokens):
        before = tokens[number - 1].kind if number else None
        after = tokens[number + 1].kind if number + 1 < len(tokens) else None
        begins = after in ("term", "open") or (token.kind != "NOT" and after == "NOT")
        ends = token.kind == "NOT" or before in ("term", "close")
        if token.kind in _OPERATORS and not (begins and ends):
            if token.text:
                yield _Token("term", token.text)
        else:
            yield token


@define
class _Reader:
    tokens: list[_Token]
    terms: dict[Term, None] = field(init=False, factory=dict)
    place: int = field(init=False, default=0)
    depth: int = field(init=False, default=0)

    def any(self) -> Query | None:
        """What is joined by OR, until the parenthesis is closed or all is read."""
        parts = []
        while True:
            if (part := self.every()) is not None:
                parts.append(part)
            if self._kind() == "OR":
                self.place += 1
            else:
                return parts[0] if len(parts) == 1 else Any(tuple(parts)) if parts else None

    def every(self) -> Query | None:
        """What stands side by side."""
        parts: list[Query] = []
        excluded: list[Query] = []
        while (kind := self._kind()) not in ("OR", "close", None):
            self.place += 1
            if kind == "AND":
                continue
            is_excluded = kind == "NOT"
            if is_excluded:
                kind = self._kind()
                self.place += 1
            part = self._group() if kind == "open" else self._term()
            if part is not None:
                (excluded if is_excluded else parts).append(part)
        if not parts:  # there is nothing that it could be excluded from
            parts, excluded = excluded, []
        if not parts:
            return None
        return parts[0] if len(parts) == 1 and not excluded else Every(tuple(parts), tuple(excluded))

    def _group(self) -> Query | None:
        if self.depth >= _DEEPEST:
            return None
        self.depth += 1
        found = self.any()
        self.depth -= 1
        if self._kind() == "close":
            self.place += 1
        return found

    def _term(self) -> Query | None:
        token = self.tokens[self.place - 1]
        term = term_of(token.text, is_beginning=token.is_beginning)
        if term is None or (term not in self.terms and len(self.terms) >= MOST_TERMS):
            return None
        self.terms[term] = None
        return term

    def _kind(self) -> _Kind | None:
        return self.tokens[self.place].kind if self.place < len(self.tokens) else None
