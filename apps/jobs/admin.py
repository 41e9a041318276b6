"""Jobs in the admin: facts to read, and orders to give as actions."""

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
from django.db.models import QuerySet
from django.db.models.functions import Now
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join

from apps.accounts.models import ApiKey, Project
from apps.core.read_only_admin import FactsOnly
from apps.jobs import admin_facts, queries
from apps.jobs.commands import cancel, delete, retry, submit
from apps.jobs.commands.priority import set_priority
from apps.jobs.models import JobPage, PageAttempt, ParseJob, Pause, Step, Worker
from apps.jobs.scheduling import pauses, retention
from apps.jobs.states import ENDED_JOBS, OPEN_JOBS, JobState
from apps.jobs.stuck import stuck_jobs
from apps.pages.model.errors import ParseError
from apps.parsing.modes import MODES
from apps.providers import ledger
from apps.providers.models import dollars_in_words

BATCH = 500
MAX_LISTED = 10
MAX_CHOICES = 50
NEWEST_JOBS = 2000
FIRST, NORMAL, LAST = 10, 0, -10
LAST_YEAR = 9000
SOON = timedelta(days=7)
PRIORITIES = {FIRST: "first", NORMAL: "in turn", LAST: "last"}


class ChoiceFilter(admin.SimpleListFilter):
    """A filter by one field, over choices that are known without reading all rows."""

    field: str

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(**{self.field: self.value()}) if self.value() else queryset


class ModeFilter(ChoiceFilter):
    title = parameter_name = field = "mode"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(mode, mode) for mode in MODES]


class ProjectFilter(ChoiceFilter):
    """The first projects by name; any other is found by its page."""

    title, parameter_name, field = "project", "project", "project_id"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        names = Project.objects.order_by("name").values_list("pk", "name")[:MAX_CHOICES]
        return [(str(project), name) for project, name in names]


class KeyFilter(ChoiceFilter):
    """The newest keys."""

    title, parameter_name, field = "key", "key", "api_key_id"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(str(key.pk), str(key)) for key in ApiKey.objects.order_by("-pk")[:MAX_CHOICES]]


class ErrorCodeFilter(ChoiceFilter):
    """The codes of the newest jobs: asking which there are would read all jobs."""

    title, parameter_name, field = "error code", "error_code", "error_code"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        newest = ParseJob.objects.order_by("-created_at").values_list("error_code", flat=True)[:NEWEST_JOBS]
        return [(code, code) for code in sorted({*newest} - {""})]


class StuckFilter(admin.SimpleListFilter):
    title = "needs a look"
    parameter_name = "stuck"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", "stuck")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return stuck_jobs(queryset) if self.value() == "yes" else queryset


class KeptFilter(admin.SimpleListFilter):
    title = parameter_name = "kept"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("week", "ends within a week")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() != "week":
            return queryset
        return queryset.filter(expires_at__lt=Now() + SOON, state__in=ENDED_JOBS)


class KeepForm(forms.Form):
    """The last day on which jobs are kept, in UTC."""

    day = forms.DateField(label="up to and including (UTC)", widget=forms.DateInput(attrs={"type": "date"}))

    def clean_day(self) -> date:
        day: date = self.cleaned_data["day"]
        if day < timezone.now().date():
            raise forms.ValidationError("This day is over.")
        if day.year > LAST_YEAR:
            raise forms.ValidationError("Keep them for ever instead.")
        return day

    def until(self) -> datetime:
        day: date = self.cleaned_data["day"] + timedelta(days=1)
        return datetime(day.year, day.month, day.day, tzinfo=UTC)


