"""What the admin's pages of jobs show: bars, durations, the wall of pages, the road a job took."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

from django.conf import settings
from django.db.models import Count, Max, Min, Q
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from apps.jobs.models import AttemptOutcome, JobPage, PageAttempt, ParseJob
from apps.jobs.states import OPEN_PAGES, JobState, PageState, Stage
from apps.providers import ledger
from apps.providers.models import NANOS_PER_DOLLAR, Usage, dollars_in_words

PAGES_ON_A_WALL = 2000
ROWS_OF_A_TABLE = 30
LETTERS_OF_MODES = {"fast": "f", "balanced": "b", "multimodal": "m", "agentic": "a"}


def page_counts_of(job_ids: Sequence[str]) -> dict[str, dict[str, int]]:
    """How many pages of each job are in each state, all jobs in one question."""
    rows = JobPage.objects.filter(job_id__in=job_ids).values_list("job_id", "state").annotate(Count("pk")).order_by()
    counts: dict[str, dict[str, int]] = {job_id: {} for job_id in job_ids}
    for job_id, state, count in rows:
        counts[job_id][state] = count
    return counts


def told_by_result(job: ParseJob) -> tuple[dict[str, int], int | str | None] | None:
    """Pages by state and the cost in billionths of a dollar ("": none) of a job whose result says so; None: count."""
    facts = job.result_facts
    if job.state not in (JobState.SUCCEEDED, JobState.PARTIAL) or "good_pages" not in facts:
        return None
    counts = {PageState.SUCCEEDED.value: facts["good_pages"], PageState.FAILED.value: facts["failed_pages"]}
    usage = facts.get("usage")
    if not usage or not usage["requests"]:
        return counts, ""
    return counts, None if usage["cost_usd"] is None else round(usage["cost_usd"] * NANOS_PER_DOLLAR)


def pages_bar(counts: Mapping[str, int], total: int | None) -> SafeString:
    """Good, failed and open pages as parts of one bar, and in words."""
    if total is None:
        return SafeString("-")
    good, failed = counts.get(PageState.SUCCEEDED, 0), counts.get(PageState.FAILED, 0)
    words = f"{good} of {total}" + (f", {failed} failed" if failed else "")
    parts = [("good", good), ("failed", failed), ("open", max(0, total - good - failed))]
    shares = [(kind, f"{100 * count / (total or 1):.1f}") for kind, count in parts if count]
    bars = format_html_join("", '<i class="{}" style="width: {}%"></i>', shares)
    return format_html('<span class="lm-bar">{}</span> <span class="lm-words">{}</span>', bars, words)


def state_badge(state: str) -> SafeString:
    return format_html('<span class="lm-state lm-{}">{}</span>', state, state)


def in_words(duration: timedelta) -> str:
    """A duration for people: 0.42 s, 12 s, 3 min 5 s, 2 h 4 min."""
    seconds = max(0.0, duration.total_seconds())
    if seconds < 10:
        return f"{seconds:.2f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 1:
        return f"{rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def waited(job: ParseJob) -> str:
    """How long the job stood in line before somebody began it."""
    until = job.started_at or job.finished_at or timezone.now()
    return in_words(until - job.created_at)


def took(job: ParseJob) -> str:
    if job.started_at is None:
        return "-"
    return in_words((job.finished_at or timezone.now()) - job.started_at)


def kept(job: ParseJob) -> str:
    """Until when the job is kept, and who says so."""
    if not job.expiry_ordered and not job.has_ended:
        return "so many days after its end as its project has"
    until = f"until {job.expires_at:%Y-%m-%d %H:%M} UTC" if job.expires_at else "for ever"
    if job.expiry_ordered:
        return f"{until}, by order"
    if job.retention_days is None:
        return "not reckoned yet"
    return f"{until}, {job.retention_days} days after its end" if job.retention_days else until


def flower_url(request: HttpRequest) -> str:
    """Where the person who sent this request finds Flower."""
    if settings.FLOWER_URL:
        return str(settings.FLOWER_URL)
    host = request.get_host()
    name = host.rpartition(":")[0] if ":" in host.rpartition("]")[2] else host
    return f"{request.scheme}://{name}:{settings.FLOWER_PORT}"


def flower_tasks_of(request: HttpRequest, job_id: str) -> str:
    """Flower's list of the job's tasks."""
    return _flower_search(request, f"kwargs:{job_id}")


def flower_tasks_of_attempt(request: HttpRequest, attempt: PageAttempt) -> str:
    """Flower's list of the one task that made this attempt; of OCR, the three. A claim raises its message's fence."""
    return _flower_search(request, f"kwargs:step_id={attempt.step_id} kwargs:fence={attempt.fence - 1}")


def _flower_search(request: HttpRequest, search: str) -> str:
    """Flower's page takes a name to search for; the rest of the search goes with it."""
    return f"{flower_url(request)}/tasks?name={quote(f'none OR {search}', safe='')}"


