"""SQL that leaves the value it was put into.

SQL itself is honest: people write of it, and send it. An attack has to end a value first: with a quotation mark that
nothing in the text has opened, or after a bare number at its beginning. What follows then decides.
"""

from __future__ import annotations

import re
from typing import Final

from whispercore.screening.forms import Forms
from whispercore.screening.patterns import either, words
from whispercore.screening.quotation import escapes
from whispercore.screening.rule import SQL, Subject, TextRule

_TAIL_CHARACTERS: Final = 400
"""Behind the end of a value, so much is looked at."""
_COMMENT: Final = either("--", "#", r";?%00", r"\x00", r"/\*")
_NAME: Final = r"[\w.\"`\[\]]{1,60}"
_COMPARES: Final = either("=", "<>", "!=", "<=?", ">=?", r"\b" + words("like rlike regexp is in between") + r"\b")
_STATEMENT: Final = either(
    r"drop\s(?:table|database|schema|user|view|index|procedure|function)\s",
    r"(?:create|alter)\s(?:table|user|login|database|function|procedure|trigger|or\sreplace)\s",
    r"truncate\s(?:table\s)?\w",
    r"delete\sfrom\s",
    r"insert\sinto\s",
    r"merge\sinto",
    rf"update\s{_NAME}\sset\s",
    r"exec(?:ute)?[\s(]",
    r"declare\s@?\w",
    r"shutdown\b",
    r"commit\b",
    r"waitfor\s(?:delay|time)",
    r"select\s?[\w(*'\"@]",
    r"copy\s[\w(]",
    r"attach\s(?:database\s)?['\"]",
    r"load\s(?:data|_file)",
    r"begin(?:\s|$)",
    r"if\s?[(\d]",
    r"do\s\$",
    r"backup\sdatabase",
    words("grant call print use pragma union set") + r"\s@?\w",
)
_OWN_FUNCTION: Final = words(
    r"""sleep pg_sleep benchmark extractvalue updatexml randomblob load_extension load_file dbms_\w{2,20}(?:\.\w+)?
    utl_\w{2,20}(?:\.\w+)? ctxsys\.\w+ xmltype unhex ascii database version user current_user sqlite_version make_set
    elt name_const query_to_xml select case char"""
)
"""Functions of databases that no programming language has, or hardly one."""
_FUNCTION: Final = either(
    _OWN_FUNCTION,
    words(
        r"""waitfor exp substr substring length len chr concat mid ord hex if iif exists cast convert count system_user
        row json_\w{2,20} like regexp nullif coalesce decode rand geometrycollection polygon multipoint linestring
        procedure analyse generate_series xp_\w{2,30}"""
    ),
)
_UNION_SELECT: Final = r"(?:union|intersect|except|minus)\s(?:all\s|distinct\s){0,2}\(*\s?select\b(?!['\"])"
_OR: Final = either(r"(?:or|and|xor|having|where)(?!\w)", r"\|\|", "&&")

