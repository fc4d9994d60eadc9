"""What is looked for, and what was found."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, Literal

from attrs import frozen

from whispercore.screening.forms import Forms

Subject = Literal["name", "text"]
"""``name``: one line that names something: a file, a user, an id. ``text``: whatever people write."""

BLOCKING_SCORE: Final = 5
"""A request whose findings reach this together is refused."""
HIGHEST_SCORE: Final = 10

SCRIPT: Final = "XSS attempt detected"
SQL: Final = "SQL injection attempt detected"
COMMAND: Final = "Command injection attempt detected"
TRAVERSAL: Final = "Path traversal attempt detected"
CHARACTERS: Final = "Forbidden control characters detected"
UPLOAD: Final = "Malicious file upload detected"


@frozen
class Rule:
    """One thing that is looked for."""

    name: str
    """Stable, for programs and the audit trail."""
    reason: str
    """For people; several rules share one."""
    score: int
    """How bad it is and how sure, 1 to 10."""


@frozen
class TextRule(Rule):
    """Something in a text."""

    matches: Callable[[Forms, Subject], bool]
    """Takes time in proportion to the length of the text."""


@frozen
class Finding:
    """A rule that fits."""

    field: str
    """Where: the name of the field, ``file`` for an upload."""
    rule: Rule


def risk_score(findings: Iterable[Finding]) -> int:
    """0 to 10: what the rules that fit score together, each counted once."""
    return min(HIGHEST_SCORE, sum({found.rule.name: found.rule.score for found in findings}.values()))


def reasons(findings: Iterable[Finding]) -> tuple[str, ...]:
    """Why, in words, the gravest first and each once."""
    ordered = sorted(findings, key=lambda found: -found.rule.score)
    return tuple(dict.fromkeys(found.rule.reason for found in ordered))
