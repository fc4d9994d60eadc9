"""The page on screening has every rule with its score."""

from __future__ import annotations

import re
from pathlib import Path

from whispercore.screening import texts, uploads

PAGE = Path(__file__).parents[2] / "docs" / "explanation" / "input-screening.md"
ROW = re.compile(r"^\| `(\w+)` \| (\d+) \|", re.MULTILINE)


def test_every_rule_is_on_the_page_with_its_score() -> None:
    rules = {rule.name: rule.score for rule in (*texts.RULES, *uploads.RULES)}
    assert {name: int(score) for name, score in ROW.findall(PAGE.read_text())} == rules
