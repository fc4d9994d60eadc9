"""Speech to text while it is spoken (https://platform.openai.com/docs/guides/realtime-transcription).

Times are milliseconds of the sound that came in since the session began.
"""

from __future__ import annotations

from typing import Generic, Literal

from attrs import field, frozen

from whispercore.api.openai.dialect import OpenAiGroup, described
from whispercore.api.openai.realtime_session import Session, SessionChange
from whispercore.api.openai.transcription import Logprob, Usage
from whispercore.contract.dialect import Meta
from whispercore.contract.endpoint import Channel
from whispercore.contract.fields import told
from whispercore.contract.group import T_co
from whispercore.contract.messages import Message
from whispercore.contract.status import status_of
from whispercore.contract.wire import Json
from whispercore.errors import (
    Conflict,
    InvalidOption,
    InvalidRequest,
    ModelError,
    NotFound,
    Unavailable,
    WhispercoreError,
)

PROTOCOL = "realtime"
KEY_PROTOCOL = "openai-insecure-api-key."


@frozen(kw_only=True)
class ConnectRealtime:
    """A session for speech to text."""

    intent: Literal["transcription"] = field(
        default="transcription", metadata=told("There are no conversations here, only transcription.")
    )
    model: str | None = field(
        default=None,
        metadata=told("A name of the model store, unless ``session.update`` gives another one."),
    )


# ---------------------------------------------------------------- what clients send


@frozen(kw_only=True)
class ToRealtime(Message):
    """Something for a session."""

    event_id: str | None = field(default=None, metadata=told("The client's own; an error about the event has it."))


@frozen(kw_only=True)
class UpdateSession(ToRealtime):
    """Transcribe otherwise from here on; what came in before is transcribed as it was to be."""

    tag = "session.update"

    session: SessionChange


@frozen(kw_only=True)
class AppendSound(ToRealtime):
    """More sound."""

    tag = "input_audio_buffer.append"

    audio: str = field(repr=False, metadata=told("Sound of the session's format, in base64."))


@frozen(kw_only=True)
class CommitSound(ToRealtime):
    """End the utterance here, whether the speaker has paused or not."""

    tag = "input_audio_buffer.commit"


@frozen(kw_only=True)
class ClearSound(ToRealtime):
    """Forget the utterance that is being spoken."""

    tag = "input_audio_buffer.clear"


# ---------------------------------------------------------------- what the server sends


@frozen(kw_only=True)
class FromRealtime(Message):
    """Something from a session."""

    event_id: str


@frozen(kw_only=True)
class SessionCreated(FromRealtime):
    """The first event: sound may be sent."""

    tag = "session.created"

    session: Session


@frozen(kw_only=True)
class SessionUpdated(FromRealtime):
    """It transcribes as was asked for."""

    tag = "session.updated"

    session: Session


@frozen(kw_only=True)
class SpeechStarted(FromRealtime):
    """Somebody began to speak; only with turn detection."""

    tag = "input_audio_buffer.speech_started"

    item_id: str
    """What the utterance will be."""
    audio_start_ms: int


@frozen(kw_only=True)
class SpeechStopped(FromRealtime):
    """The speaker has paused; only with turn detection."""

    tag = "input_audio_buffer.speech_stopped"

    item_id: str
    audio_end_ms: int


@frozen(kw_only=True)
class SoundCommitted(FromRealtime):
    """The utterance has ended."""

    tag = "input_audio_buffer.committed"

    previous_item_id: str | None
    item_id: str


@frozen(kw_only=True)
class SoundCleared(FromRealtime):
    """The utterance that was being spoken is forgotten."""

    tag = "input_audio_buffer.cleared"


@frozen(kw_only=True)
class SpokenContent:
    """What was said; its text comes in events of its own."""

    type: Literal["input_audio"] = "input_audio"
    transcript: str | None = None


@frozen(kw_only=True)
class Item:
    """An utterance."""

    id: str
    object: Literal["realtime.item"] = "realtime.item"
    type: Literal["message"] = "message"
    status: Literal["completed"] = "completed"
    role: Literal["user"] = "user"
    content: list[SpokenContent] = field(factory=lambda: [SpokenContent()])


@frozen(kw_only=True)
class ItemAdded(FromRealtime):
    """There is an utterance."""

    tag = "conversation.item.added"

    previous_item_id: str | None
    item: Item


@frozen(kw_only=True)
class ItemDone(FromRealtime):
    """The utterance is whole."""

    tag = "conversation.item.done"

    previous_item_id: str | None
    item: Item


@frozen(kw_only=True)
class TextDelta(FromRealtime):
    """More of the text of an utterance, which may not have ended yet. It is not taken back."""

    tag = "conversation.item.input_audio_transcription.delta"

    item_id: str
    content_index: int = 0
    delta: str


@frozen(kw_only=True)
class TextCompleted(FromRealtime):
    """The text of an utterance. It begins with all deltas."""

    tag = "conversation.item.input_audio_transcription.completed"

    item_id: str
    content_index: int = 0
    transcript: str
    logprobs: list[Logprob] | None = None
    usage: Usage


@frozen(kw_only=True)
class RealtimeError:
    """What is wrong."""

    type: str
    code: str | None
    message: str
    param: str | None = None
    event_id: str | None = None
    """Of the client's event that it is about."""
    details: dict[str, Json] = field(factory=dict)


@frozen(kw_only=True)
class TextFailed(FromRealtime):
    """There is no text of an utterance."""

    tag = "conversation.item.input_audio_transcription.failed"

    item_id: str
    content_index: int = 0
    error: RealtimeError


@frozen(kw_only=True)
class SomethingFailed(FromRealtime):
    """An event could not be done. The session goes on, unless the connection is closed."""

    tag = "error"

    error: RealtimeError


def realtime_error(error: WhispercoreError) -> RealtimeError:
    """An error as OpenAI writes it in events."""
    if isinstance(error, InvalidOption):
        error = InvalidRequest.one(error.option, error.reason)
    shown = described(error, status_of(error))
    return RealtimeError(
        type=shown.type, code=shown.code, message=shown.message, param=shown.param, details=shown.details
    )


def _ended(error: WhispercoreError, meta: Meta) -> SomethingFailed:
    """What ends a session that its handler knows nothing of: its key is revoked, or the server fails."""
    return SomethingFailed(event_id=f"event_{meta.request_id}", error=realtime_error(error))


class Realtime(OpenAiGroup[T_co], Generic[T_co]):
    """Speech to text while it is spoken."""

    tag = "realtime"
    connect = Channel(
        "GET",
        "/v1/realtime",
        ConnectRealtime,
        ToRealtime,
        FromRealtime,
        scope="jobs:create",
        errors=(NotFound, Conflict, ModelError, Unavailable),
        ignores_unknown=True,
        protocol=PROTOCOL,
        key_protocol=KEY_PROTOCOL,
        failure=_ended,
        takes_client_secrets=True,
        doc="Transcribe sound while it is spoken, with the events of OpenAI's Realtime API.",
    )