@dataclass(frozen=True)
class Wall:
    """The pages of a job as cells, from ``first`` on; ``counts`` of all of them."""

    cells: SafeString
    counts: list[tuple[str, int]]
    part: int
    parts: range


def wall_of(job: ParseJob, *, part: int) -> Wall:
    counts = page_counts_of([job.pk])[job.pk]
    parts = max(1, -(-sum(counts.values()) // PAGES_ON_A_WALL))
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
                _told(row),
                LETTERS_OF_MODES.get(row.mode, ""),
            )
            for row in rows[(part - 1) * PAGES_ON_A_WALL : part * PAGES_ON_A_WALL]
        ),
    )
    ordered = [(state.value, counts[state]) for state in PageState if state in counts]
    return Wall(cells, ordered, part, range(1, parts + 1))


def _told(page: Any) -> str:
    """Why a page's cell looks as it does."""
    words = [f"Page {page.number}: {page.state}"]
    if page.mode:
        words.append(f"{page.mode} ({page.mode_reason})" if page.mode_reason else page.mode)
    if page.fallback:
        words.append(f"its fallback text, because of {page.fallback}")
    elif page.error_code:
        words.append(page.error_code)
    if page.needs_ocr:
        words.append(f"could do with OCR: {page.needs_ocr}")
    if page.attempts > 1:
        words.append(f"{page.attempts} attempts")
    return ", ".join(words)


@dataclass(frozen=True)
class Stretch:
    """A stage of a job's road: what was tried in it, from when to when."""

    stage: str
    begun_at: datetime
    ended_at: datetime | None
    attempts: int
    failed: int
    lost: int
    running: int

    @property
    def seconds(self) -> str:
        return in_words((self.ended_at or timezone.now()) - self.begun_at)


def road_of(job: ParseJob) -> list[Stretch]:
    """The stages the job went through, in their order."""

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
    return [Stretch(**found[stage]) for stage in Stage if stage in found]


def facts_of(request: HttpRequest, job: ParseJob) -> dict[str, Any]:
    """What the page of one job shows beside the fields of its row."""
    part = request.GET.get("part", "1")
    spent = ledger.spent_by_job(job.pk)
    attempts = list(PageAttempt.objects.filter(job=job).order_by("-pk")[:ROWS_OF_A_TABLE])
    for attempt in attempts:
        attempt.took = in_words(attempt.ended_at - attempt.started_at) if attempt.ended_at else "-"  # type: ignore[attr-defined]
        attempt.flower = flower_tasks_of_attempt(request, attempt)  # type: ignore[attr-defined]
    calls = list(Usage.objects.filter(job_id=job.pk).select_related("deployment").order_by("-pk")[:ROWS_OF_A_TABLE])
    for call in calls:
        call.cost = dollars_in_words(call.cost_nanos)  # type: ignore[attr-defined]
    wall = wall_of(job, part=int(part) if part.isdecimal() and len(part) < 9 else 1)
    return {
        "badge": state_badge(job.state),
        "bar": pages_bar(dict(wall.counts), job.page_count),
        "waited": waited(job),
        "took": took(job),
        "wall": wall,
        "letters": LETTERS_OF_MODES if job.uses_models else {},
        "road": road_of(job),
        "attempts": attempts,
        "calls": calls,
        "most_rows": ROWS_OF_A_TABLE,
        "spent": f"{dollars_in_words(spent.cost_nanos)}, {spent.requests} call(s)" if spent.requests else "-",
        "flower": flower_tasks_of(request, job.pk),
        "open_pages": sum(count for state, count in wall.counts if state in OPEN_PAGES),
    }
