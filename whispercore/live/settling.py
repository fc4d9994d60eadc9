"""The final segments of an utterance: what its last pass has heard, behind what was settled before."""

from __future__ import annotations

import math
from collections.abc import Sequence

from whispercore.languages import joined
from whispercore.live.utterances import Utterance
from whispercore.quality import Quality, judged
from whispercore.split import mean_confidence
from whispercore.transcript import Segment, Word


def settled(utterance: Utterance, language: str) -> list[Segment]:
    """The segments of the last pass; or one of all words, where others were settled before than it has heard.

    Args:
        utterance: One that has ended.
        language: Decides what stands between words.
    """
    words = utterance.agreement.settled(utterance.words)
    if tuple(words) == utterance.words or not words:
        return [one for one in utterance.heard if one.text.strip()]
    text = joined((word.text for word in words), language)
    return [
        Segment(
            text=text,
            start_s=words[0].start_s,
            end_s=max(word.end_s for word in words),
            words=words,
            confidence=mean_confidence(words),
            quality=_quality(text, words, utterance.heard),
        )
    ]


def _quality(text: str, words: Sequence[Word], heard: Sequence[Segment]) -> Quality | None:
    """Of words from several passes; None where the engine does not tell.

    Their tokens are not known any more, so that each word counts as one. Whether anybody speaks at all is what the last
    pass says, which has heard most.
    """
    told = [one.quality for one in heard if one.quality is not None]
    if not told:
        return None
    logs = [math.log(word.confidence) for word in words if word.confidence]
    silent = [one.no_speech_prob for one in told if one.no_speech_prob is not None]
    return judged(
        text,
        avg_logprob=sum(logs) / len(logs) if logs else None,
        no_speech_prob=sum(silent) / len(silent) if silent else None,
    )
