"""The course of a segment: which of its characters is said when.

Where the times of words are known they are taken; between them, and where there are none, time passes evenly from
character to character. Text that was edited after its words were heard keeps the times of those that are still there.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator

from attrs import frozen

from whispercore.formats.line import one_line
from whispercore.formats.timestamps import milliseconds
from whispercore.transcript import Segment

_FURTHEST = 40
"""Characters beyond its own length that a word is looked for: further away it would be another one."""


@frozen
class Course:
    """Offsets in a text, and their times."""

    _offsets: tuple[int, ...]
    _times: tuple[int, ...]
    """In milliseconds, never falling."""

    @classmethod
    def of(cls, segment: Segment, text: str, begins: int) -> Course:
        """That of a segment.

        Args:
            segment: What was said, and when.
            text: Its text in one line, with or without a name before.
            begins: Where in the text it begins.

        Raises:
            ValueError: A time is not finite.
        """
        start_ms = milliseconds(segment.start_s)
        end_ms = max(milliseconds(segment.end_s), start_ms + 1)
        points = [(begins, start_ms)] if begins else []
        at = start_ms
        for offset, time_ms in _anchors(segment, text, begins):
            at = min(max(at, time_ms), end_ms)
            points.append((offset, at))
        every = ((0, start_ms), *points, (len(text), end_ms))
        return cls(tuple(offset for offset, _ in every), tuple(time for _, time in every))

    @property
    def start_ms(self) -> int:
        """Of the segment."""
        return self._times[0]

    @property
    def end_ms(self) -> int:
        """Of the segment, and a millisecond after its start at least."""
        return self._times[-1]

    def begins(self, offset: int) -> int:
        """When the character behind this offset begins."""
        after = bisect_right(self._offsets, offset)
        return self._between(after - 1, after, offset)

    def ends(self, offset: int) -> int:
        """When the character before this offset ends."""
        after = bisect_left(self._offsets, offset)
        return self._between(after - 1, after, offset)

    def _between(self, before: int, after: int, offset: int) -> int:
        if after >= len(self._offsets):
            return self._times[-1]
        if before < 0:
            return self._times[0]
        left, right = self._offsets[before], self._offsets[after]
        begin, end = self._times[before], self._times[after]
        return begin + (end - begin) * (offset - left) // (right - left)


def _anchors(segment: Segment, text: str, begins: int) -> Iterator[tuple[int, int]]:
    at = begins
    for word in segment.words:
        said = one_line(word.text)
        found = text.find(said, at, at + 2 * len(said) + _FURTHEST) if said else -1
        if found >= 0:
            at = found + len(said)
            yield found, milliseconds(word.start_s)
            yield at, milliseconds(word.end_s)
