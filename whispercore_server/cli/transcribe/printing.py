"""Transcripts on standard output: live for people, plain for programs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import define

from whispercore.formats import FORMATS
from whispercore.formats.line import attributed
from whispercore.transcript import Segment, Transcript
from whispercore_server.cli.terminal import Screen, printable

_LIVE = "txt"
"""The format whose lines are those of the segments, so that they can go out one by one; options may change that."""


@define(kw_only=True, eq=False)
class Printer:
    """Prints one transcript after the other."""

    screen: Screen
    format: str
    """One that is text."""
    options: Mapping[str, Any]
    """Of the format, by name."""
    titles: bool
    """Whether each begins with a line that says whose it is, as head(1) does."""
    _title: str | None = None
    _first: bool = True

    def begin(self, label: str) -> None:
        """What follows belongs to this recording; nothing is printed before there is something."""
        self._title = label if self.titles else None

    def segment(self, segment: Segment) -> None:
        """Print a segment, if the format is printed piece by piece."""
        line = attributed(segment)
        if not self._is_live or not line:
            return
        self._print(f"{_span(segment)} {line}\n" if self.screen.is_terminal else f"{line}\n")

    def finish(self, transcript: Transcript) -> None:
        """Print what was not printed yet."""
        if self._is_live:
            self._print("")
        else:
            options = FORMATS[self.format].options_of(self.options)
            self._print(transcript.to_bytes(self.format, options).decode())

    @property
    def _is_live(self) -> bool:
        return self.format == _LIVE and not self.options

    def _print(self, text: str) -> None:
        title = ""
        if self._title is not None:
            title = f"{'' if self._first else chr(10)}==> {printable(self._title)} <==\n"
            self._title, self._first = None, False
        if title or text:
            self.screen.write(f"{title}{text}")


def _span(segment: Segment) -> str:
    return f"[{_clock(segment.start_s)} → {_clock(segment.end_s)}]"


def _clock(seconds: float) -> str:
    minutes, tenths = divmod(round(seconds * 10), 600)
    h, m = divmod(minutes, 60)
    clock = f"{m:02}:{tenths // 10:02}.{tenths % 10}"
    return f"{h}:{clock}" if h else clock
