"""Export calls to OpenTelemetry: deployment, outcome and cost, but no content."""

from __future__ import annotations

from apps.core import tracing
from apps.core.spans import JOB, Span, Value
from apps.providers.calls.attempts import Attempts, CallInFlight
from apps.providers.errors import CallFailed

_NANOS_PER_DOLLAR = 1e9


def call_answered(
    attempt: Attempts,
    in_flight: CallInFlight,
    input_tokens: int,
    output_tokens: int,
    cost_nanos: int | None,
    *,
    error: str = "",
) -> None:
    """Export an answered call. ``error``: the reason why the response is unusable."""
    attributes: dict[str, Value | None] = {
        "leafmill.outcome": "unusable" if error else "answered",
        "gen_ai.usage.input_tokens": input_tokens,
        "gen_ai.usage.output_tokens": output_tokens,
        "leafmill.cost_usd": None if cost_nanos is None else cost_nanos / _NANOS_PER_DOLLAR,
    }
    _export(attempt, in_flight, attributes, error)


def call_failed(attempt: Attempts, in_flight: CallInFlight, failed: CallFailed) -> None:
    """Export a call that failed."""
    attributes: dict[str, Value | None] = {
        "leafmill.outcome": "failed" if failed.sent_at is not None else "not_sent",
        "http.response.status_code": failed.facts.http_status,
    }
    _export(attempt, in_flight, attributes, failed.failure)


def _export(attempt: Attempts, in_flight: CallInFlight, attributes: dict[str, Value | None], error: str) -> None:
    call_for = attempt.scope.call_for
    if not tracing.is_sampled(call_for.job_id):
        return
    target = in_flight.target
    place = tracing.active_span(call_for.job_id)
    tracing.export(
        Span(
            name=f"chat {target.model}",
            job_id=call_for.job_id,
            parent=place.key if place else JOB,
            begun_at=in_flight.begun_at,
            ended_at=in_flight.ended_at,
            attributes={
                "leafmill.job": call_for.job_id,
                "leafmill.pages": str(call_for.page_number),
                "leafmill.queue": call_for.page_parser,
                "leafmill.provider": target.provider,
                "leafmill.deployment": target.name,
                "leafmill.call": attempt.calls,
                "gen_ai.operation.name": "chat",
                "gen_ai.provider.name": target.family,
                "gen_ai.request.model": target.model,
                **attributes,
            },
            error=str(error),
            kind="client",
        )
    )
