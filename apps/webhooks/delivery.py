"""Send due deliveries: claim each with a lease, send it outside of any transaction, and record the outcome.

An event is sent at least once. It fails after ten attempts over 75 hours, the schedule of Standard Webhooks, or at once
if the receiver answers 410 Gone. Only 2xx is success; redirects are not followed.
"""

from __future__ import annotations

import json
import logging
import random
import time
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any

from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from apps import VERSION
from apps.core.outbound import addresses
from apps.core.outbound import requests as outbound
from apps.core.sealing import sealed_secrets
from apps.webhooks import services
from apps.webhooks.models import (
    DeliveryState,
    OutputFormat,
    WebhookAttempt,
    WebhookDelivery,
    WebhookEndpoint,
)
from apps.webhooks.signatures import llamaparse_signature, standard_signature

logger = logging.getLogger(__name__)

RETRY_DELAYS = tuple(
    timedelta(seconds=seconds) for seconds in (5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400)
)
"""After each failed attempt but the last. Receivers must be able to rely on it, so it is not a setting."""
OUTAGE_DELAY = timedelta(seconds=10)
MAX_RETRY_AFTER = timedelta(days=1)
LEASE = timedelta(seconds=60)
REQUEST_SECONDS = 15.0  # shorter than the lease
MAX_AT_ONCE = 32
MAX_AT_ONCE_PER_HOST = 8  # the others stay free when one receiver hangs
POLL_SECONDS = 1.0
KEPT_OF_RESPONSE = 500
USER_AGENT = f"llamaindex-webhook-service/1.0 (compatible; Leafmill/{VERSION})"
ReadResult = Callable[[str], bytes]
"""Returns the body of LlamaParse's first form for a job: its result. Raises LookupError, OSError or ValueError."""


@dataclass(frozen=True)
class _SignedRequest:
    url: str
    body: bytes
    headers: Mapping[str, str] = field(repr=False)


@dataclass
class _Outcome:
    """The response of a receiver; ``status`` None: there was none, for the reason in ``error``.

    ``is_outage``: nothing was sent, because a part of this service is away. It is not counted as an attempt.
    """

    status: int | None = None
    error: str = ""
    is_final: bool = False
    is_outage: bool = False
    retry_after: timedelta | None = None
    response: str = ""
    milliseconds: int = 0

    @property
    def is_delivered(self) -> bool:
        return self.status is not None and HTTPStatus.OK <= self.status < HTTPStatus.MULTIPLE_CHOICES


def has_due() -> bool:
    return _due().exists()


def deliver_due(*, read_result: ReadResult, keep_going: Callable[[], bool] = lambda: True) -> int:
    """Send what is due until nothing is left or ``keep_going`` returns False. Return the number of attempts."""
    sent = 0
    running: dict[Future[_Outcome], WebhookDelivery] = {}
    with ThreadPoolExecutor(MAX_AT_ONCE, thread_name_prefix="webhooks") as threads:
        while True:
            if keep_going():
                for delivery in _claim(running.values()):
                    running[threads.submit(_attempt(delivery, read_result))] = delivery
            if not running:
                return sent
            done, _ = wait(running, timeout=POLL_SECONDS, return_when=FIRST_COMPLETED)
            for future in done:
                _record(running.pop(future), future.result())
                sent += 1


def _due() -> QuerySet[WebhookDelivery]:
    free = Q(lease_expires_at=None) | Q(lease_expires_at__lt=Now())
    return WebhookDelivery.objects.filter(free, state=DeliveryState.PENDING, due_at__lte=Now())


def _claim(running: Any) -> list[WebhookDelivery]:
    """Claim due deliveries for the free threads, the oldest first, and not too many of one host."""
    per_host = Counter(delivery.webhook.host for delivery in running)
    free, claimed = MAX_AT_ONCE - sum(per_host.values()), list[WebhookDelivery]()
    while free > 0:
        full = [host for host, count in per_host.items() if count >= MAX_AT_ONCE_PER_HOST]
        rows = _due().exclude(webhook__host__in=full).select_related("webhook").order_by("due_at")[:free]
        batch = list(rows)
        if not batch:
            break
        for delivery in batch:
            host = delivery.webhook.host
            if per_host[host] >= MAX_AT_ONCE_PER_HOST:
                continue
            # The attempt is counted before it begins.
            row = _due().filter(pk=delivery.pk, fence=delivery.fence)
            if not row.update(fence=F("fence") + 1, attempts=F("attempts") + 1, lease_expires_at=Now() + LEASE):
                continue  # another worker was faster
            delivery.fence, delivery.attempts = delivery.fence + 1, delivery.attempts + 1
            per_host[host] += 1
            free -= 1
            claimed.append(delivery)
    return claimed


def _attempt(delivery: WebhookDelivery, read_result: ReadResult) -> Callable[[], _Outcome]:
    """Return the work of a thread, which uses no database."""
    try:
        request = _request(delivery, read_result)
    except sealed_secrets.BrokenSeal:
        failed = _Outcome(error="The headers or the secret cannot be read: SECRET_KEY has changed.", is_final=True)
        return lambda: failed
    except (LookupError, ValueError) as error:
        failed = _Outcome(error=str(error), is_final=True)
        return lambda: failed
    except OSError as error:
        failed = _Outcome(error=f"The result could not be read: {error}", is_outage=True)
        return lambda: failed
    return lambda: _send(request)