_AFTER_MARK: Final = re.compile(
    r"[\s)]{0,10}"
    + either(
        rf"(?:;\s?)?{_COMMENT}[\s+*-]{{0,4}}\w{{0,4}}[\s+*-]{{0,2}}$",
        rf";\s?{_STATEMENT}",
        _OR
        + r"\s?(?:not\s|!\s?)*\(*\s?"
        + either(
            rf"['\"]?[\w.@%]{{1,40}}['\"]?\)*\s?{_COMPARES}",
            rf"{_FUNCTION}\s?\(",
            rf"(?:not\s)?(?:true|false|null|\d+)\s?(?:$|{_COMMENT}|;|\))",
            r"\(?\s?select\b",
            r"exists\b",
            r"\(\s?['\"\d]",
            r"['\"]\s?['\"]?[\w]{0,20}['\"]?\s?$",
            r"['\"]{2}\s?[-&^*+]\s?['\"]",
        ),
        r"(?:or|and)(?!\w)\s?['\"`(]{0,3}\w{0,20}['\"`)]{0,3}\s?=\s?",
        _UNION_SELECT,
        r"(?:order|group)\sby\s[\d(]",
        r"(?:having|where)\s[^'\";]{0,60}(?:=|<|>|\blike\s)",
        r"(?:\|\||\+|-|\*|,|\s)\s?\(\s?select\b",
        rf"(?:\|\||\+|-|\*|/|%|&|\^|,)\s?\(*\s?{_OWN_FUNCTION}\s?\(",
        r"into\s(?:outfile|dumpfile)\b",
        r"procedure\sanalyse",
        r"is\s(?:not\s)?null",
        r"like\s['\"]",
        r"in\s?\(",
        r"between\s['\"\d]",
        r"(?:rlike|regexp)\s",
        r"waitfor\sdelay",
        r"exec(?:ute)?\s(?:xp_|sp_|master|\(|immediate)",
        r"select\s(?:pg_sleep|sleep|benchmark|@@)",
    )
)
_VALUE: Final = re.compile(r"^(?:-?\w{0,12}?\d{1,10}(?:\.\d{1,6})?['\"]?\s?\)*|-?\w{1,20}['\"]?\s?\)+)\s?")
"""A bare number, or a word and a parenthesis that it did not open."""
_AFTER_VALUE: Final = re.compile(
    either(
        r"(?:or|and|xor|\|\||&&|having|where|not)\s?(?:not\s)?\(*\s?"
        + either(
            r"(?P<same>['\"]?\w{1,20}['\"]?)\)*\s?(?:=|like)\s?\(*(?P=same)(?!\w)",
            r"['\"]?\d+['\"]?(?:=|<|>|<>|!=|=>)['\"]?\d+",
            rf"\d+\s?=\s?\d+\s?(?:{_COMMENT}|\))",
            rf"{_FUNCTION}\s?\(",
            r"\(?\s?select\b",
            r"\d+\s?=\s?(?:cast|convert)\s?\(",
            r"['\"]{1,2}\w{0,20}['\"]?\s?=",
            rf"[\w.]{{1,40}}\s?(?:is\s(?:not\s)?null|like\s['\"]|=\s?['\"(]|=\s?\w+\s?{_COMMENT})",
        ),
        _UNION_SELECT,
        rf"(?:order|group)\sby\s\d+\s?(?:{_COMMENT}|,|$)",
        rf";\s?{_STATEMENT}",
        r"(?:-|\*|/|%|,|\^|&)?\s?\(?\s?\(\s?(?:select|case|sleep|benchmark)\b",
        r"(?:-|\*|/|%|,|\^|&|\|\|)\s?(?:if|chr|"
        rf"{_OWN_FUNCTION})\s?\(",
        r"procedure\sanalyse",
        r"into\s(?:outfile|dumpfile)",
        r"waitfor\sdelay",
        r"(?:limit|offset)\s\d+\s?,?\s?\d*\s?(?:union|into|procedure)",
        r"rlike\s?\(",
        r"is\snull",
        r"between\s\d+\sand\s\d+\s?(?:--|#)",
    )
)
_TWO_MARKS: Final = re.compile(
    r"\w{0,12}['\"]\s?\)*\s?(?:=|<=>|-|\*|\^|&|\|\||\+|like|or|and)\s?['\"]{1,2}"
    r"\s?\w{0,6}['\"]{0,2}\s?(?:#|--|=\s?['\"]{0,2}\w?['\"]?)?\s?-?"
)
"""Marks around an operator and nothing else: ``'='``, ``'or'1'='1``."""
_CONTINUES: Final = re.compile(
    r"^[,)\s]{0,4}"
    + either(
        r"(?:(?:or|and|having|where)\s|(?:\|\||&&)\s?)"
        + either(
            r"\(?\d+\s?=\s?\(?\d+",
            r"\(?['\"]\w*['\"]\s?=",
            r"\(?\s?\(?select\s",
            rf"\d*\s?=?\s?{_OWN_FUNCTION}\s?\(",
            rf"true\s?(?:$|{_COMMENT})",
            rf"\w+\s?=\s?\w+\s?{_COMMENT}",
            r"\d+\s?=\s?(?:cast|convert)\s?\(",
        ),
        rf"order\sby\s\d[^a-z]{{0,40}}(?:$|{_COMMENT}|,\s?sleep)",
        r"order\sby\s(?:pg_)?sleep\s?\(",
        rf"(?:pg_)?sleep\s?\(\s?\d+\s?\)\s?(?:{_COMMENT}|=|;|['\"])",
        r"benchmark\s?\(\s?\d+\s?,",
        r"\(?\s?select\s\*\sfrom\s\(\s?select",
        r"\(\s?select[^;]{1,200}(?:sleep|benchmark|pg_sleep)\s?\(",
    )
)
"""What is put behind a value that somebody else wrote."""
_TAUTOLOGY: Final = re.compile(
    r"(?:^|[^\w.])(?:or|\|\|)\s(?:not\s)?\(*"
    + either(
        r"(?P<number>\d+)\s?=\s?\(*(?P=number)(?!\w)",
        r"(?P<quote>['\"])(?P<word>\w{0,20})(?P=quote)\s?(?:=|like)\s?\(*(?P=quote)(?P=word)",
    )
)
_UNION: Final = re.compile(
    r"(?:^|[^\w])union(?:\s(?:all|distinct|distinctrow))?[\s(]{1,4}select\s?(?:all\s|distinct\s|top\s\d+\s)?"
    r"(?=[(\s]*"
    + either(
        r"null\b",
        r"\d",
        "@@",
        "0x",
        r"\*",
        r"['\"]\w{0,20}['\"]\s?(?:,|\||--|#|from\b|$)",
        r"[\w.@()]{1,60}\s?(?:,|from\b|--|#|$)",
    )
    + ")"
)
_BATCH: Final = re.compile(
    either(
        r"(?:^|;)\s?"
        + either(
            r"exec(?:ute)?\s?\(?\s?(?:master(?:\.\w{0,10}){0,2}\.?)?(?:xp_|sp_)\w{3,40}",
            r"exec(?:ute)?\simmediate\s",
            r"waitfor\sdelay\s?['\"(]",
            r"declare\s@\w{1,20}\s(?:as\s)?(?:n?varchar|int|char|sysname|nchar|table|cursor)",
            r"shutdown\s(?:with\snowait|--)",
            rf"(?:(?:drop|truncate)\s(?:table|database)|delete\sfrom)\s{_NAME}\s?;?\s?--\s?$",
            r"select\s(?:pg_sleep|sleep|benchmark)\s?\([^)]{0,60}\)\s?;?\s?(?:--|#)?\s?$",
            r"(?:or\s|and\s)?(?:pg_sleep|benchmark)\s?\([^)]{0,60}\)\s?;?\s?(?:--|#)",
            r"if\s?\([^)]{0,100}\)\s?waitfor",
        ),
        r"\bbenchmark\s?\(\s?\d{4,}\s?,\s?\w{2,12}\s?\(",
        r"\bwaitfor\sdelay\s['\"]\d:\d",
    )
)


