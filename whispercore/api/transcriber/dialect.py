"""How the transcriber API writes answers and errors (seeds 000 and 001: bare answers, ``{detail, error_code, …}``)."""

from __future__ import annotations

from typing import Generic

from attrs import frozen

from whispercore.contract.dialect import Bare, Meta
from whispercore.contract.faults import fields_of, rebuilt
from whispercore.contract.group import Group, T_co
from whispercore.contract.wire import Json, in_utc
from whispercore.errors import InvalidRequest, RemoteError, WhispercoreError


@frozen
class TranscriberDialect(Bare):
    """Bare answers; errors with the details beside ``detail`` and ``error_code``."""

    name: str = "transcriber"

    def render(self, error: WhispercoreError, status: int, meta: Meta) -> Json:
        """The four documented fields, and the error's own beside them."""
        del status
        body: dict[str, Json] = {
            **fields_of(error),
            "detail": str(error),
            "error_code": error.code.upper(),
            "timestamp": in_utc(meta.at),
            "request_id": meta.request_id,
        }
        if isinstance(error, InvalidRequest):
            body["validation_errors"] = [str(problem) for problem in error.problems]
        return body

    def read(self, status: int, body: Json) -> WhispercoreError | None:
        """The error that was rendered."""
        if not isinstance(body, dict) or not isinstance(body.get("error_code"), str):
            return None
        code, detail = str(body["error_code"]), str(body.get("detail", ""))
        return rebuilt(code.lower(), body) or RemoteError(status=status, remote_code=code, message=detail)


TRANSCRIBER = TranscriberDialect()


class TranscriberGroup(Group[T_co], Generic[T_co]):
    """A group of the transcriber API."""

    dialect = TRANSCRIBER
