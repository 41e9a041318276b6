"""Keys that clients send so that a repeated request creates nothing a second time.

A request claims its key under a lease with a fence. The response is stored in the transaction that creates the object,
so a process that stops at any moment leaves both or none, and one that overran its lease creates nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from django.db.models import F, Q, QuerySet
from django.db.models.functions import Now

from apps.accounts.errors import IdempotencyKeyInUse, IdempotencyKeyReused
from apps.accounts.models import IdempotencyKey, Project

KEPT_FOR = timedelta(hours=24)
LEASE = timedelta(minutes=1)
MAX_ROWS_PER_PURGE = 1000


@dataclass(frozen=True)
class KeyClaim:
    """A key that this request holds until it stores its response or releases the key."""

    key_id: int
    fence: int


@dataclass(frozen=True)
class StoredResponse:
    """The first response to a request with the key."""

    status: int
    body: str


def claim_key(*, project: Project, key: str, fingerprint: str) -> KeyClaim | StoredResponse:
    """Claim the key, or return the response if the request was sent before. ``fingerprint``: SHA-256 of the request.

    Raise IdempotencyKeyReused if the key came with another request, IdempotencyKeyInUse while another process holds it.
    """
    lease = {"fingerprint": fingerprint, "lease_expires_at": Now() + LEASE, "expires_at": Now() + KEPT_FOR}
    row, is_new = IdempotencyKey.objects.get_or_create(project=project, key=key, defaults=lease)
    if is_new:
        return KeyClaim(row.pk, row.fence)
    abandoned = Q(status=None, lease_expires_at__lte=Now())
    claimed = IdempotencyKey.objects.filter(abandoned | Q(expires_at__lte=Now()), pk=row.pk, fence=row.fence).update(
        **lease, status=None, body="", fence=F("fence") + 1
    )
    if claimed:
        return KeyClaim(row.pk, row.fence + 1)
    if row.fingerprint != fingerprint:
        raise IdempotencyKeyReused
    if row.status is None:
        raise IdempotencyKeyInUse
    return StoredResponse(row.status, row.body)


def store_response(*, claim: KeyClaim, response: StoredResponse) -> None:
    """Store the response in the caller's transaction. Raise IdempotencyKeyInUse if another request has the key now."""
    if not _held(claim).update(status=response.status, body=response.body):
        raise IdempotencyKeyInUse


def release_key(*, claim: KeyClaim) -> None:
    """Give up a claim without a response, so that the key can be used again."""
    _held(claim).delete()


def purge_keys() -> int:
    """Delete a batch of expired keys. Return their number."""
    expired = IdempotencyKey.objects.filter(expires_at__lte=Now()).order_by("expires_at")
    keys = list(expired.values_list("pk", flat=True)[:MAX_ROWS_PER_PURGE])
    # A request may claim an expired key meanwhile.
    return IdempotencyKey.objects.filter(pk__in=keys, expires_at__lte=Now()).delete()[0]


def _held(claim: KeyClaim) -> QuerySet[IdempotencyKey]:
    return IdempotencyKey.objects.filter(pk=claim.key_id, fence=claim.fence, status=None)
