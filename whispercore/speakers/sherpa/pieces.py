"""Long recordings in pieces: the speakers of each are found by themselves, and are then known again by their voices."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np
from attrs import frozen

from whispercore.engines.engine import SAMPLE_RATE
from whispercore.speakers.diarizer import Turn

Samples = np.ndarray[tuple[int], np.dtype[np.float32]]
"""16 kHz, one channel."""
Voice = np.ndarray[tuple[int], np.dtype[np.float32]]
"""What a voice sounds like, as the embedding model says."""
Embed = Callable[[Samples], Voice | None]
"""The voice in a piece of sound; None when there is too little of it."""
Cluster = Callable[[np.ndarray[tuple[int, int], np.dtype[np.float32]]], Sequence[int]]
"""A number for each row, the same for rows that are of one person."""

VOICE_S = 30.0
"""So much of what somebody says tells his voice."""


@frozen(eq=False)
class Piece:
    """What was found in one piece of a recording."""

    turns: tuple[Turn, ...]
    """Their times count from the beginning of the recording, their speakers are those of the piece."""
    voices: dict[int, Voice]
    """By speaker. Somebody who said too little to be known again has none."""


def piece_of(samples: Samples, start_s: float, spoken: Iterable[Turn], embed: Embed) -> Piece:
    """A piece, with the voices of its speakers.

    Args:
        samples: Its sound.
        start_s: Where it begins in the recording.
        spoken: The turns in it; their times count from its own beginning.
        embed: Tells what a voice sounds like.
    """
    end_s = len(samples) / SAMPLE_RATE
    turns = [Turn(one.start_s, min(one.end_s, end_s), one.speaker) for one in spoken if one.start_s < end_s]
    voices: dict[int, Voice] = {}
    for speaker in {one.speaker for one in turns}:
        voice = embed(_longest(samples, [one for one in turns if one.speaker == speaker]))
        if voice is not None:
            voices[speaker] = voice
    return Piece(tuple(Turn(start_s + one.start_s, start_s + one.end_s, one.speaker) for one in turns), voices)


def _longest(samples: Samples, turns: Iterable[Turn]) -> Samples:
    """Up to ``VOICE_S`` of what somebody says, from his longest turns."""
    left = round(VOICE_S * SAMPLE_RATE)
    parts: list[Samples] = []
    for turn in sorted(turns, key=lambda one: one.start_s - one.end_s):
        part = samples[round(turn.start_s * SAMPLE_RATE) : round(turn.end_s * SAMPLE_RATE)][:left]
        parts.append(part)
        left -= len(part)
    return np.concatenate(parts)


def linked(pieces: Sequence[Piece], cluster: Cluster) -> tuple[Turn, ...]:
    """The turns of all pieces, each person with one number.

    Turns of somebody who has no voice are left out: what is said in them goes to whoever speaks next to them.

    Args:
        pieces: In order.
        cluster: Says which voices are of one person.
    """
    known = [(number, speaker) for number, piece in enumerate(pieces) for speaker in piece.voices]
    if not known:
        return ()
    labels = cluster(np.stack([pieces[number].voices[speaker] for number, speaker in known]).astype(np.float32))
    person = dict(zip(known, labels, strict=True))
    return numbered(
        Turn(turn.start_s, turn.end_s, person[number, turn.speaker])
        for number, piece in enumerate(pieces)
        for turn in piece.turns
        if (number, turn.speaker) in person
    )


def numbered(turns: Iterable[Turn]) -> tuple[Turn, ...]:
    """In order, and with speakers numbered as they begin."""
    ordered = sorted(turns, key=lambda one: (one.start_s, one.end_s))
    numbers: dict[int, int] = {}
    return tuple(
        Turn(round(one.start_s, 3), round(one.end_s, 3), numbers.setdefault(one.speaker, len(numbers)))
        for one in ordered
    )
