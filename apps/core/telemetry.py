"""The only import of opentelemetry: a thread exports spans in batches to a collector (OTLP over HTTP).

The library reads the OTEL variables that settings.py does not: headers, time-outs, certificates, batches.
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

from apps.core.spans import Span

logger = logging.getLogger(__name__)

STOP_SECONDS = 3.0
_KINDS = {
    "internal": trace.SpanKind.INTERNAL,
    "server": trace.SpanKind.SERVER,
    "client": trace.SpanKind.CLIENT,
}


class _Once(logging.Filter):
    """Lets each message through once."""

    def __init__(self) -> None:
        super().__init__()
        self._logged: set[object] = set()

    def filter(self, record: logging.LogRecord) -> bool:
        is_new = record.msg not in self._logged
        self._logged.add(record.msg)
        return is_new

    def forget(self) -> None:
        self._logged.clear()


_once = _Once()


class TraceExporter:
    """Exports finished spans of any thread. When the queue is full, the oldest spans are dropped."""

    def __init__(self, *, endpoint: str, service: str, version: str, queues: Sequence[str]) -> None:
        # _LogsOutage reports failed batches instead of the library; the library's "Queue full" is logged once.
        logging.getLogger("opentelemetry").setLevel(logging.ERROR + 1)
        queue_logger = logging.getLogger("opentelemetry.sdk._shared_internal")
        queue_logger.setLevel(logging.WARNING)
        queue_logger.addFilter(_once)
        _once.forget()

        host = socket.gethostname()
        attributes: dict[str, AttributeValue] = {
            "service.name": service,
            "service.version": version,
            "service.instance.id": f"{host}:{os.getpid()}",
            "host.name": host,
            "process.pid": os.getpid(),
            **({"leafmill.queues": list(queues)} if queues else {}),
        }
        self._ids = _KnownIds()
        self._provider = TracerProvider(
            resource=Resource(attributes).merge(OTELResourceDetector().detect()),  # OTEL_RESOURCE_ATTRIBUTES wins
            sampler=ALWAYS_ON,  # tracing.is_sampled has decided
            id_generator=self._ids,
            shutdown_on_exit=False,
        )
        self._provider.add_span_processor(
            BatchSpanProcessor(_LogsOutage(OTLPSpanExporter(endpoint=endpoint), endpoint))
        )
        self._tracer = self._provider.get_tracer("leafmill", version)
        self._stopping, self._stopped = threading.Event(), threading.Event()
        # Started now, because no thread can be started while the interpreter ends.
        threading.Thread(target=self._shut_down_on_stop, name="traces-end", daemon=True).start()

    def export(self, span: Span) -> None:
        self._ids.next_trace, self._ids.next_span = span.trace_id, span.span_id
        # A link to the caller's own span, if the caller named a valid one.
        caller = TraceContextTextMapPropagator().extract({"traceparent": span.caller}, context=Context())
        linked = trace.get_current_span(caller).get_span_context()
        exported = self._tracer.start_span(
            span.name,
            context=_parent_context(span),
            kind=_KINDS[span.kind],
            attributes={name: value for name, value in span.attributes.items() if value not in (None, "")},
            links=[trace.Link(linked)] if linked.is_valid else [],
            start_time=_nanoseconds(span.begun_at),
        )
        if span.error:
            exported.set_attribute("error.type", span.error)
            exported.set_status(trace.StatusCode.ERROR, span.error)
        exported.end(_nanoseconds(max(span.begun_at, span.ended_at)))

    def stop(self) -> None:
        """Flush the queued spans; drop them if the collector takes longer than STOP_SECONDS."""
        self._stopping.set()
        self._stopped.wait(STOP_SECONDS)

    def _shut_down_on_stop(self) -> None:
        self._stopping.wait()
        self._provider.shutdown()
        self._stopped.set()


class _KnownIds(IdGenerator):
    """Gives the library the ids of the span that this thread exports next; 0: a random id."""

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


class _LogsOutage(SpanExporter):
    """Logs once that the collector does not accept spans, and once that it does again."""

    def __init__(self, exporter: OTLPSpanExporter, endpoint: str) -> None:
        self._exporter = exporter
        self._address = urlsplit(endpoint).netloc.rpartition("@")[2]
        self._dropped = 0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = self._exporter.export(spans)
        if result is not SpanExportResult.SUCCESS:
            if not self._dropped:
                logger.warning("%s does not accept traces; spans are dropped until it does", self._address)
            self._dropped += len(spans)
        elif self._dropped:
            logger.warning("%s accepts traces again; at least %s spans were dropped", self._address, self._dropped)
            self._dropped = 0
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()  # type: ignore[no-untyped-call]

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        return True


def _parent_context(span: Span) -> Context:
    """Return a context with the span's parent, or an empty one for the root span."""
    if not span.parent_id:
        return Context()
    flags = trace.TraceFlags(trace.TraceFlags.SAMPLED | trace.TraceFlags.RANDOM_TRACE_ID)
    parent = trace.SpanContext(span.trace_id, span.parent_id, is_remote=True, trace_flags=flags)
    return trace.set_span_in_context(trace.NonRecordingSpan(parent), Context())


def _nanoseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1e6) * 1000
