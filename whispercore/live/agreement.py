"""Local agreement: what two passes over a growing utterance have both heard is not taken back.

The idea is LocalAgreement-2 (Liu et al., 2020; Macháček et al., 2023, *Turning Whisper into Real-Time Transcription
System*): a word is settled when two passes, one of which has heard more, agree on it and on all before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from attrs import define

from whispercore.transcript import Word

_EDGE_S: Final = 0.4
"""Words that end so near to the end of what was heard may be halves of others."""


@define
class Agreement:
    """The words of one utterance on their way to be settled."""

    stable: tuple[Word, ...] = ()
    """Those that are."""
    _before: tuple[Word, ...] = ()

    def hear(self, words: Sequence[Word], until_s: float) -> tuple[Word, ...]:
        """Take the words of another pass.

        Args:
            words: Of the whole utterance.
            until_s: How far the pass has listened.

        Returns:
            The words of the utterance: the stable ones, and behind them those of this pass.
        """
        sure = [word for word in words[:-1] if word.end_s <= until_s - _EDGE_S]
        agreed = _common(self._before, sure)
        if agreed > len(self.stable) and _common(self.stable, words) == len(self.stable):
            self.stable = tuple(words[:agreed])
        self._before = tuple(words)
        return self.settled(words)

    def settled(self, words: Sequence[Word]) -> tuple[Word, ...]:
        """The stable words, and behind them the rest of these."""
        return (*self.stable, *words[_matching(self.stable, words) :])

    def split(self, at_s: float) -> Agreement:
        """Leave the words behind a cut to what follows it, and give its agreement."""
        here = sum((word.start_s + word.end_s) / 2 < at_s for word in self.stable)
        rest = self.stable[here:]
        self.stable = self.stable[:here]
        self._before = ()
        return Agreement(stable=rest)


def _common(before: Sequence[Word], after: Sequence[Word]) -> int:
    """How many words at the beginning are the same, to the letter."""
    same = 0
    for one, other in zip(before, after, strict=False):
        if one.text != other.text:
            break
        same += 1
    return same


def _matching(stable: Sequence[Word], words: Sequence[Word]) -> int:
    """How many of the words are those that are stable: the beginning that is most like them (edit distance)."""
    if _common(stable, words) == len(stable):
        return len(stable)
    costs = list(range(len(words) + 1))
    for row, expected in enumerate(stable, 1):
        diagonal, costs[0] = costs[0], row
        for column, word in enumerate(words, 1):
            wrong = diagonal + (word.text.casefold() != expected.text.casefold())
            diagonal, costs[column] = costs[column], min(costs[column] + 1, costs[column - 1] + 1, wrong)
    return min(range(len(costs)), key=lambda column: (costs[column], abs(column - len(stable))))
