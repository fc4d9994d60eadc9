"""Attempts at windows: all in one batch, and then those that were decoded badly, one by one, at higher temperatures.

The batches of faster-whisper know no temperature: whatever it is, they take the likeliest token. Its way for single
windows does, by Whisper's own rules for when to try again and which attempt to keep; so it gets those that need it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final, TypedDict

import numpy as np
from faster_whisper import BatchedInferencePipeline
from faster_whisper.transcribe import get_compression_ratio

if TYPE_CHECKING:
    from ctranslate2 import StorageView
    from faster_whisper.tokenizer import Tokenizer
    from faster_whisper.transcribe import TranscriptionOptions

_LEAST_LOGPROB: Final = -1.0
_MOST_COMPRESSION: Final = 2.4
_SILENT: Final = 0.6
"""Whisper's own thresholds, as the way for single windows has them."""

Features = np.ndarray[tuple[int, ...], np.dtype[np.float32]]
"""Spectrograms, as the encoder takes them."""


class Attempt(TypedDict):
    """What was decoded in a window, as faster-whisper hands it on."""

    tokens: list[int]
    avg_logprob: float
    no_speech_prob: float


class Attempts(BatchedInferencePipeline):  # type: ignore[misc]  # it has no types
    """Decodes batches, at the temperatures that are set."""

    temperatures: Sequence[float] = (0.0,)
    """Tried in this order until a window is decoded well."""

    def generate_segment_batched(
        self, features: Features, tokenizer: Tokenizer, options: TranscriptionOptions
    ) -> tuple[StorageView, list[Attempt]]:
        """What the encoder makes of a batch, and the attempt that is kept of each window."""
        first, *others = self.temperatures
        if first > 0:
            encoded = self.model.encode(features)
            return encoded, [self._sampled(one, tokenizer, options, (first, *others)) for one in features]
        encoded, attempts = super().generate_segment_batched(features, tokenizer, options)
        if others:
            attempts = [
                attempt if _is_good(attempt, tokenizer) else self._again(attempt, one, tokenizer, options)
                for one, attempt in zip(features, attempts, strict=True)
            ]
        return encoded, attempts

    def _again(
        self, before: Attempt, features: Features, tokenizer: Tokenizer, options: TranscriptionOptions
    ) -> Attempt:
        """Another attempt, unless the one before is the better of two that are bad."""
        after = self._sampled(features, tokenizer, options, self.temperatures[1:])
        kept = [one for one in (before, after) if not _is_repetitive(one, tokenizer)] or [before, after]
        if _is_good(after, tokenizer):
            return after
        return max(kept, key=lambda one: one["avg_logprob"])

    def _sampled(
        self,
        features: Features,
        tokenizer: Tokenizer,
        options: TranscriptionOptions,
        temperatures: Sequence[float],
    ) -> Attempt:
        prompt = self.model.get_prompt(
            tokenizer,
            previous_tokens=tokenizer.encode(str(options.initial_prompt)) if options.initial_prompt else [],
            without_timestamps=options.without_timestamps,
            hotwords=options.hotwords,
        )
        result, avg_logprob, _, _ = self.model.generate_with_fallback(
            self.model.encode(features), prompt, tokenizer, replace(options, temperatures=list(temperatures))
        )
        return Attempt(tokens=result.sequences_ids[0], avg_logprob=avg_logprob, no_speech_prob=result.no_speech_prob)


def _is_good(attempt: Attempt, tokenizer: Tokenizer) -> bool:
    unlikely = attempt["avg_logprob"] < _LEAST_LOGPROB
    if unlikely and attempt["no_speech_prob"] > _SILENT:
        return True  # silence, at whatever temperature
    return not unlikely and not _is_repetitive(attempt, tokenizer)


def _is_repetitive(attempt: Attempt, tokenizer: Tokenizer) -> bool:
    text = tokenizer.decode(attempt["tokens"]).strip()
    return bool(get_compression_ratio(text) > _MOST_COMPRESSION)
