"""What a live session is asked for."""

from __future__ import annotations

from attrs import field, frozen

from whispercore.engines.engine import Options
from whispercore.hallucinations import Hallucinations
from whispercore.live.utterances import Pauses


@frozen(kw_only=True)
class LiveOptions:
    """What a session is asked for."""

    decoding: Options = field(factory=Options)
    hallucinations: Hallucinations = field(factory=Hallucinations)
    """What is done with final text that was made up. Nothing is carried into prompts."""
    partials: bool = True
    """Whether there are passes before an utterance has ended."""
    pauses: Pauses = field(factory=Pauses)