@admin.register(ParseJob)
class ParseJobAdmin(FactsOnly):
    list_display = [
        *("document_and_id", "badge", "progress", "mode_and_cost", "project_and_key", "times", "created_at"),
    ]
    list_filter = [
        *("state", StuckFilter, ModeFilter, ProjectFilter, KeyFilter, ErrorCodeFilter, KeptFilter, "created_at"),
    ]
    list_select_related = ["project", "api_key"]
    list_per_page = 50
    sortable_by = ["created_at"]
    ordering = ["-created_at"]
    search_fields = ["id", "document_name"]
    search_help_text = "a job's id or a part of it, a part of a document's name"
    actions = ["cancel", "retry_failed_pages", "keep_until", "keep_for_ever", "delete_now"]
    fieldsets = [
        (
            None,
            {
                "fields": [
                    *("id", "document", "document_name", "media_type", "project", "api_key", "state", "stage"),
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
                    *("target_pages", "max_pages", "options", "user_metadata", "uses_models", "result_folder"),
                    *("result_facts", "windows_sent", "windows_closed"),
                ],
            },
        ),
    ]
    readonly_fields = ["id", "pages_and_attempts", "kept"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[ParseJob]:
        jobs: QuerySet[ParseJob] = super().get_queryset(request)
        return jobs.defer("options", "user_metadata", "password_sealed", "warnings")

    def get_changelist_instance(self, request: HttpRequest) -> ChangeList:
        """What is not in the rows of one page of the list is asked for all of them at once."""
        changelist = super().get_changelist_instance(request)
        rows: Any = list(changelist.result_list)
        told = {job.pk: admin_facts.told_by_result(job) for job in rows}
        unknown = [job for job in rows if told[job.pk] is None]
        counts = admin_facts.page_counts_of([job.pk for job in unknown])
        costs = ledger.cost_by_jobs([job.pk for job in unknown if job.uses_models])
        for job in rows:
            job.counts, job.cost = told[job.pk] or (counts[job.pk], costs.get(job.pk, ""))
        changelist.result_list = rows
        return changelist

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        job = self.get_object(request, object_id)
        more: dict[str, Any] = {}
        if job is not None and self.has_view_permission(request, job):
            more = admin_facts.facts_of(request, job) | {"orders": self._orders(request, job)}
        return super().change_view(request, object_id, form_url, {**(extra_context or {}), **more})

    # --- orders ---

    def has_order_permission(self, request: HttpRequest) -> bool:
        """Whoever may see jobs and change something may order; the rows themselves stay facts."""
        return bool(request.user.has_perm("jobs.change_parsejob"))

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """Orders for people who may give them; one action for each priority and each mode."""
        if not self.has_order_permission(request):
            return {}
        actions: dict[str, Any] = super().get_actions(request)
        for priority, place in PRIORITIES.items():
            name = f"priority_{priority}"
            actions[name] = (_prefer(priority), name, f"Let the selected jobs go {place} within their project")
        for mode in MODES:
            name = f"parse_in_{mode}"
            actions[name] = (_parse_in(mode), name, f"Parse the documents of the selected jobs again, in mode {mode}")
        return actions

    def _orders(self, request: HttpRequest, job: ParseJob) -> list[tuple[str, str]]:
        """The actions that can do something to a job like this."""
        actions = self.get_actions(request)
        if job.state in OPEN_JOBS:
            useful = {"cancel", *(f"priority_{priority}" for priority in PRIORITIES if priority != job.priority)}
        else:
            useful = {f"parse_in_{mode}" for mode in MODES if mode != job.mode}
            useful |= {"retry_failed_pages"} if job.state in (JobState.FAILED, JobState.PARTIAL) else set()
            useful |= {"delete_now"}
        useful |= {"keep_until", "keep_for_ever"}
        return [(name, _of_one(description)) for name, (_, _, description) in actions.items() if name in useful]

    @admin.action(description="Cancel the selected jobs")
    def cancel(self, request: HttpRequest, queryset: QuerySet[ParseJob]) -> None:
        self.order(request, queryset, lambda job: cancel.cancel_job(job=job), "cancelled")

    @admin.action(description="Parse the failed pages of the selected jobs again")
    def retry_failed_pages(self, request: HttpRequest, queryset: QuerySet[ParseJob]) -> None:
        self.order(request, queryset, lambda job: retry.retry_pages(job=job), "started again")

    @admin.action(description="Keep the selected jobs until…")
    def keep_until(self, request: HttpRequest, queryset: QuerySet[ParseJob]) -> HttpResponse | None:
        form = KeepForm(request.POST if "day" in request.POST else None)
        if not form.is_valid():
            return self._ask(request, queryset, "keep_until", "Keep jobs until", form)
        day = form.cleaned_data["day"]
        give = partial(_keep, until=form.until())
        self.in_batches(request, queryset, give, f"kept up to and including {day.isoformat()}")
        return None

    @admin.action(description="Keep the selected jobs for ever")
    def keep_for_ever(self, request: HttpRequest, queryset: QuerySet[ParseJob]) -> None:
        self.in_batches(request, queryset, partial(_keep, until=None), "kept for ever")

    @admin.action(description="Delete the selected jobs now…")
    def delete_now(self, request: HttpRequest, queryset: QuerySet[ParseJob]) -> HttpResponse | None:
        if "sure" not in request.POST:
            return self._ask(request, queryset, "delete_now", "Delete jobs now", None)
        self.order(request, queryset, lambda job: delete.delete_job(job=job), "deleted", flag=DELETION)
        return None

    def _ask(
        self, request: HttpRequest, jobs: QuerySet[ParseJob], action: str, title: str, form: KeepForm | None
    ) -> HttpResponse:
        """A page that asks for what the order still needs, then sends it again for the same jobs."""
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
        return TemplateResponse(request, "admin/jobs/parsejob/order.html", context)

    def order(
        self,
        request: HttpRequest,
        jobs: QuerySet[ParseJob],
        order: Callable[[ParseJob], object],
        done: str,
        *,
        flag: int = CHANGE,
    ) -> None:
        """Give the order to each job, batch by batch; of what refuses it the first are named with their reasons."""

        def give(job_ids: Sequence[str]) -> list[str]:
            carried_out = []
            for job in ParseJob.objects.filter(pk__in=job_ids).select_related("project", "document", "api_key"):
                try:
                    order(job)
                except ParseError as error:
                    refused.append(f"Job {job.pk}: {error.detail}")
                else:
                    carried_out.append(job.pk)
            return carried_out

        refused: list[str] = []
        self.in_batches(request, jobs, give, done, flag=flag)
        for sentence in refused[:MAX_LISTED]:
            self.message_user(request, sentence, messages.WARNING)
        if len(refused) > MAX_LISTED:
            self.message_user(request, f"{len(refused) - MAX_LISTED} more refused it.", messages.WARNING)

    def in_batches(
        self,
        request: HttpRequest,
        jobs: QuerySet[ParseJob],
        give: Callable[[Sequence[str]], list[str]],
        done: str,
        *,
        flag: int = CHANGE,
    ) -> None:
        """``give`` takes the ids of some jobs and returns those of whom it is true now: each gets a line in the log.

        Which jobs are meant is asked first: an order may change what the filter holds for.
        """
        job_ids = list(jobs.order_by().values_list("pk", flat=True))
        person: Any = request.user.pk
        total = 0
        for start in range(0, len(job_ids), BATCH):
            carried_out = give(job_ids[start : start + BATCH])
            rows: Any = [ParseJob(pk=job_id) for job_id in carried_out]
            LogEntry.objects.log_actions(person, rows, flag, done)
            total += len(rows)
        self.message_user(request, f"{total} job(s) {done}")

    # --- columns ---

    @admin.display(description="document")
    def document_and_id(self, job: ParseJob) -> str:
        return format_html('{}<br><small class="lm-id">{}</small>', job.document_name, job.pk)

    @admin.display(description="state")
    def badge(self, job: ParseJob) -> str:
        place = f" {PRIORITIES.get(job.priority, job.priority)}" if job.priority and not job.has_ended else ""
        stage = job.stage if job.state == JobState.RUNNING else job.error_code
        return format_html("{} <small>{}{}</small>", admin_facts.state_badge(job.state), stage, place)

    @admin.display(description="pages")
    def progress(self, job: Any) -> str:
        return admin_facts.pages_bar(job.counts, job.page_count)

    @admin.display(description="project / key")
    def project_and_key(self, job: ParseJob) -> str:
        key = "-" if job.api_key is None else job.api_key.name
        return format_html('{}<br><small class="lm-id">{}</small>', job.project.name, key)

    @admin.display(description="mode / cost")
    def mode_and_cost(self, job: Any) -> str:
        cost = "-" if job.cost == "" else dollars_in_words(job.cost)
        return format_html('{}<br><small class="lm-id">{}</small>', job.mode, cost)

    @admin.display(description="waited / took")
    def times(self, job: ParseJob) -> str:
        times = admin_facts.waited(job), admin_facts.took(job)
        return format_html('<span class="lm-id">{}</span><br><span class="lm-times">{}</span>', *times)

    @admin.display(description="kept")
    def kept(self, job: ParseJob) -> str:
        return admin_facts.kept(job)

    @admin.display(description="all its rows")
    def pages_and_attempts(self, job: ParseJob) -> str:
        links = [("pages", "jobpage"), ("steps", "step"), ("attempts", "pageattempt")]
        addresses = [
            (f"{reverse(f'admin:jobs_{model}_changelist')}?job__id__exact={job.pk}", name) for name, model in links
        ]
        addresses.append((f"{reverse('admin:providers_usage_changelist')}?job_id__exact={job.pk}", "calls"))
        return format_html_join(" · ", '<a href="{}">{}</a>', addresses)


def _of_one(description: str) -> str:
    """What an action of the list is called where there is one job."""
    one = description.replace("documents of the selected jobs", "document of this job")
    return one.replace("the selected jobs", "this job").replace("their project", "its project")


def _keep(job_ids: Sequence[str], *, until: datetime | None) -> list[str]:
    return retention.keep_jobs(job_ids=job_ids, until=until)


def _prefer(priority: int) -> Callable[[ParseJobAdmin, HttpRequest, QuerySet[ParseJob]], None]:
    def prefer(model_admin: ParseJobAdmin, request: HttpRequest, queryset: QuerySet[ParseJob]) -> None:
        def give(job_ids: Sequence[str]) -> list[str]:
            return set_priority(job_ids=job_ids, priority=priority)

        model_admin.in_batches(request, queryset, give, f"set to go {PRIORITIES[priority]}")

    return prefer


def _parse_in(mode: str) -> Callable[[ParseJobAdmin, HttpRequest, QuerySet[ParseJob]], None]:
    def parse_in(model_admin: ParseJobAdmin, request: HttpRequest, queryset: QuerySet[ParseJob]) -> None:
        new: list[ParseJob] = []

        def order(job: ParseJob) -> None:
            new.append(submit.parse_in_mode(job=job, mode=mode))

        model_admin.order(request, queryset, order, f"parsed again, {mode} asked for")
        for job in new[:MAX_LISTED]:
            model_admin.message_user(request, _told_of_new(job), messages.WARNING if job.warnings else messages.INFO)

    return parse_in


def _told_of_new(job: ParseJob) -> str:
    address = reverse("admin:jobs_parsejob_change", args=[job.pk])
    why = " ".join(warning["detail"] for warning in job.warnings)
    return format_html('New: <a href="{}">{}</a> in mode {}. {}', address, job.pk, job.mode, why)


@admin.register(JobPage)
class JobPageAdmin(FactsOnly):
    list_display = [
        *("job_id", "number", "state", "attempts", "needs_ocr"),
        *("mode", "mode_reason", "fallback", "error_code"),
    ]
    list_filter = ["state"]
    ordering = ["job_id", "number"]

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest) -> bool:
        return lookup in ("job__id__exact", "number") or super().lookup_allowed(lookup, value, request)


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


