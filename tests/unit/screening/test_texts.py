"""Honest text passes and attacks do not, in a time that grows with their length and no faster."""

from __future__ import annotations

import subprocess
import sys
import unicodedata
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.screening.corpora import SEEDS, attacks, honest, lines
from whispercore.screening.forms import Forms, decoded
from whispercore.screening.rule import BLOCKING_SCORE, Finding, Subject, reasons, risk_score
from whispercore.screening.texts import RULES, screened

ROOT = Path(__file__).parents[3]
KINDS = {
    "traversal": ("Path traversal attempt detected", "Null byte detected"),
    "script": ("XSS attempt detected",),
    "sql": ("SQL injection attempt detected",),
    "command": ("Command injection attempt detected",),
}
SUBJECTS: tuple[Subject, ...] = ("name", "text")


def names(text: str, subject: Subject = "text") -> list[str]:
    return [found.rule.name for found in screened("x", text, subject)]


# ---------------------------------------------------------------- honest text


def test_there_is_much_honest_text_and_none_of_it_twice() -> None:
    every = [line for some in honest().values() for line in some]
    assert len(every) == len(set(every)) >= 1000
    assert all(len(some) >= 100 for some in honest().values())


def test_honest_titles_are_written_in_ten_scripts_and_more() -> None:
    """What the name of a letter begins with in Unicode is its script; those of a few titles are counted."""
    titles: Counter[str] = Counter()
    for title in honest()["titles"]:
        titles.update({unicodedata.name(letter).split()[0] for letter in title if letter.isalpha()})
    assert len([script for script, count in titles.items() if count >= 3]) >= 10


@pytest.mark.parametrize("kind", honest())
def test_honest_text_passes(kind: str) -> None:
    refused = {line: names(line, "name" if kind == "filenames" else "text") for line in honest()[kind]}
    assert {line: found for line, found in refused.items() if found} == {}


def test_the_documents_of_the_api_pass() -> None:
    every = {line.strip() for path in SEEDS.glob("*.txt") for line in lines(path)}
    assert len(every) > 1000
    assert {line: found for line in every if (found := names(line))} == {}


ATTACKS_IN_OUR_OWN = {
    '"%2e%2e/escaped",',
    '"/etc/passwd",',
    '"a/../../escaped",',
    "AND (SELECT ((number + 1) << {_POSITION_BITS}) - 1 FROM search_documents WHERE job_id = new.id);",
    '_FITS = f"BETWEEN 0 AND {(1 << _POSITION_BITS) - 1}"',
    "| python3 -c 'import json, sys; print(json.load(sys.stdin)[\"session_id\"])')",
    '| python3 -c \'import json, sys; print(json.load(sys.stdin)["files"][0]["id"])\')',
}
"""What shows an attack, or is SQL or a command to the letter."""


