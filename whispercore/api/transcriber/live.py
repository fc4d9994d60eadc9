"""Transcription of sound while it is spoken, over a WebSocket."""

from __future__ import annotations

from typing import Generic, Literal

from attrs import field, frozen

from whispercore.api.transcriber.dialect import TranscriberGroup
from whispercore.api.transcriber.jobs import SpokenSegment
from whispercore.contract.endpoint import Channel
from whispercore.contract.fields import between, length, listed, told
from whispercore.contract.group import T_co
from whispercore.contract.messages import Message, Octets
from whispercore.errors import Conflict, MediaError, ModelError, NotFound, Unavailable
from whispercore.hallucinations import Policy
from whispercore.spoken import LikelyLanguage
from whispercore.transcript import Dropped


@frozen(kw_only=True)
class Listen:
    """How to transcribe; or which session to go on with, for which all else stays as it was."""

    model: str | None = field(
        default=None, metadata=told("A name of the model store; the server's default if left out.")
    )
    language: str | None = field(default=None, metadata=told("A code or English name; detected if left out."))
    languages: list[str] = field(
        factory=list,
        converter=listed,
        validator=length(0, 100),
        metadata=told(
            "Codes or English names, the only ones that are detected; all if left out. One text may have several, with "
            "commas between."
        ),
    )
    prompt: str | None = field(default=None, validator=length(0, 4000), metadata=told("Names and words to expect."))
    translate: bool = field(default=False, metadata=told("Write English, whatever is spoken."))
    words: bool = field(default=False, metadata=told("Give the time of each word of final segments."))
    partials: bool = field(default=True, metadata=told("Tell what an utterance sounds like before it has ended."))
    hallucinations: Policy = field(
        default="flag",
        metadata=told(
            "Text of final segments that seems made up: told by the verdict of its quality, left out, or not judged."
        ),
    )
    cut_loops: bool = field(
        default=False,
        metadata=told("Cut phrases of final segments that are repeated again and again to their first occurrence."),
    )
    sample_rate: int = field(
        default=16_000, validator=between(8_000, 192_000), metadata=told("Samples per second of ``pcm16``.")
    )
    encoding: Literal["pcm16", "opus", "opus_packets"] = field(
        default="pcm16",
        metadata=told(
            "What the sound is: 16-bit samples; Opus in an Ogg or WebM stream, as browsers record it; or bare packets"
            " of Opus, as they encode it, one in each message."
        ),
    )
    store: bool = field(
        default=False, metadata=told("Keep the sound and its transcript as a completed job when the session ends.")
    )
    session_id: str | None = field(
        default=None, validator=length(1, 100), metadata=told("Go on with this session after a cut.")
    )
    after: int = field(
        default=0,
        validator=between(0, 10**9),
        metadata=told("With session_id: the seq of the last message that arrived; those behind it are sent."),
    )


# ---------------------------------------------------------------- what clients send


@frozen(kw_only=True)
class ToLive(Message):
    """Something for a live session."""


@frozen(kw_only=True)
class Sound(Octets, ToLive):
    """Sound: signed 16-bit samples, the lower byte first, one channel, or pieces of an Opus stream, up to 1 MB.

    Or a packet of Opus.
    """


@frozen(kw_only=True)
class Flush(ToLive):
    """End the utterance here, whether the speaker has paused or not."""


@frozen(kw_only=True)
class Clear(ToLive):
    """Forget the utterance that is being spoken."""


@frozen(kw_only=True)
class Finish(ToLive):
    """No more sound comes. What came is transcribed to its end, and ``ended`` is the last message."""


# ---------------------------------------------------------------- what the server sends


@frozen(kw_only=True)
class FromLive(Message):
    """Something from a live session. Times are seconds since it began."""


@frozen(kw_only=True)
class LiveReady(FromLive):
    """The first message of each connection: sound may be sent."""

    tag = "ready"

    session_id: str
    model: str
    received_bytes: int
    """How much sound of this session has come in; after a cut, send on from there."""
    grace_s: int
    """For how long the session waits after a cut."""


@frozen(kw_only=True)
class LanguageDetected(FromLive):
    """The language was detected, or is another one than it seemed."""

    seq: int
    """Rises with every message of the session."""
    language: str
    probability: float
    likely: list[LikelyLanguage] = field(factory=list)
    """What else it may be: up to five with this one, the likeliest first."""


@frozen(kw_only=True)
class SpeechStarted(FromLive):
    """Somebody began to speak."""

    seq: int
    utterance: int
    """Number of the utterance, from 0."""
    start: float


@frozen(kw_only=True)
class Partial(FromLive):
    """What an utterance sounds like so far. Another one takes its place; who reads slowly gets only the latest."""

    seq: int
    utterance: int
    start: float
    end: float
    """How far was listened."""
    text: str
    stable: str
    """The beginning of the text that is settled: the final text begins with it, to the letter.

    But for what is left out as made up, where that was asked for.
    """


@frozen(kw_only=True)
class SpeechEnded(FromLive):
    """An utterance has ended. The text follows."""

    seq: int
    utterance: int
    end: float
    why: Literal["pause", "length", "asked", "forgotten"] = "pause"
    """``length``: it goes on in the next one, for it is long and there was no pause; ``asked``: by ``flush``, or as
    no more sound comes; ``forgotten``: by ``clear``."""


@frozen(kw_only=True)
class Final(FromLive):
    """A segment that never changes."""

    seq: int
    utterance: int
    position: int
    """Among all final segments of the session, from 0."""
    segment: SpokenSegment


@frozen(kw_only=True)
class UtteranceEnded(FromLive):
    """All segments of an utterance were sent."""

    seq: int
    utterance: int
    start: float
    end: float
    text: str
    """Of its final segments; empty where nothing was said."""
    dropped: list[Dropped] = field(factory=list)
    """Where text was left out that seems made up; empty unless ``hallucinations`` is ``drop``."""


@frozen(kw_only=True)
class LiveEnded(FromLive):
    """The last message: the session is over."""

    tag = "ended"

    seq: int
    duration_s: float
    """Length of the sound that came in."""
    language: str
    reason: Literal["finished", "limit", "abandoned", "shutdown"]
    """``limit``: it lasted as long as a session may; ``abandoned``: nobody came back after a cut."""
    job_id: str | None = None
    """The job that it is kept as, if that was asked for."""


class Live(TranscriberGroup[T_co], Generic[T_co]):
    """Live transcription."""

    tag = "live"
    listen = Channel(
        "GET",
        "/api/v1/live",
        Listen,
        ToLive,
        FromLive,
        scope="jobs:create",
        errors=(NotFound, Conflict, MediaError, ModelError, Unavailable),
        doc="Transcribe sound while it is spoken.",
    )
