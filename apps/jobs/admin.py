"""Jobs in the admin: facts to read, cancel and retry as actions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html_join

from apps.accounts.facts_only import FactsOnly
from apps.jobs import services
from apps.jobs.models import JobPage, PageAttempt, ParseJob, Step
from apps.jobs.states import PageState
from apps.pages.errors import ParseError
from apps.providers import ledger
from apps.providers.models import dollars_in_words


def _pages_in(state: PageState) -> Subquery:
    """How many pages of the row's job are in this state; None for none."""
    pages = JobPage.objects.filter(job=OuterRef("pk"), state=state).order_by().values("job")
    return Subquery(pages.annotate(total=Count("pk")).values("total"))


@admin.register(ParseJob)
class ParseJobAdmin(FactsOnly):
    list_display = ["id", "document_name", "project", "mode", "state", "stage", "progress", "created_at", "duration"]
    list_filter = ["state", "mode", "created_at"]
    list_select_related = ["project"]
    list_per_page = 50
    search_fields = ["id", "document_name"]
    actions = ["cancel", "retry_failed_pages"]
    exclude = ["password_sealed"]
    readonly_fields = ["pages_and_attempts", "cost"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[ParseJob]:
        jobs = super().get_queryset(request).defer("options", "user_metadata", "password_sealed")
        return jobs.annotate(good_pages=_pages_in(PageState.SUCCEEDED), failed_pages=_pages_in(PageState.FAILED))

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """Whoever may see jobs and change something may order; the rows themselves stay facts."""
        return super().get_actions(request) if request.user.has_perm("jobs.change_parsejob") else {}

    @admin.display(description="pages")
    def progress(self, job: Any) -> str:
        if job.page_count is None:
            return "-"
        failed = f", {job.failed_pages} failed" if job.failed_pages else ""
        return f"{job.good_pages or 0} of {job.page_count}{failed}"

    @admin.display(description="duration")
    def duration(self, job: ParseJob) -> str:
        if job.started_at is None or job.finished_at is None:
            return "-"
        return f"{(job.finished_at - job.started_at).total_seconds():.2f} s"

    @admin.display(description="details")
    def pages_and_attempts(self, job: ParseJob) -> str:
        links = [("pages", "jobpage"), ("steps", "step"), ("attempts", "pageattempt")]
        addresses = [
            (f"{reverse(f'admin:jobs_{model}_changelist')}?job__id__exact={job.pk}", name) for name, model in links
        ]
        addresses.append((f"{reverse('admin:providers_usage_changelist')}?job_id__exact={job.pk}", "calls"))
        return format_html_join(" · ", '<a href="{}">{}</a>', addresses)

    @admin.display(description="cost of its calls")
    def cost(self, job: ParseJob) -> str:
        spent = ledger.spent_by_job(job.pk)
        return f"{dollars_in_words(spent.cost_nanos)}, {spent.requests} call(s)" if spent.requests else "-"

    @admin.action(description="Cancel the selected jobs")
    def cancel(self, request: HttpRequest, queryset: QuerySet[ParseJob]) -> None:
        self._order(request, queryset, lambda job: services.cancel_job(job=job), "cancelled")

    @admin.action(description="Parse the failed pages of the selected jobs again")
    def retry_failed_pages(self, request: HttpRequest, queryset: QuerySet[ParseJob]) -> None:
        self._order(request, queryset, lambda job: services.retry_pages(job=job), "started again")

    def _order(
        self, request: HttpRequest, jobs: QuerySet[ParseJob], order: Callable[[ParseJob], object], done: str
    ) -> None:
        """Give the order to each job; what refuses it is named with its reason."""
        carried_out = 0
        for job in jobs:
            try:
                order(job)
            except ParseError as error:
                self.message_user(request, f"Job {job.pk}: {error.detail}", messages.WARNING)
            else:
                carried_out += 1
                self.log_change(request, job, done)
        self.message_user(request, f"{carried_out} job(s) {done}")


@admin.register(JobPage)
class JobPageAdmin(FactsOnly):
    list_display = [
        *("job_id", "number", "state", "attempts", "needs_ocr"),
        *("mode", "mode_reason", "fallback", "error_code"),
    ]
    list_filter = ["state"]
    ordering = ["job_id", "number"]

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest) -> bool:
        return lookup == "job__id__exact" or super().lookup_allowed(lookup, value, request)


@admin.register(Step)
class StepAdmin(JobPageAdmin):
    list_display = ["job_id", "stage", "pages", "state", "starts", "fence", "not_before", "sent_at", "begun_at"]
    list_filter = ["state", "stage", "queue"]
    ordering = ["id"]


@admin.register(PageAttempt)
class PageAttemptAdmin(JobPageAdmin):
    list_display = ["job_id", "stage", "first_page", "last_page", "outcome", "detail", "worker", "started_at"]
    list_filter = ["outcome", "stage"]
    ordering = ["-id"]
