"""The request of a page on its way through a batch: put in, looked up, its answer taken."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone

from apps.core.database_connections import borrowed_connection
from apps.providers.ledger import CallFor
from apps.providers.models import BatchRequest, BatchRequestState, Usage
from apps.providers.quota.store import QuotaDemand, QuotaLimits, Reservation


def requests_of(call_for: CallFor) -> list[BatchRequest]:
    """Return the requests of a page that are or were in batches."""
    with borrowed_connection():
        found = BatchRequest.objects.filter(
            job_id=call_for.job_id, page_number=call_for.page_number, page_parser=call_for.page_parser
        )
        return list(found.select_related("usage").defer("body").order_by("pk"))


def put(call_for: CallFor, body: Mapping[str, Any], *, row: Usage, reservation: Reservation, until: datetime) -> None:
    """Let the page wait for a batch: save its request, and with it the call's ``row`` in the ledger.

    ``reservation``: the money that is held for it. Raise IntegrityError if it waits already, or if the deployment was
    deleted.
    """
    written = json.dumps(body).encode()
    kept_reservation: dict[str, Any] = {}
    if reservation.quotas:
        kept_reservation = {
            "id": reservation.id,
            "quotas": [asdict(limits) for limits in reservation.quotas],
            "demand": asdict(reservation.demand),
            "reserved_at": reservation.reserved_at,
            "epoch": reservation.epoch,
        }
    with borrowed_connection(), transaction.atomic():
        row.save(force_insert=True)
        BatchRequest.objects.create(
            deployment_id=int(row.deployment_id or 0),
            usage=row,
            job_id=call_for.job_id,
            page_number=call_for.page_number,
            page_parser=call_for.page_parser,
            body=zlib.compress(written, 1),
            body_bytes=len(written),
            limit=row.output_tokens,
            input_tokens=row.input_tokens,
            reservation=kept_reservation,
            created_at=timezone.now(),
            until=until,
        )


def answer_of(request: BatchRequest) -> bytes:
    """Return the body of the provider's answer."""
    return zlib.decompress(request.answer or zlib.compress(b""))


def mark_used(request: BatchRequest) -> None:
    """Note that the answer was not usable: the page is asked for again, as usual."""
    with borrowed_connection():
        BatchRequest.objects.filter(pk=request.pk).update(state=BatchRequestState.USED, answer=None)


def reservation_of(request: BatchRequest) -> Reservation | None:
    """Return the reservation in the quota store that holds the money of the request; None if it has none."""
    stored = request.reservation
    if not stored:
        return None
    quotas = tuple(QuotaLimits(**limits) for limits in stored["quotas"])
    demand = QuotaDemand(**stored["demand"])
    return Reservation(stored["id"], quotas, demand, stored["reserved_at"], stored["epoch"])
