"""How the admin shows facts about jobs: badges, bars, durations, links to Flower."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from datetime import timedelta
from urllib.parse import quote

from django.conf import settings
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from apps.jobs.models import PageAttempt, ParseJob
from apps.jobs.states import PageState


def state_badge(state: str) -> SafeString:
    return format_html('<span class="lm-state lm-{}">{}</span>', state, state)


def pages_bar(counts: Mapping[str, int], total: int | None) -> SafeString:
    """Return a bar with the shares of succeeded, failed and open pages, and the numbers beside it."""
    if total is None:
        return SafeString("-")
    good, failed = counts.get(PageState.SUCCEEDED, 0), counts.get(PageState.FAILED, 0)
    words = f"{good} of {total}" + (f", {failed} failed" if failed else "")
    parts = [("good", good), ("failed", failed), ("open", max(0, total - good - failed))]
    # The policy of the pages allows no style attributes, so widths are attributes of SVG.
    starts = itertools.accumulate((count for _, count in parts), initial=0)
    per_cent = 100 / (total or 1)
    bars = format_html_join(
        "",
        '<rect class="{}" x="{}%" width="{}%" height="100%"></rect>',
        (
            (kind, f"{start * per_cent:.1f}", f"{count * per_cent:.1f}")
            for (kind, count), start in zip(parts, starts, strict=False)
            if count
        ),
    )
    return format_html('<svg class="lm-bar" aria-hidden="true">{}</svg> <span class="lm-words">{}</span>', bars, words)


def in_words(duration: timedelta) -> str:
    """Return the duration for people: 0.42 s, 12 s, 3 min 5 s, 2 h 4 min."""
    seconds = max(0.0, duration.total_seconds())
    if seconds < 10:
        return f"{seconds:.2f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 1:
        return f"{rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def waited(job: ParseJob) -> str:
    """Return the time from the job's creation to its start; without a start, to its end or until now."""
    until = job.started_at or job.finished_at or timezone.now()
    return in_words(until - job.created_at)


def took(job: ParseJob) -> str:
    """Return the time from the job's start to its end or until now."""
    if job.started_at is None:
        return "-"
    return in_words((job.finished_at or timezone.now()) - job.started_at)


def kept(job: ParseJob) -> str:
    """Return until when the job is kept, and whether an operator or the project's retention set that."""
    if not job.expiry_ordered and not job.has_ended:
        return "for the project's retention period after its end"
    until = f"until {job.expires_at:%Y-%m-%d %H:%M} UTC" if job.expires_at else "for ever"
    if job.expiry_ordered:
        return f"{until}, set by an operator"
    if job.retention_days is None:
        return "not computed yet"
    return f"{until}, {job.retention_days} days after its end" if job.retention_days else until


def flower_url(request: HttpRequest) -> str:
    """Return Flower's address for the sender of this request: FLOWER_URL, else Flower's port on the same host."""
    if settings.FLOWER_URL:
        return str(settings.FLOWER_URL)
    host = request.get_host()
    name = host.rpartition(":")[0] if ":" in host.rpartition("]")[2] else host
    return f"{request.scheme}://{name}:{settings.FLOWER_PORT}"


def flower_tasks_of(request: HttpRequest, job_id: str) -> str:
    """Return the address of Flower's list of the job's tasks."""
    return _flower_search(request, f"kwargs:{job_id}")


def flower_tasks_of_attempt(request: HttpRequest, attempt: PageAttempt) -> str:
    """Return the address of Flower's list of the tasks that made this attempt: one, three for OCR.

    A claim raises the fence, so the message carries the number before the attempt's.
    """
    return _flower_search(request, f"kwargs:step_id={attempt.step_id} kwargs:fence={attempt.fence - 1}")


def _flower_search(request: HttpRequest, search: str) -> str:
    """Return the address of a search in Flower, whose page accepts it only as part of the task's name."""
    return f"{flower_url(request)}/tasks?name={quote(f'none OR {search}', safe='')}"
