"""Utterances as items of a realtime session: the events of ours as those of OpenAI."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from attrs import define, field

from whispercore.api.openai import realtime as api
from whispercore.api.openai.realtime import FromRealtime, Item
from whispercore.api.openai.transcription import Usage
from whispercore.languages import joined
from whispercore.live import events
from whispercore.transcript import Segment
from whispercore_server.plugins.openai import views

_MS: Final = 1000


@define
class EventIds:
    """Names the events of a session, and its items."""

    session_id: str
    _events: int = 0
    _items: int = 0

    def event(self) -> str:
        """A new one for an event."""
        self._events += 1
        return f"event_{self.session_id}_{self._events}"

    def item(self) -> str:
        """A new one for an item."""
        self._items += 1
        return f"item_{self.session_id}_{self._items}"


@define(eq=False)
class _Spoken:
    """An item on its way: one utterance, or several that no pause has parted."""

    id: str
    last: int | None = None
    """Number of its last utterance, once that has ended."""
    texts: list[str] = field(factory=list)
    segments: list[Segment] = field(factory=list)
    seconds: float = 0.0
    told: str = ""
    """The deltas so far."""


@define(kw_only=True)
class Items:
    """The items of one stretch of a session, in which nothing of how it transcribes is changed."""

    ids: EventIds
    begins_s: float
    """When the stretch begins, in the time of the session."""
    detects_turns: bool
    """Whether pauses end an utterance, and are told."""
    logprobs: bool
    language: Callable[[], str]
    """Of the text."""
    previous_id: str | None = field(default=None, init=False)
    """The last item that was told of."""
    _of: dict[int, _Spoken] = field(factory=dict, init=False)
    """The item of each utterance whose text is not complete."""
    _going_on: _Spoken | None = field(default=None, init=False)
    """The one that the next utterance belongs to."""

    def told(self, event: events.LiveEvent) -> Iterator[FromRealtime]:
        """What a client is told of an event."""
        match event:
            case events.SpeechStarted(utterance=utterance, start_s=start_s):
                yield from self._started(utterance, start_s)
            case events.PartialText(utterance=utterance, stable=stable):
                if (spoken := self._of.get(utterance)) is not None:
                    yield from self._more(spoken, [*spoken.texts, stable])
            case events.SpeechEnded():
                yield from self._ended(event)
            case events.FinalSegment(utterance=utterance, segment=segment):
                if (spoken := self._of.get(utterance)) is not None:
                    spoken.segments.append(segment)
            case events.UtteranceEnded(utterance=utterance):
                if (spoken := self._of.pop(utterance, None)) is not None:
                    yield from self._heard(spoken, event)

    def failed(self, error: api.RealtimeError) -> Iterator[FromRealtime]:
        """There will be no text of those whose text is not complete."""
        for item_id in dict.fromkeys(one.id for one in self._of.values()):
            yield api.TextFailed(event_id=self.ids.event(), item_id=item_id, error=error)

    def _started(self, utterance: int, start_s: float) -> Iterator[FromRealtime]:
        spoken, self._going_on = self._going_on, None
        if spoken is not None:
            self._of[utterance] = spoken
            return
        spoken = self._of[utterance] = _Spoken(self.ids.item())
        if self.detects_turns:
            yield api.SpeechStarted(
                event_id=self.ids.event(), item_id=spoken.id, audio_start_ms=self._in_session(start_s)
            )

    def _ended(self, event: events.SpeechEnded) -> Iterator[FromRealtime]:
        spoken = self._of[event.utterance]
        if event.why == "length":
            self._going_on = spoken
            return
        if event.why == "forgotten":
            self._of = {number: one for number, one in self._of.items() if one is not spoken}
            return
        spoken.last = event.utterance
        if self.detects_turns:
            yield api.SpeechStopped(
                event_id=self.ids.event(), item_id=spoken.id, audio_end_ms=self._in_session(event.end_s)
            )
        before, self.previous_id = self.previous_id, spoken.id
        item = Item(id=spoken.id)
        yield api.SoundCommitted(event_id=self.ids.event(), previous_item_id=before, item_id=item.id)
        yield api.ItemAdded(event_id=self.ids.event(), previous_item_id=before, item=item)
        yield api.ItemDone(event_id=self.ids.event(), previous_item_id=before, item=item)

    def _heard(self, spoken: _Spoken, event: events.UtteranceEnded) -> Iterator[FromRealtime]:
        spoken.seconds += event.end_s - event.start_s
        if event.text:
            spoken.texts.append(event.text)
        yield from self._more(spoken, spoken.texts)
        if spoken.last != event.utterance:
            return
        language = self.language()
        yield api.TextCompleted(
            event_id=self.ids.event(),
            item_id=spoken.id,
            transcript=joined(spoken.texts, language),
            logprobs=views.logprobs(spoken.segments, language) if self.logprobs else None,
            usage=Usage(seconds=round(spoken.seconds, 3)),
        )

    def _more(self, spoken: _Spoken, texts: Sequence[str]) -> Iterator[FromRealtime]:
        text = joined(texts, self.language())
        if len(text) > len(spoken.told) and text.startswith(spoken.told):
            delta, spoken.told = text[len(spoken.told) :], text
            yield api.TextDelta(event_id=self.ids.event(), item_id=spoken.id, delta=delta)

    def _in_session(self, time_s: float) -> int:
        return round((self.begins_s + time_s) * _MS)
