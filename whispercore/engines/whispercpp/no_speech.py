"""The probability that nobody speaks, as OpenAI's decoder has it: that of the token for it, right behind the start.

whisper.cpp (1.8.5) has a figure of that name too. It reads it from the first row of its logits, where it only fills the
last one, so that it is the same for silence and for speech. One step of the decoder, while the state still holds
the encoded sound, tells the real one.
"""

from __future__ import annotations

import ctypes as C  # noqa: N812
import math

from attrs import define, field

_NOTHING = 1e-5
"""What is less is shown as 0."""


@define(eq=False)
class NoSpeech:
    """For each segment of one computation."""

    library: C.CDLL
    context: int
    state: int
    threads: int
    _found: list[float | None] = field(factory=list, init=False)

    def ask(self) -> None:
        """For the segments that came since: those of the sound that the state holds now."""
        count = self.library.whisper_full_n_segments_from_state(self.state) - len(self._found)
        if count > 0:
            self._found += [self._probability()] * count

    def of(self, segment: int) -> float | None:
        """Between 0 and 1; None where the decoder does not tell."""
        return self._found[segment]

    def _probability(self) -> float | None:
        c, context, state = self.library, self.context, self.state
        start = (C.c_int * 1)(c.whisper_token_sot(context))
        if c.whisper_decode_with_state(context, state, start, 1, 0, self.threads) != 0:
            return None
        logits = c.whisper_get_logits_from_state(state)[: c.whisper_n_vocab(context)]
        silent, most = logits[c.whisper_token_nosp(context)], max(logits)
        if math.exp(silent - most) < _NOTHING:
            return 0.0
        return math.exp(silent - most) / sum(math.exp(one - most) for one in logits)
