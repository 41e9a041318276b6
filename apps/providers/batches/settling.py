"""Settle the requests of batches: book what they cost, keep their answers, give back the money that they held."""

from __future__ import annotations

import json
import logging
import zlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any

from django.db import transaction

from apps.providers import ledger
from apps.providers.batches.page_requests import reservation_of
from apps.providers.batches.wire import Result
from apps.providers.calls.failures import error_message, failure_of_error_response
from apps.providers.calls.process_gateway import configured_quota_store
from apps.providers.calls.usage import TokenUsage, plausible_usage, read_usage
from apps.providers.catalog import Target
from apps.providers.errors import Failure
from apps.providers.models import BatchRequest, BatchRequestState, CallOutcome, Usage
from apps.providers.quota.store import QuotaStoreUnavailable

logger = logging.getLogger(__name__)
MAX_DETAIL = 300


@dataclass(frozen=True)
class ReadyPage:
    """A page that can go on."""

    job_id: str
    page_number: int
    page_parser: str


ReadyPages = list[ReadyPage]


def settle(request: BatchRequest, target: Target, result: Result) -> ReadyPages:
    """Book the result of a request and keep its answer. Harmless if that was done before."""
    is_answer = result.status == HTTPStatus.OK
    if is_answer:
        counted, request.usage.usage_suspect = plausible_usage(
            read_usage(result.body, {}),
            estimated_input_tokens=request.input_tokens,
            visible_characters=len(_text_of(result.body)),
        )
        usage = replace(counted, service_tier="batch")
        failure, detail = "", ""
    else:
        body = result.body.decode("utf-8", "replace")
        failure = failure_of_error_response(result.status, body) if result.status else Failure.UNAVAILABLE
        usage, detail = TokenUsage(0, 0, service_tier="batch"), result.detail or error_message(result.body)
    with transaction.atomic():
        booked = ledger.end_batch_call(request.usage, target, usage, failure=failure, http_status=result.status)
        kept = BatchRequest.objects.filter(pk=request.pk, state=BatchRequestState.SENT).update(
            state=BatchRequestState.ANSWERED if is_answer else BatchRequestState.FAILED,
            answer=zlib.compress(result.body) if is_answer else None,
            body=None,
            detail=detail[:MAX_DETAIL],
        )
    if booked:
        _give_back(request, request.usage.cost_nanos)
    return [_page(request)] if kept else []


def fail_requests(requests: Sequence[BatchRequest], detail: str, *, is_free: bool) -> ReadyPages:
    """Mark the requests as failed. ``is_free``: the provider bills nothing for them; else they keep their cost."""
    ids = [request.pk for request in requests]
    BatchRequest.objects.filter(pk__in=ids).update(
        state=BatchRequestState.FAILED, body=None, detail=detail[:MAX_DETAIL]
    )
    free = {"input_tokens": 0, "output_tokens": 0, "cost_nanos": 0} if is_free else {}
    calls = Usage.objects.filter(pk__in=[request.usage_id for request in requests], outcome=CallOutcome.RUNNING)
    calls.update(outcome=CallOutcome.FAILED, error_code=Failure.UNAVAILABLE, **free)
    return [_page(request) for request in requests]


def release_unsent(requests: Collection[BatchRequest], *, is_free: bool) -> None:
    """Give back the money that requests held which were not answered."""
    for request in requests:
        _give_back(request, 0 if is_free else request.usage.cost_nanos)


def _give_back(request: BatchRequest, cost_nanos: int | None) -> None:
    reservation = reservation_of(request)
    if reservation is None:
        return
    money = -(-(cost_nanos or 0) // ledger.NANOS_PER_MICRO)
    try:
        configured_quota_store().settle(reservation, input_tokens=0, output_tokens=0, money=money)
    except QuotaStoreUnavailable as error:
        logger.warning("The quota store is unavailable, so the cost of a page in a batch is only booked (%s)", error)


def _text_of(body: bytes) -> str:
    """Return the visible text of an answer in the form of OpenAI or Anthropic."""
    try:
        found: Any = json.loads(body)
        if found.get("choices"):
            return str(found["choices"][0]["message"].get("content") or "")
        return "".join(str(part.get("text") or "") for part in found.get("content") or ())
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return ""


def _page(request: BatchRequest) -> ReadyPage:
    return ReadyPage(request.job_id, request.page_number, request.page_parser)
