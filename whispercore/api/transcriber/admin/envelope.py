"""How endpoints under ``/admin/system`` write answers: ``{success, data, timestamp}``, and errors as elsewhere."""

from __future__ import annotations

from typing import Generic

from attrs import frozen

from whispercore.api.transcriber.dialect import TRANSCRIBER
from whispercore.contract.dialect import Meta
from whispercore.contract.group import Group, T_co
from whispercore.contract.wire import Json, in_utc
from whispercore.errors import WhispercoreError


@frozen
class SystemDialect:
    """Answers in an envelope, errors of the transcriber."""

    name: str = "system"

    def wrap(self, body: Json, meta: Meta) -> Json:
        """The answer in its envelope."""
        return {"success": True, "data": body, "timestamp": in_utc(meta.at)}

    def unwrap(self, body: Json) -> Json:
        """What is in the envelope.

        Raises:
            ValueError: There is none.
        """
        if not isinstance(body, dict) or "data" not in body:
            raise ValueError("the answer has no data")
        return body["data"]

    def render(self, error: WhispercoreError, status: int, meta: Meta) -> Json:
        """As the transcriber does."""
        return TRANSCRIBER.render(error, status, meta)

    def read(self, status: int, body: Json) -> WhispercoreError | None:
        """As the transcriber does."""
        return TRANSCRIBER.read(status, body)


SYSTEM = SystemDialect()


class SystemGroup(Group[T_co], Generic[T_co]):
    """A group of endpoints under ``/admin/system``."""

    dialect = SYSTEM
