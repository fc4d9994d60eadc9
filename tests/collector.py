"""A collector for traces that speaks OTLP over HTTP, as far as its senders can tell."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from attrs import define, field, frozen
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import KeyValue


@frozen
class Collected:
    """A span that arrived."""

    name: str
    trace_id: str
    span_id: str
    parent_id: str
    kind: int
    began_ns: int
    ended_ns: int
    attributes: dict[str, str | int | float | bool]
    resource: dict[str, str | int | float | bool]
    """Of the process that sent it."""


@define
class Collector:
    """What arrived."""

    url: str = ""
    spans: list[Collected] = field(factory=list)
    bodies: list[bytes] = field(factory=list)

    def named(self, name: str) -> list[Collected]:
        return [one for one in self.spans if one.name == name]

    def take(self, body: bytes) -> None:
        self.bodies.append(body)
        for sender in ExportTraceServiceRequest.FromString(body).resource_spans:
            resource = _values(sender.resource.attributes)
            for scope in sender.scope_spans:
                for one in scope.spans:
                    self.spans.append(
                        Collected(
                            name=one.name,
                            trace_id=one.trace_id.hex(),
                            span_id=one.span_id.hex(),
                            parent_id=one.parent_span_id.hex(),
                            kind=one.kind,
                            began_ns=one.start_time_unix_nano,
                            ended_ns=one.end_time_unix_nano,
                            attributes=_values(one.attributes),
                            resource=resource,
                        )
                    )


@contextmanager
def collecting() -> Iterator[Collector]:
    """A collector, until the block ends."""
    collector = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            assert (self.path, self.headers["Content-Type"]) == ("/v1/traces", "application/x-protobuf")
            collector.take(body)
            answer = ExportTraceServiceResponse().SerializeToString()
            self.send_response(200)
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    collector.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield collector
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _values(given: Iterator[KeyValue]) -> dict[str, str | int | float | bool]:
    return {one.key: getattr(one.value, one.value.WhichOneof("value") or "string_value") for one in given}
