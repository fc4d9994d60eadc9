"""How far two texts are from each other."""

from __future__ import annotations

import re
from difflib import SequenceMatcher


def unlike(reference: str, heard: str) -> float:
    """Words that are added, missing or others, in per cent of those of the reference."""
    before, after = (re.findall(r"[\w']+", text.lower()) for text in (reference, heard))
    edits = SequenceMatcher(None, before, after, autojunk=False).get_opcodes()
    wrong = sum(max(i2 - i1, j2 - j1) for kind, i1, i2, j1, j2 in edits if kind != "equal")
    return 100 * wrong / max(1, len(before))
