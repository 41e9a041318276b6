"""The only import of opentelemetry: spans go in batches, from a thread of their own, to a collector (OTLP over HTTP).

What settings.py does not read of its variables the library reads itself: headers, time-outs, certificates, batches.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Sequence
from datetime import datetime
from urllib.parse import urlsplit

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.id_generator import IdGenerator, RandomIdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from opentelemetry.util.types import AttributeValue

from apps.core import tracing

logger = logging.getLogger(__name__)

STOP_SECONDS = 3.0
_KINDS = {
    "internal": trace.SpanKind.INTERNAL,
    "server": trace.SpanKind.SERVER,
    "client": trace.SpanKind.CLIENT,
}


class Teller:
    """Takes finished spans from any thread. Those that nobody takes in time are dropped, the oldest first."""

    def __init__(self, *, endpoint: str, service: str, version: str, queues: Sequence[str]) -> None:
        _quiet_library()
        self._ids = _KnownIds()
        self._provider = TracerProvider(
            resource=_resource(service=service, version=version, queues=queues),
            sampler=ALWAYS_ON,  # tracing.follows has decided
            id_generator=self._ids,
            shutdown_on_exit=False,
        )
        self._provider.add_span_processor(BatchSpanProcessor(_Plainly(OTLPSpanExporter(endpoint=endpoint), endpoint)))
        self._tracer = self._provider.get_tracer("leafmill", version)
        self._stopping, self._stopped = threading.Event(), threading.Event()
        # A thread that is there already: none can be started while an interpreter ends.
        threading.Thread(target=self._wait_for_end, name="traces-end", daemon=True).start()

    def tell(self, span: tracing.Span) -> None:
        self._ids.next_trace, self._ids.next_span = span.trace_id, span.span_id
        told = self._tracer.start_span(
            span.name,
            context=_below(span),
            kind=_KINDS[span.kind],
            attributes={name: value for name, value in span.attributes.items() if value not in (None, "")},
            links=_links(span.caller),
            start_time=_nanoseconds(span.begun_at),
        )
        if span.error:
            told.set_attribute("error.type", span.error)
            told.set_status(trace.StatusCode.ERROR, span.error)
        told.end(_nanoseconds(max(span.begun_at, span.ended_at)))

    def stop(self) -> None:
        """Send what is left; given up where the collector takes too long."""
        self._stopping.set()
        self._stopped.wait(STOP_SECONDS)

    def _wait_for_end(self) -> None:
        self._stopping.wait()
        self._provider.shutdown()
        self._stopped.set()


class _KnownIds(IdGenerator):
    """The ids of the span that this thread is about to tell; 0: any."""

    def __init__(self) -> None:
        self._next = threading.local()
        self._random = RandomIdGenerator()

    @property
    def next_trace(self) -> int:
        return int(getattr(self._next, "trace", 0))

    @next_trace.setter
    def next_trace(self, trace_id: int) -> None:
        self._next.trace = trace_id

    @property
    def next_span(self) -> int:
        return int(getattr(self._next, "span", 0))

    @next_span.setter
    def next_span(self, span_id: int) -> None:
        self._next.span = span_id

    def generate_trace_id(self) -> int:
        return self.next_trace

    def generate_span_id(self) -> int:
        return self.next_span or self._random.generate_span_id()

    def is_trace_id_random(self) -> bool:
        return True


class _Plainly(SpanExporter):
    """Says once that the collector does not take spans, and once that it does again."""

    def __init__(self, exporter: OTLPSpanExporter, endpoint: str) -> None:
        self._exporter = exporter
        self._address = urlsplit(endpoint).netloc.rpartition("@")[2]
        self._dropped = 0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = self._exporter.export(spans)
        if result is not SpanExportResult.SUCCESS:
            if not self._dropped:
                logger.warning("%s does not take traces; they are dropped until it does", self._address)
            self._dropped += len(spans)
        elif self._dropped:
            logger.warning("%s takes traces again; at least %s spans were dropped", self._address, self._dropped)
            self._dropped = 0
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()  # type: ignore[no-untyped-call]

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        return True


def _resource(*, service: str, version: str, queues: Sequence[str]) -> Resource:
    """What is the same in all spans of this process; OTEL_RESOURCE_ATTRIBUTES has the last word."""
    host = socket.gethostname()
    ours: dict[str, AttributeValue] = {
        "service.name": service,
        "service.version": version,
        "service.instance.id": f"{host}:{os.getpid()}",
        "host.name": host,
        "process.pid": os.getpid(),
        **({"leafmill.queues": list(queues)} if queues else {}),
    }
    return Resource(ours).merge(OTELResourceDetector().detect())


def _below(span: tracing.Span) -> Context:
    """Where the span stands: below its parent, or nowhere."""
    if not span.parent_id:
        return Context()
    flags = trace.TraceFlags(trace.TraceFlags.SAMPLED | trace.TraceFlags.RANDOM_TRACE_ID)
    parent = trace.SpanContext(span.trace_id, span.parent_id, is_remote=True, trace_flags=flags)
    return trace.set_span_in_context(trace.NonRecordingSpan(parent), Context())


def _links(caller: str) -> list[trace.Link]:
    """To the caller's own span; none where what it sent is no traceparent."""
    if not caller:
        return []
    context = TraceContextTextMapPropagator().extract({"traceparent": caller}, context=Context())
    span_context = trace.get_current_span(context).get_span_context()
    return [trace.Link(span_context)] if span_context.is_valid else []


def _nanoseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1e6) * 1000


class _Once(logging.Filter):
    """Each sentence one time."""

    def __init__(self) -> None:
        super().__init__()
        self._said: set[object] = set()

    def filter(self, record: logging.LogRecord) -> bool:
        is_new = record.msg not in self._said
        self._said.add(record.msg)
        return is_new

    def forget(self) -> None:
        self._said.clear()


_once = _Once()


def _quiet_library() -> None:
    """What the library says of each batch that fails ``_Plainly`` says once; that the queue is full it may say once."""
    logging.getLogger("opentelemetry").setLevel(logging.ERROR + 1)
    of_queue = logging.getLogger("opentelemetry.sdk._shared_internal")
    of_queue.setLevel(logging.WARNING)
    of_queue.addFilter(_once)
    _once.forget()
