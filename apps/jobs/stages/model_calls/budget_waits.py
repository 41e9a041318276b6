"""Pages that wait for money: calls in flight have reserved the rest of a budget, and give back what they do not use.

Such a page is not sent again until a call has ended and left enough for it, or until nothing more can come back.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import timedelta

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now

from apps.accounts.models import ProjectQuota
from apps.core.database_connections import borrowed_connection
from apps.jobs.models import ParseJob, Step
from apps.jobs.scheduling.claims import Claim, snooze
from apps.jobs.scheduling.dispatch import dispatch_due
from apps.jobs.states import StepState
from apps.providers.calls.process_gateway import process_gateway
from apps.providers.catalog import MICROS_PER_DOLLAR
from apps.providers.errors import BudgetReserved
from apps.providers.ledger import job_quota_key, project_quota_key
from apps.providers.quota.store import QuotaStoreUnavailable

logger = logging.getLogger(__name__)
# A page that has waited this often has lost to other pages each time. Its next denial ends it as over the budget.
MAX_WAITS = 8
MAX_PAGES_AT_ONCE = 200


def wait_for_money(claim: Claim, reserved: BudgetReserved) -> bool:
    """Snooze the page until ``wake_pages`` finds the money that it needs. Return False if it has waited too often.

    If no call reports its end, because its worker died, the page is due when the reservation of that call has expired.
    """
    if claim.step.budget_waits >= MAX_WAITS:
        return False
    with borrowed_connection(), transaction.atomic():
        if snooze(claim, delay=timedelta(seconds=reserved.wait_seconds)):
            waiting = Step.objects.filter(pk=claim.step.pk, state=StepState.PENDING, sent_at=None)
            waiting.update(needs_micros=reserved.micros, budget_waits=F("budget_waits") + 1)
    return True


@dataclass
class _Budget:
    """What is left of the budget of a job or a project, and whether calls in flight may give some back."""

    left: int
    has_calls: bool


def wake_pages(job: ParseJob, quota: ProjectQuota | None) -> None:
    """Send the waiting pages that the budgets have money for, in order, and those for which none can come back.

    Call it after a page of the job has ended or waits: a call may have given money back before the page waited.
    ``quota`` is the project's.
    """
    per_day = quota.dollars_per_day if quota else None
    if per_day is None and job.parsed_options.max_cost_micros is None:
        return
    with borrowed_connection():
        waiting = Step.objects.filter(
            project_id=job.project_id, state=StepState.PENDING, sent_at=None, needs_micros__isnull=False
        )
        if per_day is None:
            waiting = waiting.filter(job=job)
        steps = list(waiting.select_related("job").order_by("pk")[:MAX_PAGES_AT_ONCE])
    if not steps:
        return
    project_key = project_quota_key(job.project_id)
    limits = {job_quota_key(step.job_id): step.job.parsed_options.max_cost_micros for step in steps}
    limits[project_key] = None if per_day is None else int(per_day * MICROS_PER_DOLLAR)
    try:
        states = process_gateway().quota_states(list(limits))
    except QuotaStoreUnavailable as error:
        logger.warning("Pages that wait for money go on when their reservations have expired (%s)", error)
        return
    budgets = {
        state.key: _Budget(limit - state.money_today, has_calls=state.in_flight > 0)
        for state, limit in zip(states, limits.values(), strict=True)
        if limit is not None
    }
    woken = []
    for step in steps:
        needed = step.needs_micros or 0
        own = [budgets[key] for key in (job_quota_key(step.job_id), project_key) if key in budgets]
        lacking = [budget for budget in own if budget.left < needed]
        if not lacking:
            for budget in own:
                budget.left, budget.has_calls = budget.left - needed, True
        if all(budget.has_calls for budget in lacking) and lacking:
            continue
        woken.append(step)
    with borrowed_connection():
        if waiting.filter(pk__in=[step.pk for step in woken]).update(not_before=Now(), needs_micros=None):
            dispatch_due(project_id=job.project_id, queues=dict.fromkeys(step.queue for step in woken))
