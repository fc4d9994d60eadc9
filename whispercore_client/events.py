"""Server-sent events as the WHATWG describes them, from bytes in pieces of any length."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from typing import Final

from attrs import frozen

_LINE_END: Final = re.compile(r"\r\n|\r|\n")
_LARGEST_CHARACTERS: Final = 1 << 22
_LONGEST_NUMBER: Final = 9


@frozen(kw_only=True)
class Sent:
    """An event as it was sent."""

    tag: str
    data: str
    id: str | None
    """The last id that was sent until now, or None."""


class EventParser:
    """Takes the bytes of one connection."""

    def __init__(self) -> None:
        self.retry_s: float | None = None
        """How long the server wants clients to wait before they connect again."""
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._begun = False
        self._waiting = ""
        self._after_return = False
        self._tag = ""
        self._data: list[str] = []
        self._held = 0
        self._id: str | None = None

    def feed(self, piece: bytes) -> Iterator[Sent]:
        """The events that are complete with this piece. What never becomes complete is not an event.

        Raises:
            ValueError: A line or event is longer than any of ours can be.
        """
        text = self._decoder.decode(piece)
        if not self._begun and text:
            self._begun = True
            text = text.removeprefix("\ufeff")
        if self._after_return and text:
            # The line feed of a pair that was split between two pieces.
            text = text.removeprefix("\n")
            self._after_return = False
        self._after_return = text.endswith("\r") or (self._after_return and not text)
        *lines, self._waiting = _LINE_END.split(self._waiting + text)
        for line in lines:
            if (event := self._take(line)) is not None:
                yield event
        if self._held + len(self._waiting) > _LARGEST_CHARACTERS:
            raise ValueError(f"an event is longer than {_LARGEST_CHARACTERS:,} characters")

    def _take(self, line: str) -> Sent | None:
        if not line:
            return self._dispatch()
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            self._data.append(value)
            self._held += len(value)
        elif name == "event":
            self._tag = value
        elif name == "id" and "\0" not in value:
            self._id = value
        elif name == "retry" and value.isascii() and value.isdigit() and len(value) <= _LONGEST_NUMBER:
            self.retry_s = int(value) / 1000
        return None

    def _dispatch(self) -> Sent | None:
        tag, data = self._tag or "message", self._data
        self._tag, self._data, self._held = "", [], 0
        return Sent(tag=tag, data="\n".join(data), id=self._id) if data else None
