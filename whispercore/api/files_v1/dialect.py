"""How the API ``files-v1`` writes answers and errors (seed 002: bare answers, ``{code, message, details}``)."""

from __future__ import annotations

from typing import Generic

from attrs import frozen

from whispercore.contract.dialect import Bare, Meta
from whispercore.contract.faults import fields_of, rebuilt
from whispercore.contract.group import Group, T_co
from whispercore.contract.wire import Json
from whispercore.errors import InvalidRequest, RemoteError, WhispercoreError


@frozen
class FilesV1Dialect(Bare):
    """Bare answers; errors with a code, a sentence and the details."""

    name: str = "files_v1"

    def render(self, error: WhispercoreError, status: int, meta: Meta) -> Json:
        """The three documented fields."""
        del status, meta
        return {**rendered(error)}

    def read(self, status: int, body: Json) -> WhispercoreError | None:
        """The error that was rendered."""
        if not isinstance(body, dict) or not isinstance(body.get("code"), str) or "message" not in body:
            return None
        code, message, details = str(body["code"]), str(body["message"]), body.get("details")
        known = rebuilt(code.lower(), details if isinstance(details, dict) else {})
        return known or RemoteError(status=status, remote_code=code, message=message)


def rendered(error: WhispercoreError) -> dict[str, Json]:
    """Code, sentence and details of an error. Of a request that does not fit, the first problem is told by itself."""
    details = fields_of(error)
    if isinstance(error, InvalidRequest) and error.problems:
        details = {**details, "field": error.problems[0].field, "reason": error.problems[0].reason}
    return {"code": error.code.upper(), "message": str(error), "details": details}


FILES_V1 = FilesV1Dialect()


class FilesV1Group(Group[T_co], Generic[T_co]):
    """A group of the API ``files-v1``."""

    dialect = FILES_V1
