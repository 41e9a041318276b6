"""Look after the batches that were sent: ask for their state with backoff, take their results, cancel them."""

from __future__ import annotations

import logging
from collections.abc import Collection
from datetime import timedelta

from django.db.models.functions import Now
from django.utils import timezone

from apps.core.event_loop import event_loop
from apps.core.sealing import sealed_secrets
from apps.providers import deployment_faults
from apps.providers.batches import sending, settling
from apps.providers.batches.anthropic_api import AnthropicBatches
from apps.providers.batches.openai_api import OpenAIBatches
from apps.providers.batches.sending import claimed_batches, give_up, wait_or_give_up
from apps.providers.batches.settling import ReadyPages
from apps.providers.batches.wire import BatchApi, BatchProgress
from apps.providers.catalog import Target, target_of
from apps.providers.errors import FAULT_FAILURES, CallFailed
from apps.providers.models import (
    OPEN_BATCHES,
    Batch,
    BatchRequest,
    BatchRequestState,
    BatchState,
)

logger = logging.getLogger(__name__)

APIS: dict[str, BatchApi] = {
    "openai": OpenAIBatches(is_azure=False),
    "azure": OpenAIBatches(is_azure=True),
    "anthropic": AnthropicBatches(),
}
_BEING_CANCELLED = frozenset({"cancelling", "canceling"})
KEPT = timedelta(days=7)


def tend_batches(*, ended_jobs: Collection[str]) -> ReadyPages:
    """Form, send and look after batches. ``ended_jobs``: jobs whose pages want no answer any more.

    Return the pages whose answers are there, or that have to be asked for in another way. Any process may call it at
    any time: each batch is worked on by one of them.
    """
    withdraw(ended_jobs)
    sending.form_batches()
    pages = sending.send_batches(APIS)
    for batch in claimed_batches(BatchState.SENT, BatchState.CANCELLING):
        try:
            target = target_of(batch.deployment)  # paused or not: what was sent is billed
            pages += _look_at(batch, target, APIS[target.family])
        except sealed_secrets.BrokenSeal:
            pages += wait_or_give_up(batch, "The secrets cannot be read: SECRET_KEY changed. Load the providers again.")
        except CallFailed as failed:
            logger.warning("%s could not be looked at: %s", batch, failed)
            if failed.failure in FAULT_FAILURES:
                deployment_faults.report(target, failed)
            pages += wait_or_give_up(batch, str(failed))
    Batch.objects.filter(ended_at__lt=Now() - KEPT).delete()
    return pages


def withdraw(job_ids: Collection[str]) -> None:
    """Take the pages of ended jobs out: those that wait are forgotten, those in a batch are only booked."""
    if not job_ids:
        return
    of_jobs = BatchRequest.objects.filter(job_id__in=job_ids)
    waiting = list(of_jobs.filter(state=BatchRequestState.WAITING).select_related("usage").defer("body"))
    settling.release_unsent(waiting, is_free=True)
    for request in waiting:
        request.usage.delete()  # with it the request: it was never sent
    of_jobs.filter(state=BatchRequestState.SENT, batch__state=BatchState.SENT).update(body=None)
    of_jobs.exclude(state=BatchRequestState.SENT).delete()
    unwanted = Batch.objects.filter(state=BatchState.SENT, pages__job_id__in=job_ids).distinct()
    for batch in unwanted:
        others = batch.pages.filter(state=BatchRequestState.SENT).exclude(job_id__in=job_ids)
        if not others.exists():
            cancel(batch)


def cancel(batch: Batch) -> bool:
    """Let the batch be cancelled at its provider soon. Return False if it is not under way there."""
    return bool(
        Batch.objects.filter(pk=batch.pk, state=BatchState.SENT).update(
            state=BatchState.CANCELLING, check_at=Now(), checks=0, detail=""
        )
    )


def counts() -> dict[str, int]:
    """Return how many pages wait for a batch or are in one, by state."""
    return {
        state.value: BatchRequest.objects.filter(state=state).count()
        for state in (BatchRequestState.WAITING, BatchRequestState.SENT)
    }


def open_batches() -> int:
    """Return how many batches are under way."""
    return Batch.objects.filter(state__in=OPEN_BATCHES).count()


def _look_at(batch: Batch, target: Target, api: BatchApi) -> ReadyPages:
    progress = event_loop().run(api.progress(target, batch))
    if progress.has_failed:
        if progress.may_retry:  # too many tokens were in batches at once: the pages wait for another batch
            pause = timezone.now() + sending.TOKENS_PAUSE
            pages = batch.pages.filter(state=BatchRequestState.SENT, body__isnull=False, until__gt=pause)
            pages.update(state=BatchRequestState.WAITING, batch=None, not_before=pause)
        return give_up(batch, f"The provider refused the batch: {progress.detail}", is_known_unsent=True)
    if progress.has_ended:
        return _take_results(batch, target, api, progress)
    if progress.accepted:
        batch.pages.filter(body__isnull=False).update(body=None)
    if batch.state == BatchState.CANCELLING and progress.detail not in _BEING_CANCELLED:
        event_loop().run(api.cancel(target, batch))
    is_overdue = batch.pages.filter(state=BatchRequestState.SENT, until__lte=Now()).exists()
    if batch.state == BatchState.SENT and is_overdue:
        logger.warning("%s is cancelled: half of a job's time has passed", batch)
        cancel(batch)
        return []
    return wait_or_give_up(batch, progress.detail)


def _take_results(batch: Batch, target: Target, api: BatchApi, progress: BatchProgress) -> ReadyPages:
    requests = {}
    for request in batch.pages.select_related("usage").defer("body", "answer"):
        request.batch = batch
        requests[request.custom_id] = request
    pages: ReadyPages = []
    files = event_loop().run(api.results(target, batch, progress))
    for result in (result for content in files for result in api.read(content)):
        asked = requests.get(result.custom_id)
        if asked is not None and asked.state == BatchRequestState.SENT:
            pages += settling.settle(asked, target, result)
            asked.state = BatchRequestState.ANSWERED
    missing = [request for request in requests.values() if request.state == BatchRequestState.SENT]
    detail = f"The batch ended ({progress.detail}) without an answer for this page."
    pages += settling.fail_requests(missing, detail, is_free=True)
    settling.release_unsent(missing, is_free=True)
    Batch.objects.filter(pk=batch.pk).update(state=BatchState.ENDED, ended_at=Now(), detail=progress.detail)
    try:
        event_loop().run(api.delete(target, batch, progress))
    except CallFailed as failed:
        logger.warning("What %s keeps of %s could not be deleted: %s", target.provider, batch, failed)
    return pages
