"""All writes to webhooks, and to deliveries before they are sent."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import Count, F, Min
from django.db.models.functions import Now
from django.utils import timezone

from apps.accounts.models import Project
from apps.core.outbound import addresses
from apps.core.sealing import sealed_secrets
from apps.webhooks.errors import WebhookNotFound
from apps.webhooks.events import EVENTS, FINAL_EVENTS
from apps.webhooks.models import DeliveryState, JobWebhook, OutputFormat, WebhookDelivery, WebhookEndpoint

LOG_KEPT_FOR = timedelta(days=30)
MAX_ROWS_PER_PURGE = 1000


@dataclass(frozen=True)
class WebhookTarget:
    """A webhook that a request names. ``sends_result``: the body is the job's result, as in LlamaParse's first form."""

    url: str
    events: tuple[str, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    secret: str = field(default="", repr=False)
    output_format: str = OutputFormat.STRING
    sends_result: bool = False
    endpoint_id: str | None = None


def check_target(url: str) -> None:
    """Raise UrlNotAllowed if no webhook may be sent to this URL. A name without an address now may have one later."""
    target = addresses.check_url(url)
    try:
        addresses.check_host(target.host, target.port, needs_tls=target.scheme == "http")
    except addresses.HostUnknown:
        if target.scheme == "http" and not settings.OUTBOUND_NETWORKS:
            raise addresses.UrlNotAllowed(addresses.NEEDS_TLS) from None


def targets_of_endpoints(*, project: Project, endpoint_ids: Collection[str]) -> list[WebhookTarget]:
    """Return the saved webhooks with these ids. Raise WebhookNotFound if one of them is not of the project."""
    found = {each.pk: each for each in WebhookEndpoint.objects.filter(project=project, pk__in=endpoint_ids)}
    if unknown := [each for each in endpoint_ids if each not in found]:
        raise WebhookNotFound(f"The webhook configuration {unknown[0][:60]} does not exist. Check its id.")
    targets = []
    for endpoint in (found[each] for each in dict.fromkeys(endpoint_ids)):
        if endpoint.disabled_at is None:
            headers, secret = unsealed(endpoint)
            events, output_format = tuple(endpoint.events), endpoint.output_format
            targets.append(
                WebhookTarget(endpoint.url, events, headers, secret, output_format, endpoint.sends_result, endpoint.pk)
            )
    return targets


def add_to_job(*, project: Project, job_id: str, targets: Iterable[WebhookTarget]) -> None:
    """Store the webhooks of a new job, in the transaction that creates it."""
    JobWebhook.objects.bulk_create(
        JobWebhook(
            project=project,
            job_id=job_id,
            endpoint_id=target.endpoint_id,
            url=target.url,
            host=addresses.check_url(target.url).host[:255],
            events=list(target.events),
            output_format=target.output_format,
            sends_result=target.sends_result,
            **_sealed(target),
        )
        for target in targets
    )


def has_webhooks(job_id: str) -> bool:
    return JobWebhook.objects.filter(job_id=job_id).exists()


def record_event(*, job_id: str, event: str, data: Mapping[str, Any]) -> bool:
    """Write a delivery for each webhook of the job that wants the event. Return whether there is one.

    Call it in the transaction that causes the event.
    """
    assert event in EVENTS
    now = timezone.now()
    wanted = [
        webhook
        for webhook in JobWebhook.objects.filter(job_id=job_id)
        if (event in FINAL_EVENTS if webhook.sends_result else not webhook.events or event in webhook.events)
    ]
    WebhookDelivery.objects.bulk_create(
        WebhookDelivery(
            webhook=webhook,
            project_id=webhook.project_id,
            job_id=job_id,
            event=event,
            data=dict(data),
            due_at=now,
            created_at=now,
        )
        for webhook in wanted
    )
    return bool(wanted)


def replay(delivery_ids: Collection[UUID]) -> int:
    """Send deliveries again that have ended, with a new series of attempts. Return their number."""
    ended = WebhookDelivery.objects.filter(pk__in=delivery_ids).exclude(state=DeliveryState.PENDING)
    return ended.update(
        state=DeliveryState.PENDING,
        attempts=0,
        fence=F("fence") + 1,
        due_at=Now(),
        lease_expires_at=None,
        ended_at=None,
    )


def deliveries_by_state() -> dict[str, int]:
    """Return the number of deliveries in the log by state."""
    rows = WebhookDelivery.objects.order_by().values_list("state").annotate(Count("pk"))
    return dict.fromkeys(DeliveryState.values, 0) | dict(rows)


def overdue_seconds() -> float:
    """Return for how long the most overdue delivery could have been sent, 0 if none is due."""
    due = WebhookDelivery.objects.filter(state=DeliveryState.PENDING).aggregate(first=Min("due_at"))["first"]
    return max(0.0, (timezone.now() - due).total_seconds()) if due else 0.0


def purge_log() -> int:
    """Remove jobs' webhooks with their log some time after the last delivery. Return the number of removed webhooks."""
    kept_since = timezone.now() - LOG_KEPT_FOR
    recent = WebhookDelivery.objects.filter(created_at__gte=kept_since).values("webhook")
    pending = WebhookDelivery.objects.filter(state=DeliveryState.PENDING).values("webhook")
    old = (
        JobWebhook.objects.filter(deliveries__created_at__lt=kept_since).exclude(pk__in=recent).exclude(pk__in=pending)
    )
    keys = list(old.distinct().values_list("pk", flat=True)[:MAX_ROWS_PER_PURGE])
    JobWebhook.objects.filter(pk__in=keys).delete()
    return len(keys)


# --- saved webhooks ---


def save_endpoint(
    *, project: Project, target: WebhookTarget, endpoint: WebhookEndpoint | None = None
) -> WebhookEndpoint:
    """Create a saved webhook, or replace one. A replacement that names no secret keeps the old one."""
    check_target(target.url)
    if endpoint is None:
        endpoint = WebhookEndpoint(project=project)
    elif not target.secret:
        target = replace(target, secret=unsealed(endpoint)[1])
    endpoint.url, endpoint.events, endpoint.output_format = target.url, list(target.events), target.output_format
    endpoint.sends_result, endpoint.disabled_at = target.sends_result, None
    for name, value in _sealed(target).items():
        setattr(endpoint, name, value)
    endpoint.save()
    return endpoint


def find_endpoint(*, project: Project, endpoint_id: str) -> WebhookEndpoint:
    """Return the project's saved webhook. Raise WebhookNotFound for an unknown id and one of another project alike."""
    found = WebhookEndpoint.objects.filter(project=project, pk=endpoint_id).first()
    if found is None:
        raise WebhookNotFound
    return found


def unsealed(receiver: WebhookEndpoint | JobWebhook) -> tuple[dict[str, str], str]:
    """Return the headers and the secret. Raise BrokenSeal if SECRET_KEY has changed since."""
    lines = sealed_secrets.unseal(receiver.headers_sealed).split("\n") if receiver.headers_sealed else []
    secret = sealed_secrets.unseal(receiver.secret_sealed) if receiver.secret_sealed else ""
    return dict(line.split(":", 1) for line in lines), secret


def _sealed(target: WebhookTarget) -> dict[str, str]:
    lines = "\n".join(f"{name}:{value}" for name, value in target.headers.items())
    return {
        "headers_sealed": sealed_secrets.seal(lines) if lines else "",
        "secret_sealed": sealed_secrets.seal(target.secret) if target.secret else "",
    }
