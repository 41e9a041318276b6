"""The facts of the operations page, from rows, with a bounded number of bounded queries."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db.models import Count
from django.utils import timezone

from apps.accounts.models import ProjectQuota
from apps.jobs import queries
from apps.jobs.admin.display import in_words
from apps.jobs.models import ParseJob, Pause
from apps.jobs.scheduling.pauses import pausable
from apps.jobs.scheduling.queue_status import queue_status_of_rows
from apps.jobs.states import OPEN_JOBS, JobState
from apps.jobs.stuck import stuck_jobs
from apps.monitoring import quota_usage, recent_work
from apps.monitoring.worker_facts import scaling_events, workers_now
from apps.parsing.modes import MODES
from apps.providers.models import Deployment

MAX_STUCK_JOBS = 1000
MAX_QUOTAS = 20


@dataclass(frozen=True)
class QueueNow:
    """A queue's messages: not sent, sent but not started, running."""

    name: str
    unsent: int
    sent: int
    running: int
    age: str
    pause: Pause | None


def dashboard() -> dict[str, Any]:
    """Return the template context of the page."""
    now = timezone.now()
    pauses = queries.pauses()
    paused = {pause.name: pause for pause in pauses}
    queues = [
        QueueNow(
            name=queue.name,
            unsent=queue.unsent,
            sent=queue.waiting - queue.unsent,
            running=queue.in_flight,
            age="-" if queue.oldest_age_seconds is None else in_words(timedelta(seconds=queue.oldest_age_seconds)),
            pause=paused.get(queue.name),
        )
        for queue in queue_status_of_rows()
        if queue.name in pausable()
    ]
    open_jobs = ParseJob.objects.filter(state__in=OPEN_JOBS).order_by().values_list("state").annotate(Count("pk"))
    open_by_state = dict(open_jobs)
    jobs = recent_work.ended_jobs(now)
    attempts = recent_work.ended_attempts(now)
    deployments = list(Deployment.objects.select_related("provider", "quota"))
    quotas = list(ProjectQuota.objects.select_related("project").order_by("project__name"))
    states = quota_usage.quota_states(deployments, quotas)
    limits = list(quota_usage.project_limits(quotas, states or {}))
    if states is not None:
        limits = [*quota_usage.deployment_limits(deployments, states), *limits]
    limits.sort(key=lambda limit: -limit.percent)
    reasons = [(deployment, why_not_called(deployment)) for deployment in deployments]
    return {
        "jobs_now": [(state, open_by_state.get(state, 0)) for state in (JobState.PENDING, JobState.RUNNING)],
        "jobs_ended": sorted(jobs.by_state.items()),
        "rates_of_jobs": [jobs.rate(mode, mode) for mode in MODES],
        "rates_of_work": recent_work.rates_of_work(attempts),
        "covers": in_words(attempts.covered),
        "queues": queues,
        "workers": workers_now({queue.name: queue.running for queue in queues}),
        "scaling_events": scaling_events(),
        "job_errors": recent_work.error_shares(jobs.by_code, jobs.total),
        "attempt_errors": recent_work.error_shares(attempts.by_code, attempts.total),
        "call_errors": recent_work.call_errors(now),
        "spent": [] if states is None else quota_usage.spent_today(deployments, states),
        "quota_store_responds": states is not None,
        "limits": limits[:MAX_QUOTAS],
        "stuck": stuck_jobs(ParseJob.objects.order_by()).values("pk")[:MAX_STUCK_JOBS].count(),
        "max_stuck": MAX_STUCK_JOBS,
        "pauses": pauses,
        "may_be_paused": [name for name in pausable() if name not in paused],
        "not_called": [(deployment, reason) for deployment, reason in reasons if reason],
        "moment": now,
    }


def why_not_called(deployment: Deployment) -> str:
    """Return the reasons why the gateway does not call the deployment; "" if it does."""
    provider = deployment.provider
    reasons = [
        (provider.trouble_code, f"provider {provider}: {provider.trouble_code}"),
        (deployment.trouble_code, deployment.trouble_code),
        (provider.paused, f"provider {provider} is paused"),
        (deployment.paused, "paused"),
    ]
    return "; ".join(reason for applies, reason in reasons if applies)