def test_our_own_code_and_documentation_pass() -> None:
    """Ten thousand lines and more that nobody has written for this test; what shows attacks is left out."""
    paths = [*ROOT.glob("whispercore*/**/*.py"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("*.md")]
    every = sorted({line.strip() for path in paths for line in lines(path) if "screening" not in str(path)})[::2]
    refused = {line: found for line in every if (found := names(line))}
    assert len(every) > 10_000
    assert set(refused) <= ATTACKS_IN_OUR_OWN


def test_whole_documents_pass() -> None:
    for path in [*SEEDS.glob("*.txt"), ROOT / "README.md", ROOT / "CONTRIBUTING.md"]:
        assert names(path.read_text()) == [], path


# ---------------------------------------------------------------- attacks


def test_there_are_many_attacks_and_none_of_them_twice() -> None:
    every = [line for kind in (*KINDS, "uploads") for line in attacks(kind)]
    assert len(every) == len(set(every)) >= 300
    assert all(len(attacks(kind)) >= 60 for kind in (*KINDS, "uploads"))


@pytest.mark.parametrize("subject", SUBJECTS)
@pytest.mark.parametrize("kind", KINDS)
def test_attacks_are_found_for_what_they_are(kind: str, subject: Subject) -> None:
    missed = [
        line
        for line in attacks(kind)
        if risk_score(found := screened("x", line, subject)) < BLOCKING_SCORE or not {*reasons(found)} & {*KINDS[kind]}
    ]
    assert missed == []


@pytest.mark.parametrize("subject", SUBJECTS)
@pytest.mark.parametrize("text", ["a\0b", "\0", "a\x01b", "\x1b[31mred", "a\x7f", "a%0d%0aSet-Cookie: a=b"])
def test_characters_that_nobody_types_are_found(text: str, subject: Subject) -> None:
    assert risk_score(screened("x", text, subject)) >= BLOCKING_SCORE


@pytest.mark.parametrize("text", ["a\tb\nc\r\nd", "a\x0bb", "a\x0cb", "don\x92t", "\ufeffa", "a\u200db", "a\u200fb"])
def test_characters_that_programs_leave_in_texts_pass(text: str) -> None:
    assert names(text) == []


def test_a_name_that_is_shown_backwards_is_found_and_a_text_is_not() -> None:
    assert names("talk\u202egpj.exe", "name") == ["turned_name"]
    assert names("talk\u202egpj.exe") == []


@pytest.mark.parametrize("prefix", ["", "a talk about ", "первый ", "x" * 30_000 + " "])
@pytest.mark.parametrize("attack", ["<script>alert(1)</script>", "../../../etc/passwd", "<img src=x onerror=alert(1)>"])
def test_attacks_are_found_behind_other_text(attack: str, prefix: str) -> None:
    assert names(prefix + attack)


def test_an_attack_is_found_wherever_a_long_text_is_cut() -> None:
    for at in range(19_900, 20_100, 7):
        assert names("x " * (at // 2) + "<script>alert(1)</script>" + " y" * 500), at


# ---------------------------------------------------------------- rules


def test_rules_have_names_of_their_own_and_block_alone() -> None:
    assert len({rule.name for rule in RULES}) == len(RULES) < 30
    assert all(BLOCKING_SCORE <= rule.score <= 10 for rule in RULES)


def test_every_rule_is_needed_by_an_attack_or_a_character() -> None:
    texts = [line for kind in KINDS for line in attacks(kind)] + ["\0", "\x01", "a%0d%0aSet-Cookie: a=b", "a\u202eb"]
    used = {name for text in texts for subject in SUBJECTS for name in names(text, subject)}
    assert {rule.name for rule in RULES} - used == set()


def test_a_score_sums_rules_once_and_ends_at_ten() -> None:
    weak, strong = RULES[1], RULES[2]
    assert risk_score([]) == 0
    assert risk_score([Finding("a", weak), Finding("b", weak)]) == weak.score == 6
    assert risk_score([Finding("a", weak), Finding("b", strong)]) == 10
    assert reasons([Finding("a", weak), Finding("b", strong)]) == (strong.reason,)


# ---------------------------------------------------------------- forms


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("%3Cb%3E", "<b>"),
        ("%253Cb%253E", "<b>"),
        ("%25253Cb", "%3cb"),
        ("&lt;b&gt;", "<b>"),
        ("&#60;b&#x3E;", "<b>"),
        ("&#0000060;b", "<b"),
        ("&amp;lt;b", "<b"),
        ("%u003cb", "<b"),
        ("\\u003cb\\x3e", "<b>"),
        ("\uff1cb\uff1e", "<b>"),
        ("\ufe64b\ufe65", "<b>"),
        ("\U0001d4fc\U0001d4ec\U0001d4fb\U0001d4f2\U0001d4f9\U0001d4fd", "script"),
        ("\ufb01le", "file"),
        ("s\u200bcr\u00adipt", "script"),
        ("a \t\n b", "a\nb"),
        ("100%", "100%"),
        ("50 % & more; &copy; &nothing", "50 % & more; &copy; &nothing"),
        ("&#99999999;", "&#99999999;"),
        ("&#xD800;", "&#xd800;"),
    ],
)
def test_a_text_is_read_as_it_is_meant(text: str, meant: str) -> None:
    assert Forms(text).plain == meant


@given(st.text())
def test_any_text_can_be_looked_at(text: str) -> None:
    for subject in SUBJECTS:
        screened("x", text, subject)
    decoded(text)


@given(st.text(st.sampled_from("<>'\"()/\\;|&$`{}%#.-=+* \n\taeior1selctunp"), max_size=200))
def test_any_text_of_what_attacks_are_made_of_can_be_looked_at(text: str) -> None:
    for subject in SUBJECTS:
        screened("x", text, subject)


HUGE = """
import resource, sys
from whispercore.screening.texts import screened
resource.setrlimit(resource.RLIMIT_CPU, (15, 15))
size = 100_000
for piece in sys.argv[1:]:
    text = piece * (size // len(piece))
    screened("x", text)
    screened("x", text[:5_000], "name")
"""
PIECES = [
    *["a", " ", "'", '"a', "<a ", "<script>", "(", "') or ", "../", "..;/", "%", "&", "&#0", "; ", "a|", "`a", "$("],
    *["javascript:", "data:", "{{", "/*", "--", "\\x3c", "e\u0301\u0316", "1 or ", "x=", "../etc/", "<?php ", "nc "],
    *["' and (select ", "\n", ";cat /", ";grep x", "<style ", " onload=", "or 'a", "union select ", "\u202e"],
]


def test_much_of_anything_takes_seconds_and_not_hours() -> None:
    """The limit is of CPU time, and generous: a single search that is not linear takes longer for a single one."""
    done = subprocess.run([sys.executable, "-c", HUGE, *PIECES], timeout=170, check=False)
    assert done.returncode == 0
