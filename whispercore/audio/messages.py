"""What the decoder's parent and child say to each other. The samples of a ``Piece`` travel as the body."""

from __future__ import annotations

from typing import Literal

from attrs import frozen

from whispercore.audio.joined import Seal
from whispercore.audio.vad import Vad
from whispercore.children.frames import Codec

Channels = Literal["mix", "separate"]


@frozen
class Open:
    """Look at this file."""

    paths: tuple[str, ...]
    """Several are read as one."""
    channels: Channels
    memory_bytes: int
    """Bound on the child's address space."""
    seal: Seal | None = None
    """What they are opened with, where they are sealed."""
    vad: Vad | None = None
    """How speech is found; None where nothing is left out."""


@frozen
class Opened:
    """It is media with sound."""

    container: str
    codec: str
    sample_rate: int
    channels: int
    declared_s: float | None
    detector: str | None = None
    """What finds the speech."""


@frozen
class Read:
    """Send the opened file in windows."""

    window_s: float
    """Length of the longest window."""
    packed: bool = True
    """Whether a window may go on behind silence that is left out."""
    leaves_out: bool = True
    """Whether what is no speech is left out, where the file was opened so."""


@frozen
class Piece:
    """A window; 32-bit floats at 16 kHz follow."""

    index: int
    start_s: float
    channel: int | None
    forced: bool
    stretches: tuple[tuple[float, float], ...] = ()
    """Where its parts come from: start and length in seconds; none where it is one piece."""


@frozen
class Listened:
    """So far, and nothing new to send: there was no speech."""

    read_s: float


@frozen
class Finished:
    """The file was read; ``damage`` says why it may not be all of it."""

    read_s: float
    declared_s: float | None
    damage: Literal["truncated", "damaged"] | None
    found: str


@frozen
class Refused:
    """Nothing could be read."""

    kind: Literal["not_media", "no_sound", "truncated", "damaged", "missing", "no_detector"]
    found: str


@frozen
class Data:
    """More of a stream; its bytes follow, and none at its end."""


@frozen
class Heard:
    """Sound of the stream; 32-bit floats at 16 kHz follow."""


@frozen
class Drained:
    """All that came of the stream was heard."""


STREAM = Codec(Data, Heard, Drained, Refused)
CODEC = Codec(Open, Opened, Read, Piece, Listened, Finished, Refused)
