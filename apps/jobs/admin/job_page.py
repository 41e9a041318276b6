"""The facts on a job's admin page: its pages as a grid of cells, the timeline of its stages, attempts and calls."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, Max, Min, Q
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from apps.jobs import queries
from apps.jobs.admin import display
from apps.jobs.models import AttemptOutcome, JobPage, PageAttempt, ParseJob
from apps.jobs.states import PageState, Stage
from apps.providers import ledger
from apps.providers.models import Usage, dollars_in_words

PAGES_PER_GRID = 2000
MAX_TABLE_ROWS = 30
MODE_LETTERS = {"fast": "f", "balanced": "b", "multimodal": "m", "agentic": "a"}


@dataclass(frozen=True)
class PageGrid:
    """A part of a job's pages as cells, and the number of all its pages by state."""

    cells: SafeString
    counts: list[tuple[str, int]]
    part: int
    parts: range


def page_grid(job: ParseJob, *, part: int) -> PageGrid:
    """Return part number ``part`` of the job's pages, ``PAGES_PER_GRID`` at a time. Each cell links to its row."""
    counts = queries.page_counts(job.pk)
    parts = max(1, -(-sum(counts.values()) // PAGES_PER_GRID))
    part = min(max(1, part), parts)
    columns = ("number", "state", "mode", "mode_reason", "fallback", "needs_ocr", "attempts", "error_code")
    rows = JobPage.objects.filter(job=job).order_by("number").values_list(*columns, named=True)
    address = f"{reverse('admin:jobs_jobpage_changelist')}?job__id__exact={job.pk}&number"
    cells = format_html_join(
        "",
        '<a class="lm-{}{}" href="{}={}" title="{}">{}</a>',
        (
            (
                row.state,
                " lm-fallback" if row.fallback else "",
                SafeString(address),
                row.number,
                page_tooltip(row),
                MODE_LETTERS.get(row.mode, ""),
            )
            for row in rows[(part - 1) * PAGES_PER_GRID : part * PAGES_PER_GRID]
        ),
    )
    ordered = [(state.value, counts[state]) for state in PageState if state in counts]
    return PageGrid(cells, ordered, part, range(1, parts + 1))


def page_tooltip(page: Any) -> str:
    """Return the page's state, mode, error and attempts as one line."""
    words = [f"Page {page.number}: {page.state}"]
    if page.mode:
        words.append(f"{page.mode} ({page.mode_reason})" if page.mode_reason else page.mode)
    if page.fallback:
        words.append(f"fallback text because of {page.fallback}")
    elif page.error_code:
        words.append(page.error_code)
    if page.needs_ocr:
        words.append(f"OCR would help: {page.needs_ocr}")
    if page.attempts > 1:
        words.append(f"{page.attempts} attempts")
    return ", ".join(words)


@dataclass(frozen=True)
class StageTiming:
    """A stage that the job went through: its first start, its last end, and its attempts by outcome."""

    stage: str
    begun_at: datetime
    ended_at: datetime | None
    attempts: int
    failed: int
    lost: int
    running: int

    @property
    def seconds(self) -> str:
        return display.in_words((self.ended_at or timezone.now()) - self.begun_at)


def timeline_of(job: ParseJob) -> list[StageTiming]:
    """Return the stages that the job has started, in pipeline order."""

    def ended_as(outcome: str) -> Count:
        return Count("pk", filter=Q(outcome=outcome))

    rows = (
        PageAttempt.objects.filter(job=job)
        .order_by()
        .values("stage")
        .annotate(
            begun_at=Min("started_at"),
            ended_at=Max("ended_at"),
            attempts=Count("pk"),
            failed=ended_as(AttemptOutcome.FAILED),
            lost=ended_as(AttemptOutcome.LEASE_LOST),
            running=ended_as(AttemptOutcome.RUNNING),
        )
    )
    found = {row["stage"]: row for row in rows}
    return [StageTiming(**found[stage]) for stage in Stage if stage in found]


def facts_of(request: HttpRequest, job: ParseJob) -> dict[str, Any]:
    """Return the template context that the job's page has beside the fields of its row."""
    part = request.GET.get("part", "1")
    spent = ledger.spent_by_job(job.pk)
    attempts = list(PageAttempt.objects.filter(job=job).order_by("-pk")[:MAX_TABLE_ROWS])
    for attempt in attempts:
        attempt.took = display.in_words(attempt.ended_at - attempt.started_at) if attempt.ended_at else "-"  # type: ignore[attr-defined]
        attempt.flower = display.flower_tasks_of_attempt(request, attempt)  # type: ignore[attr-defined]
    calls = list(Usage.objects.filter(job_id=job.pk).select_related("deployment").order_by("-pk")[:MAX_TABLE_ROWS])
    for call in calls:
        call.cost = dollars_in_words(call.cost_nanos)  # type: ignore[attr-defined]
    grid = page_grid(job, part=int(part) if part.isdecimal() and len(part) < 9 else 1)
    return {
        "badge": display.state_badge(job.state),
        "bar": display.pages_bar(dict(grid.counts), job.page_count),
        "waited": display.waited(job),
        "took": display.took(job),
        "grid": grid,
        "letters": MODE_LETTERS if job.uses_models else {},
        "timeline": timeline_of(job),
        "attempts": attempts,
        "calls": calls,
        "max_table_rows": MAX_TABLE_ROWS,
        "spent": f"{dollars_in_words(spent.cost_nanos)}, {spent.requests} call(s)" if spent.requests else "-",
        "flower": display.flower_tasks_of(request, job.pk),
    }
