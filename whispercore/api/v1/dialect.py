"""How paths answer that several documented APIs share: each finds there what its document shows.

Answers have the bare fields of seed 002, and ``success``, ``data`` and ``request_id`` of seed 003 beside them. Errors
have the three fields of 002, and ``error``, ``request_id`` and ``timestamp`` of 003.
"""

from __future__ import annotations

from typing import Generic

from attrs import frozen

from whispercore.api.files_v1.dialect import FILES_V1, rendered
from whispercore.contract.dialect import Meta
from whispercore.contract.group import Group, T_co
from whispercore.contract.wire import Json, in_utc
from whispercore.errors import WhispercoreError


@frozen
class SharedV1Dialect:
    """Each answer twice: bare, and as ``data``."""

    name: str = "shared_v1"

    def wrap(self, body: Json, meta: Meta) -> Json:
        """The answer, and the same in the envelope of 003."""
        bare = body if isinstance(body, dict) else {}
        return {**bare, "success": True, "data": body, "request_id": meta.request_id}

    def unwrap(self, body: Json) -> Json:
        """What is in the envelope.

        Raises:
            ValueError: There is none.
        """
        if not isinstance(body, dict) or "data" not in body:
            raise ValueError("the answer has no 'data'")
        return body["data"]

    def render(self, error: WhispercoreError, status: int, meta: Meta) -> Json:
        """The fields of both documents."""
        del status
        return {
            **rendered(error),
            "error": str(error),
            "request_id": meta.request_id,
            "timestamp": in_utc(meta.at),
        }

    def read(self, status: int, body: Json) -> WhispercoreError | None:
        """The error that was rendered."""
        return FILES_V1.read(status, body)


SHARED_V1 = SharedV1Dialect()


class V1Group(Group[T_co], Generic[T_co]):
    """A group of paths that several APIs share."""

    dialect = SHARED_V1
