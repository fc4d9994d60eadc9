"""Where recordings are transcribed: on this machine, or by a server. The command does the same with both."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from whispercore.transcript import Segment, Transcript
from whispercore_server.cli.bars import Bar
from whispercore_server.cli.terminal import Screen
from whispercore_server.cli.transcribe.inputs import Pipe, Recording


class Work(Protocol):
    """One recording on its way to a transcript; iterated over once, inside a ``with``, which ends it."""

    @property
    def transcript(self) -> Transcript | None:
        """The result; None until all segments were given."""
        ...

    def cancel(self) -> None:
        """Stop, from any thread. Returns at once; whoever iterates gets ``Cancelled``."""
        ...

    def __iter__(self) -> Iterator[Segment]: ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class Place(Protocol):
    """Starts work."""

    @property
    def looks_first(self) -> bool:
        """Whether it refuses a damaged recording before anything of it is transcribed."""
        ...

    def prepare(self, screen: Screen) -> None:
        """Have ready what all recordings need.

        Raises:
            WhispercoreError: It cannot be had.
        """
        ...

    def start(self, recording: Recording, audio: Path | Pipe, bar: Bar | None) -> Work:
        """Work that has not begun.

        Args:
            recording: What it is called.
            audio: Where it is.
            bar: Shows how far it is.

        Raises:
            InvalidOption: An option makes no sense, for whatever recording.
        """
        ...