def _value_ended(forms: Forms, _: Subject) -> bool:
    return any(_ends_a_value(text) for text in {forms.sql, forms.sql_joined})


def _ends_a_value(text: str) -> bool:
    if any(_AFTER_MARK.match(text[end : end + _TAIL_CHARACTERS]) for end in escapes(text)):
        return True
    value = _VALUE.match(text)
    if value is not None and _AFTER_VALUE.match(text[value.end() : value.end() + _TAIL_CHARACTERS]):
        return True
    return bool(_TWO_MARKS.fullmatch(text) or _CONTINUES.match(text))


def _always_true(forms: Forms, _: Subject) -> bool:
    return _TAUTOLOGY.search(forms.sql) is not None


def _union(forms: Forms, _: Subject) -> bool:
    """A second query where there is no first one."""
    for text in {forms.sql, forms.sql_joined}:
        found = _UNION.search(text)
        if found is not None and "select" not in text[: found.start()]:
            return True
    return False


def _batch(forms: Forms, _: Subject) -> bool:
    return _BATCH.search(forms.sql) is not None


RULES: Final = (
    TextRule("sql_value_ended", SQL, 8, _value_ended),
    TextRule("sql_always_true", SQL, 7, _always_true),
    TextRule("sql_union", SQL, 8, _union),
    TextRule("sql_batch", SQL, 7, _batch),
)