def _request(delivery: WebhookDelivery, read_result: ReadResult) -> _SignedRequest:
    webhook, sent_at = delivery.webhook, int(time.time())
    own_headers, secret = services.unsealed(webhook)
    body = read_result(delivery.job_id) if webhook.sends_result else event_body(delivery)
    headers = {
        **own_headers,
        "Content-Type": "application/json",
        "User-Agent": USER_AGENT,
        "X-Webhook-Event-ID": str(delivery.pk),
        "X-Webhook-Event-Type": delivery.event,
        "webhook-id": str(delivery.pk),
        "webhook-timestamp": str(sent_at),
    }
    if secret:
        headers["LC-Signature"] = llamaparse_signature(secret, body)
        headers["webhook-signature"] = standard_signature(
            secret, message_id=str(delivery.pk), timestamp=sent_at, body=body
        )
    return _SignedRequest(webhook.url, body, headers)


def event_body(delivery: WebhookDelivery) -> bytes:
    """Return the body, which is the same in every attempt. It contains no text of the document."""
    event = {
        "event_id": str(delivery.pk),
        "event_type": delivery.event,
        "timestamp": delivery.created_at.timestamp(),
        "data": delivery.data,
    }
    body = json.dumps(event)
    return (json.dumps(body) if delivery.webhook.output_format == OutputFormat.STRING else body).encode()


def _send(request: _SignedRequest) -> _Outcome:
    outcome, began = _Outcome(), time.monotonic()
    try:
        with outbound.send(
            "POST", request.url, headers=request.headers, content=request.body, seconds=REQUEST_SECONDS, needs_tls=True
        ) as response:
            outcome.status = response.status
            outcome.is_final = response.status == HTTPStatus.GONE
            outcome.retry_after = retry_after(outbound.header(response, "Retry-After"))
            for chunk in response.iter_stream():  # the rest of a long response is not read
                text = chunk[:KEPT_OF_RESPONSE].decode("utf-8", "replace").replace("\x00", "")
                outcome.response = (outcome.response + text)[:KEPT_OF_RESPONSE]
                if len(outcome.response) >= KEPT_OF_RESPONSE:
                    break
    except addresses.UrlNotAllowed as error:
        outcome.error, outcome.is_final = error.detail, True
    except outbound.ERRORS as error:
        if outcome.status is None:
            outcome.error = f"{type(error).__name__}: {error}"
    outcome.milliseconds = int((time.monotonic() - began) * 1000)
    return outcome


def retry_after(value: str) -> timedelta | None:
    """Return how long the header asks to wait, in seconds or until a date; None without a usable value."""
    if value.isascii() and value.isdigit() and len(value) < 10:
        return min(timedelta(seconds=int(value)), MAX_RETRY_AFTER)
    try:
        at = parsedate_to_datetime(value)
    except (TypeError, ValueError):
        return None
    return min(max(at - datetime.now(at.tzinfo), timedelta()), MAX_RETRY_AFTER)


@transaction.atomic
def _record(delivery: WebhookDelivery, outcome: _Outcome) -> None:
    """Write the attempt to the log and end the delivery or set its next attempt, unless it was claimed again."""
    claimed = WebhookDelivery.objects.filter(pk=delivery.pk, fence=delivery.fence, state=DeliveryState.PENDING)
    if outcome.is_outage:
        logger.warning("Webhook %s of %s waits: %s", delivery.event, delivery.job_id, outcome.error)
        due_at = Now() + OUTAGE_DELAY
        claimed.update(lease_expires_at=None, attempts=F("attempts") - 1, due_at=due_at, last_error=outcome.error[:200])
        return
    WebhookAttempt.objects.create(
        delivery=delivery,
        number=delivery.attempts,
        at=timezone.now(),
        status=outcome.status,
        error=outcome.error[:200],
        milliseconds=outcome.milliseconds,
        response=outcome.response,
    )
    has_failed = outcome.is_final or delivery.attempts > len(RETRY_DELAYS)
    changes: dict[str, Any] = {
        "lease_expires_at": None,
        "last_status": outcome.status,
        "last_error": outcome.error[:200],
    }
    if outcome.is_delivered or has_failed:
        state = DeliveryState.DELIVERED if outcome.is_delivered else DeliveryState.FAILED
        changes |= {"state": state, "due_at": None, "ended_at": Now()}
    else:
        delay = RETRY_DELAYS[delivery.attempts - 1] * random.uniform(1.0, 1.1)
        changes["due_at"] = Now() + max(delay, outcome.retry_after or timedelta())
    if claimed.update(**changes) and outcome.status == HTTPStatus.GONE:
        # The receiver is gone for good: send nothing more for this webhook.
        WebhookEndpoint.objects.filter(pk=delivery.webhook.endpoint_id, disabled_at=None).update(disabled_at=Now())
        rest = WebhookDelivery.objects.filter(webhook=delivery.webhook, state=DeliveryState.PENDING)
        reason = "The receiver answered 410 Gone before."
        rest.update(state=DeliveryState.FAILED, due_at=None, ended_at=Now(), last_error=reason)
    if has_failed and not outcome.is_delivered:
        reason = outcome.error or f"status {outcome.status}"
        logger.warning("Webhook %s of %s failed for good: %s", delivery.event, delivery.job_id, reason)
