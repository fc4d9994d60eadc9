"""What a live session is asked for."""

from __future__ import annotations

from attrs import field, frozen

from whispercore.engines.engine import Options
from whispercore.live.utterances import Pauses


@frozen(kw_only=True)
class LiveOptions:
    """What a session is asked for."""

    decoding: Options = field(factory=Options)
    partials: bool = True
    """Whether there are passes before an utterance has ended."""
    pauses: Pauses = field(factory=Pauses)
