"""What follows from a declaration without being written there: the errors that any call of an endpoint can meet."""

from __future__ import annotations

from collections.abc import Iterator
from http import HTTPStatus
from typing import Final

from whispercore import errors
from whispercore.contract.endpoint import Channel, Operation, Raw
from whispercore.contract.status import status_for
from whispercore.errors import WhispercoreError

SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that change nothing."""


def errors_of(operation: Operation) -> dict[HTTPStatus, tuple[type[WhispercoreError], ...]]:
    """The errors that a call can be refused with, by their status in order: implied ones, then declared ones.

    A declared error brings those that are kinds of it, each under its own status.
    """
    found: dict[HTTPStatus, dict[str, type[WhispercoreError]]] = {}
    for kind in (*_implied(operation), *_with_kinds(operation.errors)):
        found.setdefault(status_for(kind), {}).setdefault(kind.code, kind)
    return {status: tuple(kinds.values()) for status, kinds in sorted(found.items())}


def _implied(operation: Operation) -> Iterator[type[WhispercoreError]]:
    yield errors.SuspiciousInput
    if not isinstance(operation, Raw):
        yield errors.InvalidRequest  # even without fields: what is unknown in a query is refused
        if operation.plan.has_body:
            yield from (errors.TooLarge, errors.WrongContentType)
        if operation.plan.is_form:
            yield from (errors.StorageFull, errors.QuotaExceeded)
    if operation.scope is not None:
        yield from (errors.NotAuthenticated, errors.NotPermitted)
    if operation.method not in SAFE:
        yield from (errors.CsrfTokenRequired, errors.CsrfTokenMalformed, errors.CsrfTokenInvalid)
    if operation.method not in SAFE or isinstance(operation, Channel):
        yield errors.CsrfOriginRejected
    if operation.limit != "none":
        yield errors.TooManyRequests
    yield from (errors.InternalError, errors.Unavailable)


def _with_kinds(declared: tuple[type[WhispercoreError], ...]) -> Iterator[type[WhispercoreError]]:
    for kind in declared:
        yield kind
        # attrs leaves the class that it replaced among the subclasses, before its replacement: the last one counts.
        yield from {one.code: one for one in _below(kind)}.values()


def _below(kind: type[WhispercoreError]) -> Iterator[type[WhispercoreError]]:
    for inner in kind.__subclasses__():
        yield inner
        yield from _below(inner)
