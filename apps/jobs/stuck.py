"""Find jobs that make no progress although they wait for nothing, so that an operator can examine them."""

from __future__ import annotations

from django.conf import settings
from django.db.models import Exists, Max, OuterRef, Q, QuerySet
from django.db.models.functions import Now

from apps.accounts.models import ProjectQuota
from apps.jobs import queries
from apps.jobs.models import PageAttempt, ParseJob, Step
from apps.jobs.scheduling.pauses import queues_paused_by
from apps.jobs.states import OPEN_JOBS, OPEN_STEPS, JobState, StepState

MAX_ATTEMPTS_CHECKED = 20_000  # the newest ones, for signs of life
MAX_ATTEMPTS_FOR_QUEUES = 500


def stuck_jobs(jobs: QuerySet[ParseJob]) -> QuerySet[ParseJob]:
    """Return the open jobs that are past their deadline or have given no sign of life for ``STUCK_MINUTES``.

    Signs of life: the job entered a stage, an attempt ended, a lease was renewed. A job is not stuck while it waits for
    a provider, for a paused queue, for other jobs of its project, or in a queue from which workers take messages.
    """
    silent_since = Now() - settings.STUCK_AFTER

    newest = PageAttempt.objects.order_by("-pk").values("pk")[:MAX_ATTEMPTS_FOR_QUEUES]
    recent = PageAttempt.objects.filter(pk__in=newest, started_at__gte=silent_since)
    moving_queues = Step.objects.filter(pk__in=recent.values("step_id")).order_by().values_list("queue", flat=True)
    steps = Step.objects.filter(job_id=OuterRef("pk"), state__in=OPEN_STEPS)
    has_lease = Q(lease_expires_at__gte=silent_since)
    waits_for_provider = Q(not_before__gte=silent_since) | Q(outage_since__isnull=False)
    waits_in_moving_queue = Q(state=StepState.PENDING, queue__in=list(moving_queues.distinct()))
    live_steps = steps.filter(has_lease | waits_for_provider | waits_in_moving_queue)

    last_attempt = PageAttempt.objects.aggregate(last=Max("pk"))["last"] or 0
    ended_attempts = PageAttempt.objects.filter(
        pk__gt=last_attempt - MAX_ATTEMPTS_CHECKED, job_id=OuterRef("pk"), ended_at__gte=silent_since
    )

    limited = list(ProjectQuota.objects.filter(concurrent_jobs__isnull=False).values_list("project_id", flat=True))
    running = ParseJob.objects.filter(project_id=OuterRef("project_id"), state=JobState.RUNNING)
    waits_for_other_jobs = Q(Exists(running), state=JobState.PENDING, project_id__in=limited)

    paused = [queue for pause in queries.pauses() for queue in queues_paused_by(pause.name)]
    is_silent = Q(updated_at__lt=silent_since) & ~Exists(live_steps) & ~Exists(ended_attempts)
    return jobs.filter(
        Q(deadline_at__lt=Now()) | is_silent & ~waits_for_other_jobs,
        ~Exists(steps.filter(state=StepState.PENDING, sent_at=None, queue__in=paused)),
        state__in=OPEN_JOBS,
    )
