"""The language of queries: every text is one, and none of them is anything but words for SQLite."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from whispercore.search.query import MOST_TERMS, Any, Every, Query, Term, parsed, term_of


def told(query: Query | None) -> str:
    """A query in brackets: ``[all of these -none of those]``, ``{one of these}``."""
    match query:
        case Term():
            return query.expression.replace('"', "'")
        case Every():
            return f"[{' '.join([*map(told, query.parts), *(f'-{told(one)}' for one in query.excluded)])}]"
        case Any():
            return f"{{{' '.join(map(told, query.parts))}}}"
        case None:
            return ""


def read(text: str) -> str:
    found = parsed(text)
    return "" if found is None else told(found.query)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("machine learning", "['machine' 'learning']"),
        ('"machine learning"', "'machine learning'"),
        ("“machine learning” «deep»", "['machine learning' 'deep']"),
        ("learn* deep", "['learn'* 'deep']"),
        ('"machine lea"*', "'machine lea'*"),
        ("a AND b", "['a' 'b']"),
        ("a OR b c", "{'a' ['b' 'c']}"),
        ("(a OR b) c", "[{'a' 'b'} 'c']"),
        ("a NOT b", "['a' -'b']"),
        ("a AND NOT b", "['a' -'b']"),
        ('a -b -"c d"', "['a' -'b' -'c d']"),
        ("a -(b OR c)", "['a' -{'b' 'c'}]"),
        ("a NOT (b c)", "['a' -['b' 'c']]"),
        ("Crème BRÛLÉE", "['crème' 'brûlée']"),
        ("机器学习 学*", "['机 器 学 习' '学'*]"),
        ("GPT模型", "'gpt 模 型'"),
        ("well-known", "'well-known'"),
        ("text:word", "'text:word'"),
        ("it's", "'it's'"),
    ],
)
def test_what_is_meant(text: str, meant: str) -> None:
    assert read(text) == meant


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("AND", "'and'"),
        ("rock AND", "['rock' 'and']"),
        ("OR roll", "['or' 'roll']"),
        ("NOT", "'not'"),
        ("a AND OR b", "['a' 'and' 'or' 'b']"),
        ("-a", "'a'"),
        ("NOT (a b)", "['a' 'b']"),
        ("a OR -b", "{'a' 'b'}"),
        ("a)) b", "['a' 'b']"),
        ("((a b", "['a' 'b']"),
        ("() a", "'a'"),
        ('"a b', "['a' 'b']"),
        ('"" a', "'a'"),
        ("a - b", "['a' 'b']"),
        ("a*", "'a'"),
        ("*", ""),
        ("!!! ... ()", ""),
        ("", ""),
        ("\0", ""),
        ("(" * 300 + "a", "'a'"),
    ],
)
def test_what_makes_no_sense_is_words(text: str, meant: str) -> None:
    assert read(text) == meant


def test_terms_are_bounded() -> None:
    found = parsed(" ".join(f"word{number}" for number in range(MOST_TERMS + 5)) + " word0")
    assert found is not None
    assert len(found.terms) == MOST_TERMS


TEXTS = st.text(st.one_of(st.characters(), st.sampled_from('"()-*: ^+{}学あ\u0301\ud800\0')), max_size=500) | st.lists(
    st.sampled_from(["AND", "OR", "NOT", "NEAR", "a", "-", '"', "(", ")", "b*", "-c"]), max_size=250
).map(" ".join)


@given(TEXTS)
@example('a" OR text:"b')
@example("a NEAR(b, 3)")
def test_any_text_is_a_query_of_quoted_words(text: str) -> None:
    found = parsed(text)
    if found is not None:
        assert 0 < len(found.wanted) <= len(found.terms) <= MOST_TERMS
        for term in found.terms:
            assert re.fullmatch(r'"[^"\0]+"\*?', term.expression)
            term.expression.encode()


def test_a_term_needs_a_word() -> None:
    assert term_of("--- ") is None
    assert term_of("\u0301") == Term('"\u0301"')
