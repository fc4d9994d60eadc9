"""What callers may ask for: by channel or by voice, and of how many people."""

from __future__ import annotations

from typing import Literal

from attrs import field, frozen, validators

from whispercore.audio.messages import Channels
from whispercore.errors import InvalidOption

DEFAULT = "sherpa-onnx"
"""The diarizer that is used when none is named."""
MOST_SPEAKERS = 50


def _number(_: object, __: object, value: int | None) -> None:
    if value is not None and not 1 <= value <= MOST_SPEAKERS:
        raise InvalidOption("speakers", f"{value} is not between 1 and {MOST_SPEAKERS}")


@frozen(kw_only=True)
class Diarization:
    """That speakers are wanted, and how they are told apart.

    Raises:
        InvalidOption: A value is out of range.
    """

    by: Literal["channel", "voice"] = field(validator=validators.in_(("channel", "voice")))
    """``channel``: each channel is one speaker, exactly. ``voice``: a diarizer listens."""
    speakers: int | None = field(default=None, validator=_number)
    """How many people speak, if that is known; for voices."""
    diarizer: str = DEFAULT
    """Name of the diarizer, for voices."""

    @classmethod
    def asked(
        cls, *, diarize: bool, speakers: int | None, channels: Channels, diarizer: str = DEFAULT
    ) -> Diarization | None:
        """What the options of a transcription mean; None when no speakers are wanted.

        Raises:
            InvalidOption: They contradict each other, or a value is out of range.
        """
        if not diarize:
            if speakers is not None:
                raise InvalidOption("speakers", "it needs diarize as well")
            return None
        if channels == "separate":
            if speakers is not None:
                raise InvalidOption("speakers", "where channels are separate, each is a speaker: leave it out")
            return cls(by="channel")
        return cls(by="voice", speakers=speakers, diarizer=diarizer)
