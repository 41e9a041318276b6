"""Form batches of the requests that wait, and send them: once, whatever dies on the way.

The row of a batch and the names of its requests are committed before anything is sent. A process that died after the
provider had accepted the batch leaves it in the state ``sending``; the next one asks the provider for it before it
sends anything.
"""

from __future__ import annotations

import json
import logging
import secrets
import zlib
from collections.abc import Iterator
from datetime import timedelta
from http import HTTPStatus
from typing import Any

from django.db import transaction
from django.db.models import Count, F, Max, Min, Q, Sum
from django.db.models.functions import Now
from django.utils import timezone

from apps.core.database_connections import durable_transaction
from apps.core.event_loop import event_loop
from apps.providers import deployment_faults
from apps.providers.batches.settling import ReadyPages, fail_requests, release_unsent
from apps.providers.batches.wire import BatchApi, NotReady
from apps.providers.catalog import ProviderRules, Target, target_of
from apps.providers.errors import FAULT_FAILURES, CallFailed, Failure
from apps.providers.models import Batch, BatchRequest, BatchRequestState, BatchState, Deployment

logger = logging.getLogger(__name__)

MAX_REQUESTS = 2_000
MAX_BYTES = 48 * 1024 * 1024
QUIET = timedelta(seconds=15)
"""A batch is formed when no page has come for this long..."""
MAX_COLLECTING = timedelta(minutes=2)
"""...or when its first page has waited for this long."""
WORK_LEASE = timedelta(minutes=12)
"""A process that works on a batch keeps others from it for this long, which no request takes."""
FIRST_CHECK = timedelta(seconds=20)
MAX_BACKOFF = timedelta(minutes=10)
MAX_OVERDUE = timedelta(minutes=20)
"""The time after half of its job's time from which a batch that has not ended is not waited for."""
TOKENS_PAUSE = timedelta(minutes=10)
_NOT_ACCEPTED = frozenset({Failure.BAD_REQUEST, Failure.CONTEXT, Failure.REFUSED, Failure.PARAMETER_REFUSED})


def form_batches() -> int:
    """Form batches of the requests that waited long enough. Return how many."""
    due = Q(not_before=None) | Q(not_before__lte=Now())
    waiting = BatchRequest.objects.filter(due, state=BatchRequestState.WAITING)
    groups = (
        waiting.order_by()
        .values("deployment_id")
        .annotate(first=Min("created_at"), last=Max("created_at"), pages=Count("pk"), size=Sum("body_bytes"))
    )
    now, formed = timezone.now(), 0
    for group in groups:
        is_full = group["pages"] >= MAX_REQUESTS or group["size"] >= MAX_BYTES
        if is_full or group["last"] < now - QUIET or group["first"] < now - MAX_COLLECTING:
            formed += _form(waiting.filter(deployment_id=group["deployment_id"]), group["deployment_id"])
    return formed


def _form(waiting: Any, deployment_id: int) -> bool:
    chosen: list[int] = []
    size = 0
    for pk, length in waiting.order_by("created_at", "pk").values_list("pk", "body_bytes")[:MAX_REQUESTS]:
        if chosen and size + length > MAX_BYTES:
            break
        chosen.append(pk)
        size += length
    with durable_transaction():  # with it the calls of its pages: afterwards they are sent, and cost money
        now = timezone.now()
        batch = Batch.objects.create(
            deployment_id=deployment_id, key=secrets.token_hex(12), created_at=now, check_at=now
        )
        taken = BatchRequest.objects.filter(pk__in=chosen, state=BatchRequestState.WAITING).update(
            batch=batch, state=BatchRequestState.SENT
        )
        Batch.objects.filter(pk=batch.pk).update(requests=taken)
        if not taken:  # another process was quicker
            transaction.set_rollback(True)
    return bool(taken)


def claimed_batches(*states: BatchState) -> Iterator[Batch]:
    """Yield the batches in these states that are due, each while no other process works on it."""
    due = Batch.objects.filter(state__in=states, check_at__lte=Now())
    for batch in due.select_related("deployment__provider", "deployment__quota").order_by("check_at"):
        if Batch.objects.filter(pk=batch.pk, state=batch.state, check_at=batch.check_at).update(
            check_at=Now() + WORK_LEASE, checks=F("checks") + 1
        ):
            yield batch


def send_batches(apis: dict[str, BatchApi]) -> ReadyPages:
    """Send the batches that were formed. Return the pages that have to be asked for in another way."""
    pages: ReadyPages = []
    for batch in claimed_batches(BatchState.SENDING):
        target, problem = callable_target(batch.deployment)
        try:
            if target is None:
                pages += give_up(batch, problem, is_known_unsent=not batch.checks)
            else:
                pages += _send(batch, target, apis[target.family])
        except NotReady:
            pages += wait_or_give_up(batch, "")
        except CallFailed as failed:
            pages += _after_failure(batch, target, failed)
    return pages


