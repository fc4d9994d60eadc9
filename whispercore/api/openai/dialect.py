"""How OpenAI's API writes answers and errors: bare answers, ``{"error": {message, type, param, code}}``.

The details of an error are beside these four, as ``details``; OpenAI's own clients leave them alone.
"""

from __future__ import annotations

from http import HTTPStatus
from types import MappingProxyType
from typing import Final, Generic

from attrs import frozen

from whispercore.contract.dialect import Bare, Meta
from whispercore.contract.faults import fields_of, rebuilt
from whispercore.contract.group import Group, T_co
from whispercore.contract.wire import Json, plain
from whispercore.errors import (
    InvalidRequest,
    ModelNotAvailable,
    NotAuthenticated,
    NotFound,
    QuotaExceeded,
    RemoteError,
    TooManyRequests,
    WhispercoreError,
)

_NO_MODEL: Final = "model_not_found"
_NO_KEY: Final = "invalid_api_key"
_OURS: Final = MappingProxyType({_NO_MODEL: NotFound.code, _NO_KEY: NotAuthenticated.code})
"""Codes that OpenAI has other names for."""


@frozen(kw_only=True)
class ErrorBody:
    """What is wrong."""

    message: str
    type: str
    param: str | None
    code: str
    details: dict[str, Json]


@frozen
class OpenAiDialect(Bare):
    """Bare answers; errors as OpenAI writes them."""

    name: str = "openai"

    def render(self, error: WhispercoreError, status: int, meta: Meta) -> Json:
        """The four documented fields, and the details."""
        del meta
        return {"error": plain(described(error, status))}

    def read(self, status: int, body: Json) -> WhispercoreError | None:
        """The error that was rendered; also one of OpenAI's own, which has no details."""
        error = body.get("error") if isinstance(body, dict) else None
        if not isinstance(error, dict) or "message" not in error:
            return None
        message, code, details = str(error["message"]), error.get("code"), error.get("details")
        code = code if isinstance(code, str) else str(error.get("type"))
        known = rebuilt(_OURS.get(code, code), details if isinstance(details, dict) else {})
        return known or RemoteError(status=status, remote_code=code, message=message)


def described(error: WhispercoreError, status: int) -> ErrorBody:
    """An error as OpenAI writes it."""
    return ErrorBody(
        message=str(error),
        type=_type(error, status),
        param=_param(error),
        code=_code(error),
        details=fields_of(error),
    )


def _type(error: WhispercoreError, status: int) -> str:
    match error:
        case TooManyRequests():
            return "requests"
        case QuotaExceeded():
            return "insufficient_quota"
    return "server_error" if status >= HTTPStatus.INTERNAL_SERVER_ERROR else "invalid_request_error"


def _code(error: WhispercoreError) -> str:
    match error:
        case NotFound(what="model"):
            return _NO_MODEL
        case NotAuthenticated():
            return _NO_KEY
    return error.code


def _param(error: WhispercoreError) -> str | None:
    match error:
        case InvalidRequest(problems=(first, *_)):
            return first.field or None
        case NotFound(what="model") | ModelNotAvailable():
            return "model"
    return None


OPENAI = OpenAiDialect()


class OpenAiGroup(Group[T_co], Generic[T_co]):
    """A group of OpenAI's API."""

    dialect = OPENAI
