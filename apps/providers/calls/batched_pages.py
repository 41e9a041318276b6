"""Pages of jobs that can wait, on their way through a batch: put in by the gateway, and answered at a later claim."""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import NoReturn, Protocol, TypeVar

from django.db import IntegrityError

from apps.providers import ledger
from apps.providers.batches import page_requests
from apps.providers.calls.attempts import OUTAGE_PAUSE_SECONDS, Attempts, CallInFlight
from apps.providers.calls.client import Client, CompletionResponse
from apps.providers.catalog import Catalog, Target
from apps.providers.errors import AnswersLater, CallFailed, ProvidersUnavailable
from apps.providers.models import OPEN_BATCH_REQUESTS, BatchRequest, BatchRequestState, Usage
from apps.providers.quota.store import (
    QuotaDemand,
    QuotaDenied,
    QuotaLimits,
    QuotaStore,
    QuotaStoreUnavailable,
    Reservation,
)

Checked = TypeVar("Checked", covariant=True)
# A page in a batch is sent again when its answer is there, and after this time at the latest, to look for it.
LOOK_AGAIN_SECONDS = 1800.0


class Judge(Protocol[Checked]):
    """The gateway's check of a response. It returns None if the response is not usable."""

    def __call__(self, target: Target, response: CompletionResponse, row: Usage, *, limit: int) -> Checked | None: ...


class BatchedPages:
    """The part of the gateway that puts pages into batches and reads their answers."""

    def __init__(self, client: Client, store: QuotaStore, catalog: Catalog) -> None:
        self._client = client
        self._store = store
        self._catalog = catalog

    def take(self, attempt: Attempts, judge: Judge[Checked]) -> Checked | None:
        """Return the page's answer from a batch, if a usable one is there. Raise AnswersLater while it is under way."""
        targets = {target.id: target for target in attempt.candidates()}
        for request in page_requests.requests_of(attempt.scope.call_for):
            if request.state in OPEN_BATCH_REQUESTS:
                raise AnswersLater(LOOK_AGAIN_SECONDS)
            target = targets.get(request.deployment_id)
            if target is None:
                continue
            attempt.leave_tier(target, "batch")
            if request.state == BatchRequestState.FAILED:
                attempt.unanswered_batch = request.detail
            if request.state == BatchRequestState.ANSWERED:
                completion = self._read(attempt, target, request, judge)
                if completion is not None:
                    return completion
                page_requests.mark_used(request)
        return None

    def reserve(
        self, quotas: Sequence[QuotaLimits], demand: QuotaDemand, *, seconds: float
    ) -> Reservation | QuotaDenied:
        """Hold the money of a page. A batch does not count in the windows of the deployment's other calls."""
        money = QuotaDemand(0, 0, demand.money)
        if not quotas:
            return Reservation(secrets.token_hex(8), (), money, time.time(), "")
        return self._store.reserve(quotas, money, seconds=seconds)

    def put(self, attempt: Attempts, in_flight: CallInFlight) -> NoReturn:
        """Let the page wait for a batch, and raise AnswersLater. Every other error gives the held money back."""
        scope, target, row = attempt.scope, in_flight.target, in_flight.row
        assert scope.batch_until is not None
        try:
            body = self._client.body_of(target, replace(attempt.request(target), limit=row.output_tokens))
            page_requests.put(scope.call_for, body, row=row, reservation=in_flight.reservation, until=scope.batch_until)
        except (CallFailed, IntegrityError) as error:
            # A request that cannot be written, a deployment that was deleted, or a page that another worker has.
            self._release(in_flight.reservation)
            self._catalog.forget()
            raise ProvidersUnavailable(OUTAGE_PAUSE_SECONDS, str(error)) from error
        raise AnswersLater(LOOK_AGAIN_SECONDS)

    def _read(self, attempt: Attempts, target: Target, request: BatchRequest, judge: Judge[Checked]) -> Checked | None:
        asked = replace(attempt.request(target), limit=request.limit)
        try:
            response = self._client.read(target, asked, page_requests.answer_of(request))
        except CallFailed as failed:
            ledger.mark_unusable(request.usage, failed.failure)
            attempt.note_failure(target, failed.failure, str(failed))
            return None
        return judge(target, response, request.usage, limit=request.limit)

    def _release(self, reservation: Reservation) -> None:
        try:
            if reservation.quotas:
                self._store.release(reservation)
        except QuotaStoreUnavailable:
            return  # it expires by itself
