"""Traces leave the process for a collector, where the environment names one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from typing import Final

from whispercore_server.errors import CannotStart

_ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_LAST_SPANS_MS: Final = 5000
"""How long the last spans may take to leave when the process ends."""


@contextmanager
def exported_traces() -> Iterator[None]:
    """Send the spans of this process by OTLP over HTTP, until the block ends.

    All of it is as OpenTelemetry's own variables say. Nothing is imported where none of them names a collector.

    Raises:
        CannotStart: One is named, and the extra ``otel`` is not installed.
    """
    if not any(os.environ.get(name) for name in _ENDPOINTS):
        yield
        return
    try:
        from opentelemetry import trace  # noqa: PLC0415 (the extra ``otel``)
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415 (as above)
        from opentelemetry.sdk.resources import Resource  # noqa: PLC0415 (as above)
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415 (as above)
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415 (as above)
    except ModuleNotFoundError as error:
        named = next(name for name in _ENDPOINTS if os.environ.get(name))
        raise CannotStart(
            f"{named} is set, and traces need packages that are not installed: pip install 'whispercore[otel]'"
        ) from error
    about: dict[str, str | int] = {
        "service.name": os.environ.get("OTEL_SERVICE_NAME") or "whispercore",
        "service.version": version("whispercore"),
        "process.pid": os.getpid(),
    }
    provider = TracerProvider(resource=Resource.create({**about}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    try:
        yield
    finally:
        provider.force_flush(_LAST_SPANS_MS)
        provider.shutdown()
