"""Jobs that do not go on although nothing keeps them waiting: for whoever runs the service to look at."""

from __future__ import annotations

from django.conf import settings
from django.db.models import Exists, Max, OuterRef, Q, QuerySet
from django.db.models.functions import Now

from apps.accounts.models import ProjectQuota
from apps.jobs import queries
from apps.jobs.models import PageAttempt, ParseJob, Step
from apps.jobs.scheduling.pauses import queues_paused_by
from apps.jobs.states import OPEN_JOBS, OPEN_STEPS, JobState, StepState

NEWEST_ATTEMPTS = 20_000  # which are looked at for signs of life
OF_THEM_FOR_QUEUES = 500


def stuck_jobs(jobs: QuerySet[ParseJob]) -> QuerySet[ParseJob]:
    """Open jobs past their deadline, and those that gave no sign of life for ``STUCK_MINUTES``.

    Signs of life: a stage that was reached, an attempt that ended, a lease that was renewed. A job that waits for a
    provider, a paused queue, its project's other jobs, or in a queue that moves, is not stuck.
    """
    steps = Step.objects.filter(job_id=OuterRef("pk"), state__in=OPEN_STEPS)
    unsent = Q(state=StepState.PENDING, sent_at=None)
    stopped = [queue for paused in queries.pauses() for queue in queues_paused_by(paused.name)]
    quiet_since = Now() - settings.STUCK_AFTER
    alive = Q(lease_expires_at__gte=quiet_since)
    waits = Q(not_before__gte=quiet_since) | Q(outage_since__isnull=False)
    in_line = Q(state=StepState.PENDING, queue__in=_moving_queues())
    last = PageAttempt.objects.aggregate(last=Max("pk"))["last"] or 0
    newest = PageAttempt.objects.filter(pk__gt=last - NEWEST_ATTEMPTS)
    attempts = newest.filter(job_id=OuterRef("pk"), ended_at__gte=quiet_since)
    silent = Q(updated_at__lt=quiet_since) & ~Exists(steps.filter(alive | waits | in_line)) & ~Exists(attempts)
    return jobs.filter(
        Q(deadline_at__lt=Now()) | silent & ~_waits_for_its_projects_jobs(),
        ~Exists(steps.filter(unsent, queue__in=stopped)),
        state__in=OPEN_JOBS,
    )


def _waits_for_its_projects_jobs() -> Q:
    limited = list(ProjectQuota.objects.filter(concurrent_jobs__isnull=False).values_list("project_id", flat=True))
    running = ParseJob.objects.filter(project_id=OuterRef("project_id"), state=JobState.RUNNING)
    return Q(Exists(running), state=JobState.PENDING, project_id__in=limited)


def _moving_queues() -> list[str]:
    """The queues from which workers took something lately, by the newest attempts of all."""
    newest = PageAttempt.objects.order_by("-pk").values("pk")[:OF_THEM_FOR_QUEUES]
    lately = PageAttempt.objects.filter(pk__in=newest, started_at__gte=Now() - settings.STUCK_AFTER)
    return list(
        Step.objects.filter(pk__in=lately.values("step_id")).order_by().values_list("queue", flat=True).distinct()
    )
