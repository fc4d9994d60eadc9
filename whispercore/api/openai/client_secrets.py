"""What pages and apps come with to live transcription (https://platform.openai.com/docs/api-reference/realtime-sessions).

A server makes one with its key and hands it to a page: it is good for some minutes, and for ``/v1/realtime`` only.
"""

from __future__ import annotations

from typing import Generic, Literal

from attrs import field, frozen

from whispercore.api.openai.dialect import OpenAiGroup
from whispercore.api.openai.realtime_session import Session, SessionChange
from whispercore.contract.endpoint import Endpoint
from whispercore.contract.fields import between, told
from whispercore.contract.group import T_co
from whispercore.errors import Conflict, ModelError, NotFound


@frozen(kw_only=True)
class ExpiresAfter:
    """Until when sessions can be begun with it. One that has begun goes on."""

    anchor: Literal["created_at"] = "created_at"
    seconds: int = field(default=600, validator=between(10, 7200), metadata=told("From when it is made."))


@frozen(kw_only=True)
class CreateClientSecret:
    """A client secret, and how its sessions transcribe."""

    expires_after: ExpiresAfter = field(factory=ExpiresAfter, metadata=told("Until when a session can begin."))
    session: SessionChange = field(
        factory=SessionChange,
        metadata=told("How they transcribe until ``session.update``. Whoever has the secret can read it."),
    )


@frozen(kw_only=True)
class ClientSecret:
    """A secret that was just made: the only time that it can be seen."""

    value: str = field(repr=False)
    """For ``Authorization: Bearer``, or a subprotocol as API keys have it."""
    expires_at: int
    """In seconds since 1970."""
    session: Session
    """How its sessions transcribe; each will have an id of its own."""


class ClientSecrets(OpenAiGroup[T_co], Generic[T_co]):
    """What pages and apps come with to live transcription."""

    tag = "client_secrets"
    create = Endpoint(
        "POST",
        "/v1/realtime/client_secrets",
        CreateClientSecret,
        ClientSecret,
        scope="jobs:create",
        errors=(NotFound, ModelError, Conflict),
        doc="Make a secret that is good for some minutes, and for live transcription only.",
    )
