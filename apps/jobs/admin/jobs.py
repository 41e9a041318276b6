"""The list of jobs and a job's page in the admin. Its actions call commands."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.models import CHANGE, DELETION, LogEntry
from django.contrib.admin.views.main import ChangeList
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join

from apps.core.read_only_admin import ReadOnlyAdmin
from apps.jobs.admin import display, job_page
from apps.jobs.admin.filters import ErrorCodeFilter, KeptFilter, KeyFilter, ModeFilter, ProjectFilter, StuckFilter
from apps.jobs.commands import cancel, delete, retry, submit
from apps.jobs.commands.priority import set_priority
from apps.jobs.models import JobKind, JobPage, ParseJob
from apps.jobs.scheduling import retention
from apps.jobs.states import OPEN_JOBS, JobState, PageState
from apps.pages.model.errors import ParseError
from apps.parsing.modes import MODES
from apps.providers import ledger
from apps.providers.models import dollars_in_words
from apps.providers.prices import NANOS_PER_DOLLAR

JOBS_PER_BATCH = 500
MAX_LISTED = 10
MAX_YEAR = 9000
PRIORITIES = {10: "first", 0: "in turn", -10: "last"}


class KeepForm(forms.Form):
    """The last day on which jobs are kept, in UTC."""

    day = forms.DateField(label="up to and including (UTC)", widget=forms.DateInput(attrs={"type": "date"}))

    def clean_day(self) -> date:
        day: date = self.cleaned_data["day"]
        if day < timezone.now().date():
            raise forms.ValidationError("This day is in the past. Enter today or a later day.")
        if day.year > MAX_YEAR:
            raise forms.ValidationError(f"The year is above {MAX_YEAR}. Use the action to keep jobs for ever instead.")
        return day

    def until(self) -> datetime:
        day: date = self.cleaned_data["day"] + timedelta(days=1)
        return datetime(day.year, day.month, day.day, tzinfo=UTC)


def counts_and_cost_in_result(job: ParseJob) -> tuple[dict[str, int], int | str | None] | None:
    """Return the pages by state and the cost from the job's result, or None if it has none and rows must be counted.

    The cost is in billionths of a dollar; None if a price is unknown, "" without model calls.
    """
    facts = job.result_facts
    if job.state not in (JobState.SUCCEEDED, JobState.PARTIAL) or "good_pages" not in facts:
        return None
    counts = {PageState.SUCCEEDED.value: facts["good_pages"], PageState.FAILED.value: facts["failed_pages"]}
    usage = facts.get("usage")
    if not usage or not usage["requests"]:
        return counts, ""
    return counts, None if usage["cost_usd"] is None else round(usage["cost_usd"] * NANOS_PER_DOLLAR)


@admin.register(ParseJob)
class ParseJobAdmin(ReadOnlyAdmin):
    list_display = [
        *("document_and_id", "badge", "progress", "mode_and_cost", "project_and_key", "times", "created_at"),
    ]
    list_filter = [
        *(
            "state",
            "kind",
            StuckFilter,
            ModeFilter,
            ProjectFilter,
            KeyFilter,
            ErrorCodeFilter,
            KeptFilter,
            "created_at",
        ),
    ]
    list_select_related = ["project", "api_key"]
    list_per_page = 50
    sortable_by = ["created_at"]
    ordering = ["-created_at"]
    search_fields = ["id", "document_name"]
    search_help_text = "a job's id or part of it, part of a document's name"
    actions = ["cancel", "retry_failed_pages", "keep_until", "keep_for_ever", "delete_now"]
    fieldsets = [
        (
            None,
            {
                "fields": [
                    *(
                        "id",
                        "kind",
                        "source_job",
                        "document",
                        "document_name",
                        "media_type",
                        "converted_type",
                        "printed_pages",
                        "project",
                        "api_key",
                        "state",
                        "stage",
                    ),
                    *("mode", "tier", "version", "priority", "document_pages", "page_count", "pages_and_attempts"),
                    *("error_code", "error_detail", "warnings", "created_at", "started_at", "finished_at"),
                    *("deadline_at", "updated_at", "kept"),
                ]
            },
        ),
        (
            "Request and result",
            {
                "classes": ["collapse"],
                "fields": [
                    *(
                        "target_pages",
                        "max_pages",
                        "options",
                        "annotation",
                        "user_metadata",
                        "uses_models",
                        "result_folder",
                    ),
                    *("result_facts", "windows_sent", "windows_closed"),
                ],
            },
        ),
    ]
    readonly_fields = ["id", "pages_and_attempts", "kept"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[ParseJob]:
        jobs: QuerySet[ParseJob] = super().get_queryset(request)
        return jobs.defer("options", "annotation", "user_metadata", "password_sealed", "warnings")

    def get_changelist_instance(self, request: HttpRequest) -> ChangeList:
        """Add page counts and costs to the jobs of one page of the list, with one query each for all of them."""
        changelist = super().get_changelist_instance(request)
        jobs: Any = list(changelist.result_list)
        in_result = {job.pk: counts_and_cost_in_result(job) for job in jobs}
        others = [job for job in jobs if in_result[job.pk] is None]
        rows = JobPage.objects.filter(job_id__in=[job.pk for job in others]).order_by().values_list("job_id", "state")
        counts: dict[str, dict[str, int]] = {job.pk: {} for job in others}
        for job_id, state, count in rows.annotate(Count("pk")):
            counts[job_id][state] = count
        costs = ledger.cost_by_jobs([job.pk for job in others if job.uses_models])
        for job in jobs:
            job.counts, job.cost = in_result[job.pk] or (counts[job.pk], costs.get(job.pk, ""))
        changelist.result_list = jobs
        return changelist

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show the job's facts, and the actions that its state and the user's permissions allow."""
        job = self.get_object(request, object_id)
        if job is None or not self.has_view_permission(request, job):
            return super().change_view(request, object_id, form_url, extra_context)
        if job.state in OPEN_JOBS:
            useful = {"cancel", *(f"priority_{priority}" for priority in PRIORITIES if priority != job.priority)}
        else:
            useful = {"delete_now", *(f"parse_in_{mode}" for mode in MODES if mode != job.mode)}
            useful |= {"retry_failed_pages"} if job.state in (JobState.FAILED, JobState.PARTIAL) else set()
        useful |= {"keep_until", "keep_for_ever"}
        actions = [
            (
                name,
                description.replace("documents of the selected jobs", "document of this job")
                .replace("the selected jobs", "this job")
                .replace("their project", "its project"),
            )
            for name, (_, _, description) in self.get_actions(request).items()
            if name in useful
        ]
        context = {**(extra_context or {}), **job_page.facts_of(request, job), "job_actions": actions}
        return super().change_view(request, object_id, form_url, context)

    # --- actions ---

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """Return the actions, with one for each priority and mode; none without the permission to change jobs."""
        if not request.user.has_perm("jobs.change_parsejob"):
            return {}
        actions: dict[str, Any] = super().get_actions(request)
        for priority, place in PRIORITIES.items():
            name = f"priority_{priority}"
            run = partial(ParseJobAdmin.set_priority, priority=priority)
            actions[name] = (run, name, f"Run the selected jobs {place} within their project")
        for mode in MODES:
            name = f"parse_in_{mode}"
            parse = partial(ParseJobAdmin.parse_again, mode=mode)
            actions[name] = (parse, name, f"Parse the documents of the selected jobs again, in mode {mode}")
        return actions

    @admin.action(description="Cancel the selected jobs")
    def cancel(self, request: HttpRequest, queryset: QuerySet[ParseJob]) -> None:
        self.apply(request, queryset, lambda job: cancel.cancel_job(job=job), "cancelled")

    @admin.action(description="Parse the failed pages of the selected jobs again")
    def retry_failed_pages(self, request: HttpRequest, queryset: QuerySet[ParseJob]) -> None:
        self.apply(request, queryset, lambda job: retry.retry_pages(job=job), "started again")

    def set_priority(self, request: HttpRequest, queryset: QuerySet[ParseJob], *, priority: int) -> None:
        self.apply_in_batches(
            request,
            queryset,
            lambda job_ids: set_priority(job_ids=job_ids, priority=priority),
            f"set to run {PRIORITIES[priority]}",
        )

    def parse_again(self, request: HttpRequest, queryset: QuerySet[ParseJob], *, mode: str) -> None:
        """Submit a new job in ``mode`` for each job's document and show links to the first new jobs."""
        new: list[ParseJob] = []
        self.apply(
            request,
            queryset,
            lambda job: new.append(submit.parse_in_mode(job=job, mode=mode)),
            f"parsed again, requested mode {mode}",
        )
        for job in new[:MAX_LISTED]:
            address = reverse("admin:jobs_parsejob_change", args=[job.pk])
            warnings = " ".join(warning["detail"] for warning in job.warnings)
            text = format_html('New: <a href="{}">{}</a> in mode {}. {}', address, job.pk, job.mode, warnings)
            self.message_user(request, text, messages.WARNING if warnings else messages.INFO)

    @admin.action(description="Keep the selected jobs until…")
    def keep_until(self, request: HttpRequest, queryset: QuerySet[ParseJob]) -> HttpResponse | None:
        form = KeepForm(request.POST if "day" in request.POST else None)
        if not form.is_valid():
            return self._ask(request, queryset, "keep_until", "Keep jobs until", form)
        self.apply_in_batches(
            request,
            queryset,
            lambda job_ids: retention.keep_jobs(job_ids=job_ids, until=form.until()),
            f"kept up to and including {form.cleaned_data['day'].isoformat()}",
        )
        return None

    @admin.action(description="Keep the selected jobs for ever")
    def keep_for_ever(self, request: HttpRequest, queryset: QuerySet[ParseJob]) -> None:
        self.apply_in_batches(
            request, queryset, lambda job_ids: retention.keep_jobs(job_ids=job_ids, until=None), "kept for ever"
        )

    @admin.action(description="Delete the selected jobs now…")
    def delete_now(self, request: HttpRequest, queryset: QuerySet[ParseJob]) -> HttpResponse | None:
        if "confirmed" not in request.POST:
            return self._ask(request, queryset, "delete_now", "Delete jobs now", None)
        self.apply(request, queryset, lambda job: delete.delete_job(job=job), "deleted", flag=DELETION)
        return None

    def _ask(
        self, request: HttpRequest, jobs: QuerySet[ParseJob], action: str, title: str, form: KeepForm | None
    ) -> HttpResponse:
        """Return a page that asks for a day or a confirmation and then posts the action again for the same jobs."""
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": title,
            "action": action,
            "form": form,
            "total": jobs.order_by().count(),
            "job_ids": request.POST.getlist(ACTION_CHECKBOX_NAME),
            "select_across": request.POST.get("select_across", "0"),
            "checkbox": ACTION_CHECKBOX_NAME,
        }
        return TemplateResponse(request, "admin/jobs/parsejob/confirm_action.html", context)

    def apply(
        self,
        request: HttpRequest,
        jobs: QuerySet[ParseJob],
        command: Callable[[ParseJob], object],
        done: str,
        *,
        flag: int = CHANGE,
    ) -> None:
        """Call the command for each job. Show the first ``MAX_LISTED`` refusals with their reasons."""
        refused: list[str] = []

        def apply_to(job_ids: Sequence[str]) -> list[str]:
            succeeded = []
            for job in ParseJob.objects.filter(pk__in=job_ids).select_related("project", "document", "api_key"):
                try:
                    command(job)
                except ParseError as error:
                    refused.append(f"Job {job.pk}: {error.detail}")
                else:
                    succeeded.append(job.pk)
            return succeeded

        self.apply_in_batches(request, jobs, apply_to, done, flag=flag)
        for sentence in refused[:MAX_LISTED]:
            self.message_user(request, sentence, messages.WARNING)
        if len(refused) > MAX_LISTED:
            more = len(refused) - MAX_LISTED
            self.message_user(request, f"{more} more job(s) refused the action.", messages.WARNING)

    def apply_in_batches(
        self,
        request: HttpRequest,
        jobs: QuerySet[ParseJob],
        command: Callable[[Sequence[str]], list[str]],
        done: str,
        *,
        flag: int = CHANGE,
    ) -> None:
        """Call the command with the ids of some jobs at a time. It returns those it changed: each gets a log entry.

        All ids are read first, because the command may change what the list is filtered by.
        """
        job_ids = list(jobs.order_by().values_list("pk", flat=True))
        user: Any = request.user.pk
        total = 0
        for start in range(0, len(job_ids), JOBS_PER_BATCH):
            changed: Any = [ParseJob(pk=job_id) for job_id in command(job_ids[start : start + JOBS_PER_BATCH])]
            LogEntry.objects.log_actions(user, changed, flag, done)
            total += len(changed)
        self.message_user(request, f"{total} job(s) {done}")

    # --- columns ---

    @admin.display(description="document")
    def document_and_id(self, job: ParseJob) -> str:
        return format_html('{}<br><small class="lm-id">{}</small>', job.document_name, job.pk)

    @admin.display(description="state")
    def badge(self, job: ParseJob) -> str:
        place = f" {PRIORITIES.get(job.priority, job.priority)}" if job.priority and not job.has_ended else ""
        stage = job.stage if job.state == JobState.RUNNING else job.error_code
        return format_html("{} <small>{}{}</small>", display.state_badge(job.state), stage, place)

    @admin.display(description="pages")
    def progress(self, job: Any) -> str:
        return display.pages_bar(job.counts, job.page_count)

    @admin.display(description="project / key")
    def project_and_key(self, job: ParseJob) -> str:
        key = "-" if job.api_key is None else job.api_key.name
        return format_html('{}<br><small class="lm-id">{}</small>', job.project.name, key)

    @admin.display(description="mode / cost")
    def mode_and_cost(self, job: Any) -> str:
        cost = "-" if job.cost == "" else dollars_in_words(job.cost)
        mode = job.mode if job.kind == JobKind.PARSE else f"{job.kind}, {job.mode}"
        return format_html('{}<br><small class="lm-id">{}</small>', mode, cost)

    @admin.display(description="waited / took")
    def times(self, job: ParseJob) -> str:
        times = display.waited(job), display.took(job)
        return format_html('<span class="lm-id">{}</span><br><span class="lm-times">{}</span>', *times)

    @admin.display(description="kept")
    def kept(self, job: ParseJob) -> str:
        return display.kept(job)

    @admin.display(description="all rows")
    def pages_and_attempts(self, job: ParseJob) -> str:
        links = [("pages", "jobpage"), ("steps", "step"), ("attempts", "pageattempt")]
        links += [("annotations", "annotation")] if job.annotation else []
        addresses = [
            (f"{reverse(f'admin:jobs_{model}_changelist')}?job__id__exact={job.pk}", name) for name, model in links
        ]
        addresses.append((f"{reverse('admin:providers_usage_changelist')}?job_id__exact={job.pk}", "calls"))
        return format_html_join(" · ", '<a href="{}">{}</a>', addresses)
