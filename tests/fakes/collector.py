"""A fake OpenTelemetry collector, which keeps the spans that it receives over OTLP/HTTP."""

from __future__ import annotations

import gzip
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue


@dataclass(frozen=True)
class Received:
    """A received span. Ids are hexadecimal, ``parent`` is empty for a root, times are nanoseconds since 1970."""

    trace_id: str
    id: str
    parent: str
    name: str
    kind: int
    begun: int
    ended: int
    attributes: dict[str, Any]
    resource: dict[str, Any]
    error: str
    links: tuple[tuple[str, str], ...]


class FakeCollector:
    """A server for /v1/traces that runs within the ``with`` block. It responds 503 while ``refuses`` is set."""

    def __init__(self) -> None:
        self.refuses = False
        self.bodies: list[bytes] = []
        collector = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") == "gzip":
                    body = gzip.decompress(body)
                status = 404 if self.path != "/v1/traces" else 503 if collector.refuses else 200
                if status == 200:
                    collector.bodies.append(body)
                response = ExportTraceServiceResponse().SerializeToString()
                self.send_response(status)
                self.send_header("Content-Type", "application/x-protobuf")
                self.send_header("Content-Length", str(len(response)))
                self.end_headers()
                self.wfile.write(response)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (the server's own name)
                """Log nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), name="collector", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def spans(self, job_id: str) -> list[Received]:
        """Return the spans of the job's trace, sorted by start."""
        trace_id = job_id.removeprefix("pjb-").replace("-", "")
        found = [span for body in list(self.bodies) for span in decode_spans(body) if span.trace_id == trace_id]
        return sorted(found, key=lambda span: span.begun)


def decode_spans(body: bytes) -> list[Received]:
    """Decode the spans of an export request."""
    request = ExportTraceServiceRequest.FromString(body)
    return [
        Received(
            trace_id=span.trace_id.hex(),
            id=span.span_id.hex(),
            parent=span.parent_span_id.hex(),
            name=span.name,
            kind=span.kind,
            begun=span.start_time_unix_nano,
            ended=span.end_time_unix_nano,
            attributes={each.key: _value(each.value) for each in span.attributes},
            resource={each.key: _value(each.value) for each in of_process.resource.attributes},
            error=span.status.message if span.status.code == 2 else "",
            links=tuple((link.trace_id.hex(), link.span_id.hex()) for link in span.links),
        )
        for of_process in request.resource_spans
        for of_scope in of_process.scope_spans
        for span in of_scope.spans
    ]


def _value(value: AnyValue) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_value(each) for each in value.array_value.values]
    return getattr(value, kind) if kind else None
