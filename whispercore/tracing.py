"""Spans of OpenTelemetry, where a program has loaded its SDK; elsewhere nothing is imported, and nothing is done.

The names of spans are few, and their attributes hold no texts, names or secrets of people.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.trace import Tracer

Attribute = str | int | float | bool
Kind = Literal["internal", "server", "client", "consumer"]

_SDK: Final = "opentelemetry.sdk.trace"
_NAME: Final = "whispercore"
_HEADER: Final = "traceparent"


class Span:
    """Something that is being done. This one is of no trace."""

    def set(self, attributes: Mapping[str, Attribute]) -> None:
        """Say more of it."""

    def fail(self, reason: str) -> None:
        """Say that it went wrong, and why, for programs."""


_NO_SPAN: Final = Span()


def is_on() -> bool:
    """Whether this process has loaded OpenTelemetry's SDK."""
    return _SDK in sys.modules


def span(
    name: str,
    *,
    kind: Kind = "internal",
    parent: str | None = None,
    attributes: Mapping[str, Attribute] | None = None,
) -> AbstractContextManager[Span]:
    """Around something that is done: part of the trace of whoever calls.

    Args:
        name: What is done.
        kind: How it stands to other processes.
        parent: A ``traceparent`` (W3C Trace Context) of another process, to go on with its trace. One that is none
            begins a new trace.
        attributes: What is known of it.
    """
    return nullcontext(_NO_SPAN) if not is_on() else _begun(name, kind, parent, attributes or {})


def record(name: str, began_ns: int, ended_ns: int, attributes: Mapping[str, Attribute]) -> None:
    """A span of something that is over, as another process measured it.

    Args:
        name: What was done.
        began_ns: When, in nanoseconds since 1970.
        ended_ns: When it was over.
        attributes: What is known of it.
    """
    if is_on():
        made = _tracer().start_span(name, start_time=began_ns, attributes=dict(attributes))
        made.end(ended_ns)


def traceparent() -> str | None:
    """What another process needs to go on with this trace; None where there is none."""
    if not is_on():
        return None
    from opentelemetry.trace.propagation import tracecontext  # noqa: PLC0415 (the SDK has it already)

    carrier: dict[str, str] = {}
    tracecontext.TraceContextTextMapPropagator().inject(carrier)
    return carrier.get(_HEADER)


def ids() -> tuple[str, str] | None:
    """The trace and the span that are current, in hexadecimal; None where there are none."""
    if not is_on():
        return None
    from opentelemetry import trace  # noqa: PLC0415 (as above)

    current = trace.get_current_span().get_span_context()
    if not current.is_valid:
        return None
    return trace.format_trace_id(current.trace_id), trace.format_span_id(current.span_id)


@contextmanager
def _begun(name: str, kind: Kind, parent: str | None, attributes: Mapping[str, Attribute]) -> Iterator[Span]:
    from opentelemetry.trace import SpanKind  # noqa: PLC0415 (as above)

    # What an error says may be of people, so only its kind is told.
    with _tracer().start_as_current_span(
        name,
        context=_context_of(parent),
        kind=SpanKind[kind.upper()],
        attributes=dict(attributes),
        record_exception=False,
        set_status_on_exception=False,
    ) as made:
        recorded = _Recorded(made)
        try:
            yield recorded
        except BaseException as error:
            recorded.fail(type(error).__name__)
            raise


class _Recorded(Span):
    def __init__(self, made: object) -> None:
        from opentelemetry.trace import Span as Made  # noqa: PLC0415 (as above)

        assert isinstance(made, Made)
        self._made = made

    def set(self, attributes: Mapping[str, Attribute]) -> None:
        self._made.set_attributes(dict(attributes))

    def fail(self, reason: str) -> None:
        from opentelemetry.trace import Status, StatusCode  # noqa: PLC0415 (as above)

        self._made.set_status(Status(StatusCode.ERROR, reason))


def _tracer() -> Tracer:
    from opentelemetry import trace  # noqa: PLC0415 (as above)

    return trace.get_tracer(_NAME)


def _context_of(parent: str | None) -> Context | None:
    if parent is None:
        return None
    from opentelemetry.trace.propagation import tracecontext  # noqa: PLC0415 (as above)

    return tracecontext.TraceContextTextMapPropagator().extract({_HEADER: parent})
