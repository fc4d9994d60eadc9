"""A transcript as server-sent events, while it grows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

import orjson
from attrs import define, field

from whispercore.api.openai.dialect import OPENAI
from whispercore.api.openai.transcription import TextDelta, TextDone, TextSegment
from whispercore.contract.dialect import Meta
from whispercore.contract.status import status_of
from whispercore.contract.wire import dumps
from whispercore.errors import WhispercoreError
from whispercore.languages import space_between
from whispercore.transcript import Segment, Transcript
from whispercore_server.plugins.openai import views
from whispercore_server.plugins.openai.wish import Wish


@define
class Telling:
    """What was told of a transcript so far.

    Args:
        wish: Whether speakers and probabilities are told too.
    """

    wish: Wish
    _told: int = field(default=0, init=False)
    """How many segments."""
    _has_text: bool = field(default=False, init=False)
    _labels: dict[str, str] = field(factory=dict, init=False)

    def more(self, segments: Sequence[Segment], language: str) -> Iterator[bytes]:
        """The events of segments that were not told yet.

        Args:
            segments: All that there are by now.
            language: Decides what stands between them.
        """
        while self._told < len(segments):
            place, self._told = self._told, self._told + 1
            yield from self._of(place, segments[place], language)

    def done(self, transcript: Transcript) -> bytes:
        """The last event."""
        logprobs = views.logprobs(transcript.segments, transcript.language) if self.wish.logprobs else None
        return _event(TextDone(text=transcript.text, logprobs=logprobs))

    def _of(self, place: int, segment: Segment, language: str) -> Iterator[bytes]:
        by_speaker = self.wish.response_format == "diarized_json"
        said = views.text_segment(place, segment, self._labels) if by_speaker else None
        text = segment.text.strip()
        if text:
            is_first = not self._has_text
            delta = TextDelta(
                delta=text if is_first else space_between(language) + text,
                logprobs=views.logprobs((segment,), language, is_first=is_first) if self.wish.logprobs else None,
                segment_id=said.id if said is not None else None,
            )
            self._has_text = True
            yield _event(delta)
        if said is not None:
            yield _event(said)


def failed(error: WhispercoreError) -> bytes:
    """The event of an error: nothing follows."""
    body = OPENAI.render(error, status_of(error), Meta(request_id="", at=datetime.now(UTC)))
    return _sent("error", orjson.dumps(body))


def _event(event: TextDelta | TextSegment | TextDone) -> bytes:
    return _sent(event.type, dumps(event))


def _sent(name: str, data: bytes) -> bytes:
    return f"event: {name}\ndata: ".encode() + data + b"\n\n"
