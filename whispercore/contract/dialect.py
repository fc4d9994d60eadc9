"""How an API writes its answers and errors, in both directions."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from attrs import frozen

from whispercore.contract.wire import Json
from whispercore.errors import WhispercoreError


@frozen(kw_only=True)
class Meta:
    """What an answer can say of its request."""

    request_id: str
    at: datetime


class Bare:
    """Base of dialects whose answers have no envelope."""

    __slots__ = ()

    def wrap(self, body: Json, meta: Meta) -> Json:
        """The answer as it is."""
        del meta
        return body

    def unwrap(self, body: Json) -> Json:
        """The answer as it is."""
        return body


class Dialect(Protocol):
    """Envelope and error format of an API. State names, scales and page fields belong to its models, not here."""

    @property
    def name(self) -> str:
        """Unique among all dialects."""
        ...

    def wrap(self, body: Json, meta: Meta) -> Json:
        """The answer with its envelope."""
        ...

    def unwrap(self, body: Json) -> Json:
        """What is in the envelope.

        Raises:
            ValueError: This is no answer of this dialect.
        """
        ...

    def render(self, error: WhispercoreError, status: int, meta: Meta) -> Json:
        """An error as the body of an answer, or as the data of an event on a stream."""
        ...

    def read(self, status: int, body: Json) -> WhispercoreError | None:
        """The error of such a body; None when the body is not of this dialect."""
        ...
