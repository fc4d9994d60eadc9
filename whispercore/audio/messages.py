"""What the decoder's parent and child say to each other. The samples of a ``Piece`` travel as the body."""

from __future__ import annotations

from typing import Literal

from attrs import frozen

from whispercore.audio.joined import Seal
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


@frozen
class Opened:
    """It is media with sound."""

    container: str
    codec: str
    sample_rate: int
    channels: int
    declared_s: float | None


@frozen
class Read:
    """Send the opened file in windows."""

    window_s: float
    """Length of the longest window."""


@frozen
class Piece:
    """A window; 32-bit floats at 16 kHz follow."""

    index: int
    start_s: float
    channel: int | None
    forced: bool


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

    kind: Literal["not_media", "no_sound", "truncated", "damaged", "missing"]
    found: str


CODEC = Codec(Open, Opened, Read, Piece, Finished, Refused)
