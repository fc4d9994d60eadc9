"""What can be done to the segments of a transcript, as values.

``segment`` is a place in the transcript, from 0, as the operations before have left it. Times are seconds from the
beginning of the recording.
"""

from __future__ import annotations

from typing import Final, Literal

from attrs import field, frozen

from whispercore.contract.fields import between, length, told, wire

LONGEST_TEXT: Final = 10_000
"""Characters of a segment."""
LONGEST_SPEAKER: Final = 100
_HIGHEST: Final = 10**6
_LATEST_S: Final = 10**7
_SEGMENT: Final = told("Place of the segment, from 0, as the operations before have left it.")


@frozen(kw_only=True)
class SetText:
    """Give a segment another text. The words that stay keep their times."""

    op: Literal["text"] = "text"
    segment: int = field(validator=between(0, _HIGHEST), metadata=_SEGMENT)
    text: str = field(validator=length(1, LONGEST_TEXT), metadata=told("The whole text of the segment.", spoken=True))


@frozen(kw_only=True)
class SetSpeaker:
    """Say who speaks in a segment."""

    op: Literal["speaker"] = "speaker"
    segment: int = field(validator=between(0, _HIGHEST), metadata=_SEGMENT)
    speaker: str | None = field(validator=length(1, LONGEST_SPEAKER), metadata=told("A name; null for nobody."))


@frozen(kw_only=True)
class Split:
    """Make two segments of one; the second has the next place."""

    op: Literal["split"] = "split"
    segment: int = field(validator=between(0, _HIGHEST), metadata=_SEGMENT)
    at: int = field(
        validator=between(1, LONGEST_TEXT), metadata=told("How many characters of the text stay in the first one.")
    )
    time_s: float | None = field(
        default=None,
        validator=between(0, _LATEST_S),
        metadata=wire("time", "Where the border is; by the times of the words if left out, else by the characters."),
    )


@frozen(kw_only=True)
class Merge:
    """Make one segment of several that follow each other on one channel; they have to be of one speaker."""

    op: Literal["merge"] = "merge"
    segment: int = field(validator=between(0, _HIGHEST), metadata=_SEGMENT)
    count: int = field(default=2, validator=between(2, 1000), metadata=told("How many become one."))


@frozen(kw_only=True)
class Move:
    """Give a segment other borders. Nothing else moves with it."""

    op: Literal["move"] = "move"
    segment: int = field(validator=between(0, _HIGHEST), metadata=_SEGMENT)
    start_s: float | None = field(
        default=None, validator=between(0, _LATEST_S), metadata=wire("start", "Where it begins; as it is if left out.")
    )
    end_s: float | None = field(
        default=None, validator=between(0, _LATEST_S), metadata=wire("end", "Where it ends; as it is if left out.")
    )


@frozen(kw_only=True)
class Insert:
    """Put in a segment that is missing. It comes behind all that begin no later."""

    op: Literal["insert"] = "insert"
    start_s: float = field(validator=between(0, _LATEST_S), metadata=wire("start", "Where it begins."))
    end_s: float = field(validator=between(0, _LATEST_S), metadata=wire("end", "Where it ends."))
    text: str = field(validator=length(1, LONGEST_TEXT), metadata=told("What was said.", spoken=True))
    speaker: str | None = field(
        default=None, validator=length(1, LONGEST_SPEAKER), metadata=told("Who said it; null for nobody.")
    )
    channel: int | None = field(
        default=None, validator=between(0, 1000), metadata=told("On which channel, where they are kept apart.")
    )


@frozen(kw_only=True)
class Remove:
    """Take a segment out."""

    op: Literal["remove"] = "remove"
    segment: int = field(validator=between(0, _HIGHEST), metadata=_SEGMENT)


Operation = SetText | SetSpeaker | Split | Merge | Move | Insert | Remove
