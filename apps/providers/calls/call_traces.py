"""What of a call is told to OpenTelemetry: who was called, how it went, what it cost. Nothing of what was said."""

from __future__ import annotations

from apps.core import tracing
from apps.core.spans import JOB, Span, Value
from apps.providers.calls.attempts import Attempts, HeldCall
from apps.providers.errors import CallFailed

_NANOS_PER_DOLLAR = 1e9


def call_answered(
    attempt: Attempts, held: HeldCall, input_tokens: int, output_tokens: int, cost_nanos: int | None, *, error: str = ""
) -> None:
    """``error``: why the answer is of no use."""
    told: dict[str, Value | None] = {
        "leafmill.outcome": "unusable" if error else "answered",
        "gen_ai.usage.input_tokens": input_tokens,
        "gen_ai.usage.output_tokens": output_tokens,
        "leafmill.cost_usd": None if cost_nanos is None else cost_nanos / _NANOS_PER_DOLLAR,
    }
    _tell(attempt, held, told, error)


def call_failed(attempt: Attempts, held: HeldCall, failed: CallFailed) -> None:
    told: dict[str, Value | None] = {
        "leafmill.outcome": "failed" if failed.sent_at is not None else "not_sent",
        "http.response.status_code": failed.facts.http_status,
    }
    _tell(attempt, held, told, failed.failure)


def _tell(attempt: Attempts, held: HeldCall, told: dict[str, Value | None], error: str) -> None:
    call_for = attempt.order.call_for
    if not tracing.is_sampled(call_for.job_id):
        return
    target, _, _ = held.facts()
    place = tracing.active_span(call_for.job_id)
    tracing.export(
        Span(
            name=f"chat {target.model}",
            job_id=call_for.job_id,
            parent=place.key if place else JOB,
            begun_at=held.begun_at,
            ended_at=held.ended_at,
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
                **told,
            },
            error=str(error),
            kind="client",
        )
    )
