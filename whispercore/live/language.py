"""The language of a session: what its first utterances say together, until it is likely."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

from attrs import define, field

from whispercore.detection import combined, detectable
from whispercore.engines.engine import DetectedLanguage

_SURE: Final = 0.5
_LOOKS: Final = 3
"""In so many utterances it is looked for, while it is less likely than ``_SURE``."""


@define
class LanguageSearch:
    """What was found so far.

    Args:
        allowed: The codes of languages that it may be; empty for all.
    """

    allowed: Sequence[str] = ()
    found: DetectedLanguage | None = field(default=None, init=False)
    """The likeliest, by all looks; None before the first one."""
    _looks: int = field(default=0, init=False)
    _heard: list[DetectedLanguage] = field(factory=list, init=False)

    def begins(self) -> bool:
        """Whether it is worth while to look once more; that look counts."""
        if self._looks >= _LOOKS or (self.found is not None and self.found.probability >= _SURE):
            return False
        self._looks += 1
        return True

    def take(self, heard: DetectedLanguage, known: Collection[str]) -> DetectedLanguage | None:
        """Take what a look has found, and give the language if it is another one now.

        Args:
            heard: Of all languages.
            known: Those of the model.

        Raises:
            InvalidOption: It knows none of those that are allowed.
        """
        allowed, before = detectable(self.allowed, known), self.found
        self._heard.append(heard)
        self.found = found = combined(self._heard, allowed)
        return found if before is None or before.code != found.code else None
