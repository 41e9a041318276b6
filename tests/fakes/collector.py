"""A collector of OpenTelemetry's traces: takes what is sent over OTLP/HTTP and keeps it."""

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
    """A span as it came, its ids in hexadecimal; ``parent`` is empty for a root. Times are nanoseconds since 1970."""

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
    """Listens within the ``with`` block, at /v1/traces alone. While it ``refuses``, it answers 503."""

    def __init__(self) -> None:
        self.refuses = False
        self.bodies: list[bytes] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
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
        """Those of the job's trace, by the time they began."""
        trace_id = job_id.removeprefix("pjb-").replace("-", "")
        found = [span for body in list(self.bodies) for span in _spans(body) if span.trace_id == trace_id]
        return sorted(found, key=lambda span: span.begun)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
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
                answer = ExportTraceServiceResponse().SerializeToString()
                self.send_response(status)
                self.send_header("Content-Type", "application/x-protobuf")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (the server's own name)
                """Nothing is written."""

        return Handler


def _spans(body: bytes) -> list[Received]:
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
