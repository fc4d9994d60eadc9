"""The language of a session: looked for in its first utterances, until it is likely."""

from __future__ import annotations

from typing import Final

from attrs import define, field

from whispercore.engines.engine import DetectedLanguage

_SURE: Final = 0.5
_LOOKS: Final = 3
"""In so many utterances it is looked for, while it is less likely than ``_SURE``."""


@define
class LanguageSearch:
    """What was found so far."""

    found: DetectedLanguage | None = field(default=None, init=False)
    """The likeliest; None before the first look."""
    _looks: int = field(default=0, init=False)

    def begins(self) -> bool:
        """Whether it is worth while to look once more; that look counts."""
        if self._looks >= _LOOKS or (self.found is not None and self.found.probability >= _SURE):
            return False
        self._looks += 1
        return True

    def take(self, found: DetectedLanguage) -> bool:
        """Take what a look has found, and say whether the language is another one now."""
        before = self.found
        if before is not None and before.probability >= found.probability:
            return False
        self.found = found
        return before is None or before.code != found.code
