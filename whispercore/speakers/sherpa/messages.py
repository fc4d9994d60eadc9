"""What the diarizer's parent and child say to each other. The samples of ``Sound`` travel as the body."""

from __future__ import annotations

from attrs import frozen

from whispercore.children.frames import Codec
from whispercore.speakers.diarizer import Turn


@frozen
class Load:
    """First message: take these models."""

    segmentation: str
    """Path of the model that says where somebody speaks."""
    embedding: str
    """Path of the model that says which voices are alike."""
    threads: int
    speakers: int | None
    """How many people speak; None to find out."""
    threshold: float
    """From which distance on two voices are two people, where their number is not known."""
    piece_s: float
    """How much sound is held at once, in seconds."""


@frozen
class Loaded:
    """The models are ready."""

    version: str


@frozen
class Sound:
    """More of the recording; 32-bit floats at 16 kHz follow. The next comes after ``Taken``."""


@frozen
class Taken:
    """The sound is heard or held, and there is room for more."""


@frozen
class Heard:
    """So many seconds of the recording are done."""

    done_s: float


@frozen
class Finish:
    """That was the recording."""


@frozen
class Told:
    """Who spoke when."""

    turns: tuple[Turn, ...]


@frozen
class Failed:
    """It cannot be done."""

    reason: str


CODEC = Codec(Load, Loaded, Sound, Taken, Heard, Finish, Told, Failed)
