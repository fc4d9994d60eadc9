"""Operations done to segments. Nothing here knows where transcripts are kept."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import singledispatchmethod
from itertools import islice
from typing import NoReturn, TypeVar

from attrs import define, evolve, field

from whispercore.errors import InvalidRequest
from whispercore.formats.line import is_seen, one_line
from whispercore.languages import joined
from whispercore.transcript import Segment, Word
from whispercore.transcripts.alignment import aligned, cut, fitted
from whispercore.transcripts.operations import (
    LONGEST_TEXT,
    Insert,
    Merge,
    Move,
    Operation,
    Remove,
    SetSpeaker,
    SetText,
    Split,
)

_T = TypeVar("_T")
_TOLERANCE_S = 0.0005
"""Times are told in milliseconds."""


def edited(
    segments: Iterable[Segment], operations: Sequence[Operation], *, language: str, duration_s: float
) -> tuple[Segment, ...]:
    """The segments after all operations, one after the other.

    Segments that no operation was about stay as they are. Borders are checked at the end, so that two neighbours can
    be moved in any order: those that were set lie inside the recording, and no segment reaches into the next one of its
    channel. What overlapped before may stay as it is.

    Args:
        segments: In order of time.
        operations: What is to be done.
        language: How texts are put together.
        duration_s: Of the recording.

    Raises:
        InvalidRequest: An operation cannot be done: ``operations[3].segment: …``.
    """
    draft = _Draft(language, duration_s, [_Piece(segment, number) for number, segment in enumerate(segments)])
    for number, operation in enumerate(operations):
        draft.at = f"operations[{number}]"
        draft.do(operation)
    return draft.checked()


def renamed(segments: Iterable[Segment], speaker: str | None, name: str | None) -> tuple[Segment, ...]:
    """The segments with another name for a speaker.

    Args:
        segments: All of a transcript.
        speaker: Who it was; None for segments of nobody.
        name: Who it is; None for nobody.
    """
    return tuple(
        evolve(one, speaker=name, words=_spoken_by(one.words, name)) if one.speaker == speaker else one
        for one in segments
    )


def name_of(speaker: str | None, at: str) -> str | None:
    """A speaker's name as it is kept: in one line.

    Raises:
        InvalidRequest: Nothing of it can be seen.
    """
    if speaker is None:
        return None
    if not is_seen(name := one_line(speaker)):
        raise InvalidRequest.one(at, "nothing of it can be seen; null is for nobody")
    return name


def _spoken_by(words: Iterable[Word], name: str | None) -> tuple[Word, ...]:
    return tuple(evolve(word, speaker=name) if word.speaker is not None else word for word in words)


@define(eq=False)
class _Piece:
    """A segment in the making."""

    segment: Segment
    order: float
    """Its place among those that were there; of those that came in, behind all."""
    start_by: str | None = None
    """The field that has set where it begins."""
    end_by: str | None = None


@define
class _Draft:
    """Segments in the making."""

    language: str
    duration_s: float
    pieces: list[_Piece]
    at: str = field(init=False, default="")
    """The operation that is being done, as problems name it."""
    _timed: bool = field(init=False, default=False)

    @singledispatchmethod
    def do(self, operation: Operation) -> None:
        """Do one operation."""
        raise TypeError(f"{operation!r} is no operation")

    @do.register
    def _(self, operation: SetText) -> None:
        piece = self._piece(operation.segment)
        was, text = piece.segment, self._text(operation.text)
        if text != was.text:
            words = aligned(was.words, text, was.start_s, was.end_s)
            # what somebody has written was not measured
            piece.segment = evolve(was, text=text, words=words, confidence=None, quality=None)

    @do.register
    def _(self, operation: SetSpeaker) -> None:
        piece = self._piece(operation.segment)
        name = name_of(operation.speaker, f"{self.at}.speaker")
        piece.segment = evolve(piece.segment, speaker=name, words=_spoken_by(piece.segment.words, name))

    @do.register
    def _(self, operation: Split) -> None:
        piece = self._piece(operation.segment)
        was = piece.segment
        texts = was.text[: operation.at].strip(), was.text[operation.at :].strip()
        if not all(texts):
            self._refuse("at", f"the text has {len(was.text)} characters, and one of the two would have none")
        left, right, told_s = cut(was.words, was.text, operation.at)
        if told_s is None:
            told_s = round(was.start_s + (was.end_s - was.start_s) * operation.at / len(was.text), 3)
        natural_s = min(max(told_s, was.start_s), was.end_s)
        border_s = natural_s if operation.time_s is None else operation.time_s
        if operation.time_s is not None and not was.start_s < border_s < was.end_s:
            self._refuse("time", f"{border_s:g} is not between {was.start_s:g} and {was.end_s:g}, where it is")
        old = (was.start_s, natural_s), (natural_s, was.end_s)
        new = (was.start_s, border_s), (border_s, was.end_s)
        halves = [
            evolve(was, text=text, start_s=its[0], end_s=its[1], words=fitted(words, before, its))
            for text, words, before, its in zip(texts, (left, right), old, new, strict=True)
        ]
        piece.segment = halves[0]
        behind = _Piece(halves[1], piece.order, end_by=piece.end_by)
        piece.end_by = None
        self.pieces.insert(operation.segment + 1, behind)
        self._timed = True

    @do.register
    def _(self, operation: Merge) -> None:
        first = self._piece(operation.segment)
        channel = first.segment.channel
        of_channel = (
            place
            for place in range(operation.segment, len(self.pieces))
            if self.pieces[place].segment.channel == channel
        )
        places = list(islice(of_channel, operation.count))
        together = [self.pieces[place] for place in places]
        if len(together) < operation.count:
            self._refuse("count", f"only {len(together)} are left from there")
        speakers = dict.fromkeys(one.segment.speaker for one in together)
        if len(speakers) > 1:
            named = ", ".join("nobody" if one is None else repr(one) for one in speakers)
            self._refuse("segment", f"they are of several speakers ({named}): set the speaker first")
        segments = [one.segment for one in together]
        text = joined((one.text for one in segments), self.language)
        if len(text) > LONGEST_TEXT:
            self._refuse("count", f"together they have {len(text)} characters, and {LONGEST_TEXT} are allowed")
        language = _same(one.language for one in segments)
        last = max(together, key=lambda one: one.segment.end_s)
        first.segment = evolve(
            segments[0],
            text=text,
            start_s=min(one.start_s for one in segments),
            end_s=last.segment.end_s,
            words=tuple(word for one in segments for word in one.words) if all(one.words for one in segments) else (),
            confidence=_mean(segments),
            quality=None,
            language=language,
            language_probability=_same(one.language_probability for one in segments) if language else None,
        )
        first.end_by = last.end_by
        for place in reversed(places[1:]):
            del self.pieces[place]

    @do.register
    def _(self, operation: Move) -> None:
        piece = self._piece(operation.segment)
        was = piece.segment
        if operation.start_s is None and operation.end_s is None:
            self._refuse("start", "it needs a start, an end, or both")
        start_s = was.start_s if operation.start_s is None else operation.start_s
        end_s = was.end_s if operation.end_s is None else operation.end_s
        start_by = self._set("start", operation.start_s)
        end_by = self._set("end", operation.end_s)
        self._order(start_s, end_s, "start" if operation.end_s is None else "end")
        words = fitted(was.words, (was.start_s, was.end_s), (start_s, end_s))
        piece.segment = evolve(was, start_s=start_s, end_s=end_s, words=words)
        piece.start_by, piece.end_by = start_by or piece.start_by, end_by or piece.end_by

    @do.register
    def _(self, operation: Insert) -> None:
        start_by, end_by = self._set("start", operation.start_s), self._set("end", operation.end_s)
        self._order(operation.start_s, operation.end_s, "end")
        segment = Segment(
            text=self._text(operation.text),
            start_s=operation.start_s,
            end_s=operation.end_s,
            speaker=name_of(operation.speaker, f"{self.at}.speaker"),
            channel=operation.channel,
        )
        place = next(
            (number for number, one in enumerate(self.pieces) if one.segment.start_s > segment.start_s),
            len(self.pieces),
        )
        self.pieces.insert(place, _Piece(segment, float("inf"), start_by, end_by))

    @do.register
    def _(self, operation: Remove) -> None:
        self._piece(operation.segment)
        del self.pieces[operation.segment]

    # ------------------------------------------------------------ checks

    def checked(self) -> tuple[Segment, ...]:
        """The segments in order of time, if their borders are right."""
        if self._timed:
            self.pieces.sort(key=lambda one: one.segment.start_s)
        last: dict[int | None, _Piece] = {}
        for piece in self.pieces:
            before = last.get(piece.segment.channel)
            if before is not None and before.segment.end_s > piece.segment.start_s + _TOLERANCE_S:
                self._check_overlap(before, piece)
            if before is None or before.segment.end_s <= piece.segment.end_s:
                last[piece.segment.channel] = piece
        return tuple(piece.segment for piece in self.pieces)

    def _check_overlap(self, one: _Piece, other: _Piece) -> None:
        if one.order < other.order and one.end_by is None and other.start_by is None:
            return  # they did so before
        setters = ((one.end_by, other), (other.start_by, one), (one.start_by, other), (other.end_by, one))
        for name, neighbour in setters:
            if name is not None:
                raise InvalidRequest.one(
                    name,
                    f"it would reach into the segment from {neighbour.segment.start_s:g} to "
                    f"{neighbour.segment.end_s:g} s: move that as well",
                )

    def _piece(self, place: int) -> _Piece:
        if place >= len(self.pieces):
            self._refuse("segment", f"there are {len(self.pieces)} segments; the first is 0")
        return self.pieces[place]

    def _text(self, text: str) -> str:
        made = one_line(text)
        if not is_seen(made):
            self._refuse("text", "nothing of it can be seen; take the segment out if nothing was said")
        return made

    def _set(self, name: str, at_s: float | None) -> str | None:
        """What has set this border, if something has."""
        if at_s is None:
            return None
        self._timed = True
        if at_s > self.duration_s + _TOLERANCE_S:
            self._refuse(name, f"{at_s:g} is behind the end of the recording, which is {self.duration_s:g} s long")
        return f"{self.at}.{name}"

    def _order(self, start_s: float, end_s: float, name: str) -> None:
        if start_s >= end_s:
            self._refuse(name, f"it would begin at {start_s:g} and end at {end_s:g}")

    def _refuse(self, name: str, reason: str) -> NoReturn:
        raise InvalidRequest.one(f"{self.at}.{name}", reason)


def _same(values: Iterable[_T]) -> _T | None:
    """What all have; None where they differ."""
    different = set(values)
    return different.pop() if len(different) == 1 else None


def _mean(segments: Iterable[Segment]) -> float | None:
    """Of their confidences, each counted by its words; None when one of them is not known."""
    weights = [(one.confidence, max(1, len(one.text.split()))) for one in segments]
    total = sum(weight for _, weight in weights)
    known = [value * weight for value, weight in weights if value is not None]
    return round(sum(known) / total, 4) if len(known) == len(weights) else None