@admin.register(Worker)
class WorkerAdmin(FactsOnly):
    """Workers of the last day, whoever was seen last first."""

    list_display = ["name", "taken", "width", "version", "now", "started", "seen"]
    ordering = ["-seen_at"]
    search_fields = ["name", "host"]
    search_help_text = "a part of a worker's name or of its host's"

    @admin.display(description="takes from")
    def taken(self, worker: Worker) -> str:
        return ", ".join(worker.queues)

    @admin.display(description="now")
    def now(self, worker: Worker) -> str:
        if worker.stopped_at:
            return "stopped"
        return "there" if worker.seen_at >= timezone.now() - queries.WORKER_TIMEOUT else "silent"

    @admin.display(description="started", ordering="started_at")
    def started(self, worker: Worker) -> str:
        return format_html('<span class="lm-times">{}</span>', f"{worker.started_at:%m-%d %H:%M:%S}")

    @admin.display(description="last seen", ordering="seen_at")
    def seen(self, worker: Worker) -> str:
        return format_html('<span class="lm-times">{}</span>', f"{worker.seen_at:%m-%d %H:%M:%S}")


class PauseForm(forms.ModelForm):  # type: ignore[type-arg]
    name = forms.ChoiceField(label="what")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "name" in self.fields:  # not where somebody only looks
            self.fields["name"].choices = [(name, name) for name in pauses.pausable()]  # type: ignore[attr-defined]


@admin.register(Pause)
class PauseAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Adding a row pauses, deleting it resumes."""

    list_display = ["name", "reason", "by", "since"]
    form = PauseForm
    fields = ["name", "reason"]

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Pause, form: Any, change: bool) -> None:
        pauses.pause(name=obj.name, reason=obj.reason, by=request.user.get_username())

    def delete_model(self, request: HttpRequest, obj: Pause) -> None:
        pauses.resume(name=obj.name)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Pause]) -> None:
        for pause in queryset:
            pauses.resume(name=pause.name)
