"""A request on its way out."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

from attrs import evolve, field, frozen
from yarl import URL

from whispercore.contract.endpoint import Operation
from whispercore.contract.transport import RawReply
from whispercore.contract.wire import loads
from whispercore.errors import WhispercoreError
from whispercore_client.retry import Repeatable
from whispercore_client.uploads import Form


@frozen
class Outgoing:
    """A request, ready to be sent as often as may be."""

    operation: Operation
    url: URL
    headers: Mapping[str, str] = field(repr=False)
    body: Form | bytes | None = field(repr=False)
    has_key: bool

    @property
    def repeatable(self) -> Repeatable:
        """Whether it may be sent again, as things are now."""
        rewindable = not isinstance(self.body, Form) or self.body.rewindable
        return Repeatable(method=self.operation.method, has_key=self.has_key, rewindable=rewindable)

    def has(self, header: str) -> bool:
        """Whether it has this header already."""
        return header.lower() in map(str.lower, self.headers)

    def saying(self, header: str, value: str) -> Outgoing:
        """The same with another header."""
        return evolve(self, headers={**self.headers, header: value})

    def refusal(self, reply: RawReply) -> WhispercoreError | None:
        """The error that a reply is, as its dialect writes it; None when it is none."""
        try:
            told = loads(reply.body) if reply.status >= HTTPStatus.BAD_REQUEST else None
        except ValueError:
            return None
        return None if told is None else self.operation.dialect.read(reply.status, told)

    @property
    def shown(self) -> str:
        """Its address for errors, without the query."""
        return str(self.url.with_query(None))