def callable_target(row: Deployment) -> tuple[Target | None, str]:
    """Return the deployment if it may be called now; otherwise the reason why not."""
    if row.paused or row.provider.paused:
        return None, f"{row.name} is paused."
    target = target_of(row)
    refusal = ProviderRules().refusal(target)
    return (None, f"{refusal}.") if refusal else (target, "")


def _send(batch: Batch, target: Target, api: BatchApi) -> ReadyPages:
    found = ""
    if batch.checks:  # an earlier try may have reached the provider
        known = Batch.objects.exclude(provider_batch="").filter(deployment__provider=batch.deployment.provider_id)
        ids = frozenset(known.values_list("provider_batch", flat=True))
        found = event_loop().run(api.find(target, batch, ids))
        if found:
            logger.warning("%s was found again at %s as %s", batch, target.provider, found)
    elif batch.pages.filter(until__lte=Now()).exists():
        return give_up(batch, "Half of its job's time had passed before the batch was sent.", is_known_unsent=True)
    if not found:
        try:
            content = b"" if batch.input_file else api.written(_bodies(batch))
            found = event_loop().run(api.send(target, batch, content))
        finally:
            Batch.objects.filter(pk=batch.pk).update(input_file=batch.input_file)
    if not found:
        raise NotReady
    Batch.objects.filter(pk=batch.pk, state=BatchState.SENDING).update(
        state=BatchState.SENT, provider_batch=found, sent_at=Now(), checks=0, detail="", check_at=Now() + FIRST_CHECK
    )
    logger.info("%s was sent to %s as %s", batch, target.name, found)
    return []


def _bodies(batch: Batch) -> Iterator[tuple[str, dict[str, Any]]]:
    for request in batch.pages.filter(body__isnull=False).order_by("pk").iterator(chunk_size=50):
        request.batch = batch
        yield request.custom_id, json.loads(zlib.decompress(request.body or b""))


def _after_failure(batch: Batch, target: Target | None, failed: CallFailed) -> ReadyPages:
    """Decide what follows a failure to send: the pages go another way if the provider took nothing and never will."""
    logger.warning("%s could not be sent: %s", batch, failed)
    if target is not None and failed.failure in FAULT_FAILURES:
        deployment_faults.report(target, failed)
    is_refused = failed.failure in _NOT_ACCEPTED or failed.failure in FAULT_FAILURES
    if is_refused or failed.facts.http_status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        return give_up(batch, str(failed), is_known_unsent=True)
    if batch.pages.filter(until__lte=Now()).exists():
        return give_up(batch, str(failed), is_known_unsent=failed.facts.http_status is not None)
    check_later(batch, detail=str(failed))
    return []


def give_up(batch: Batch, detail: str, *, is_known_unsent: bool) -> ReadyPages:
    """End a batch that is not answered. Its pages go another way.

    ``is_known_unsent``: nothing can be billed for it. Otherwise its calls keep their largest cost in the ledger.
    """
    with transaction.atomic():
        Batch.objects.filter(pk=batch.pk).update(state=BatchState.FAILED, ended_at=Now(), detail=detail)
        requests = list(batch.pages.filter(state=BatchRequestState.SENT).select_related("usage").defer("body"))
        pages = fail_requests(requests, detail, is_free=is_known_unsent)
    release_unsent(requests, is_free=is_known_unsent)
    return pages


def wait_or_give_up(batch: Batch, detail: str) -> ReadyPages:
    """Look at the batch later. One that should have ended long ago is not waited for."""
    if batch.pages.filter(state=BatchRequestState.SENT, until__lte=Now() - MAX_OVERDUE).exists():
        detail = "The provider did not end the batch in time; its pages are booked with their largest cost."
        return give_up(batch, detail, is_known_unsent=False)
    check_later(batch, detail=detail)
    return []


def check_later(batch: Batch, *, detail: str = "") -> None:
    """Look at the batch again after a time that doubles, but not later than its pages can wait."""
    wait = min(FIRST_CHECK * 2 ** min(batch.checks, 10), MAX_BACKOFF)
    at = timezone.now() + wait
    first = batch.pages.filter(state=BatchRequestState.SENT).aggregate(first=Min("until"))["first"]
    if first is not None and timezone.now() < first < at:
        at = first
    Batch.objects.filter(pk=batch.pk).update(check_at=at, detail=detail)
