"""Providers, deployments and quotas in the admin, with their state and faults; the ledger, read-only."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.views.main import ChangeList
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.decorators import method_decorator
from django.utils.formats import localize
from django.views.decorators.debug import sensitive_post_parameters

from apps.core.read_only_admin import ReadOnlyAdmin
from apps.providers import administration, ledger
from apps.providers.batches import polling
from apps.providers.calls.process_gateway import configured_quota_store
from apps.providers.catalog import MICROS_PER_DOLLAR, deployment_quota_key
from apps.providers.errors import Failure
from apps.providers.forms import FORGET, DeploymentForm, ProviderForm, QuotaForm, secret_names
from apps.providers.learnt import Learnt
from apps.providers.models import (
    Batch,
    BatchRequestState,
    Deployment,
    PageParserName,
    Provider,
    Quota,
    Usage,
    dollars_in_words,
)
from apps.providers.prices import Kind, PriceKey
from apps.providers.quota.store import QuotaState, QuotaStoreUnavailable

NOT_KNOWN = "not known"
IN_ORDER = "in order"
ASKED_WITH = {"batch", "model", "base_model", "max_output_tokens", "thinking", "parameters", "provider"}
FACTS = ["name", "family", "external", "region", "paused", "settings"]
SERVES = {PageParserName.LLM: "serves_llm", PageParserName.LVM: "serves_lvm", PageParserName.AGENT: "serves_agent"}


class Controlled(admin.ModelAdmin):  # type: ignore[type-arg]
    """Rows that can be paused, resumed and cleared of a fault."""

    actions = ["pause", "resume", "clear_fault"]

    def get_changelist_instance(self, request: HttpRequest) -> ChangeList:
        changelist = super().get_changelist_instance(request)
        self.add_facts(list(changelist.result_list))
        return changelist

    def add_facts(self, rows: list[Any]) -> None:
        """Add to the rows of one page the facts that are not in their table, for all rows at once."""
        raise NotImplementedError

    @admin.action(description="Pause", permissions=["change"])
    def pause(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        self._apply(request, queryset, lambda row: administration.pause(row=row), "paused")

    @admin.action(description="Resume", permissions=["change"])
    def resume(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        self._apply(request, queryset, lambda row: administration.resume(row=row), "resumed")

    @admin.action(description="Clear fault (it is fixed)", permissions=["change"])
    def clear_fault(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        unavailable: list[QuotaStoreUnavailable] = []

        def clear(row: Provider | Deployment) -> None:
            try:
                administration.clear_fault(row=row)
            except QuotaStoreUnavailable as error:
                unavailable.append(error)

        self._apply(request, queryset, clear, "cleared of its fault")
        if unavailable:
            self.message_user(request, f"Circuit breakers were not reset. {unavailable[0]}", messages.WARNING)

    @admin.display(description="fault detail")
    def fault_detail(self, row: Provider | Deployment) -> str:
        return row.trouble_detail or "-"

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        super().delete_model(request, obj)
        administration.reread()

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        super().delete_queryset(request, queryset)
        administration.reread()

    def _apply(self, request: HttpRequest, rows: QuerySet[Any], action: Callable[[Any], object], done: str) -> None:
        changed = 0
        for row in rows:
            if action(row) is not False:
                changed += 1
                self.log_change(request, row, done)
        self.message_user(request, f"{changed} {self.opts.verbose_name}(s) {done}")


@admin.register(Provider)
class ProviderAdmin(Controlled):
    list_display = ["name", "family", "external", "region", "deployment_count", "state", "spent"]
    list_filter = ["family", "external", "paused"]
    search_fields = ["name"]
    form = ProviderForm

    def get_queryset(self, request: HttpRequest) -> QuerySet[Provider]:
        providers: QuerySet[Provider] = super().get_queryset(request)
        return providers.annotate(deployment_count=Count("deployments"))

    def add_facts(self, rows: list[Any]) -> None:
        spent = ledger.spent_by_providers()
        for provider in rows:
            provider.spent = spent.get(provider.name)

    @method_decorator(sensitive_post_parameters())
    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        response: HttpResponse = super().changeform_view(request, *args, **kwargs)
        return response

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        """Leave out the fields of the secrets: they are not the model's, and the form adds them."""
        return super().get_form(request, obj, change, **kwargs | {"fields": FACTS})

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return ["family", "state", "fault_detail"] if obj else []

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        secrets = [*secret_names(obj.family), FORGET] if obj else secret_names(None)
        fieldsets: list[tuple[str | None, dict[str, list[str]]]] = [(None, {"fields": FACTS})]
        if obj:
            fieldsets.append(("State", {"fields": ["state", "fault_detail"]}))
        if not obj or self.has_change_permission(request, obj):
            fieldsets.append(("Secrets", {"fields": secrets}))
        return fieldsets

    def save_model(self, request: HttpRequest, obj: Provider, form: Any, change: bool) -> None:
        may_fix_fault = not {"settings", "secrets"}.isdisjoint(form.changed_data)
        administration.save_provider(provider=obj, secrets=form.secrets, may_fix_fault=may_fix_fault)

    @admin.display(description="deployments", ordering="deployment_count")
    def deployment_count(self, provider: Any) -> int:
        count: int = provider.deployment_count
        return count

    @admin.display
    def state(self, provider: Provider) -> str:
        return _row_state(provider)

    @admin.display(description="spent in 24 hours")
    def spent(self, provider: Any) -> str:
        return "-" if provider.spent is None else dollars_in_words(provider.spent.cost_nanos)


class QuotaInline(admin.StackedInline):  # type: ignore[type-arg]
    model = Quota
    form = QuotaForm


class PageParserFilter(admin.SimpleListFilter):
    title = "page parser"
    parameter_name = "page_parser"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(parser.value, parser.label) for parser in PageParserName]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        chosen = self.value()
        return (
            queryset.filter(**{SERVES[PageParserName(chosen)]: True}) if chosen in PageParserName.values else queryset
        )


@admin.register(Deployment)
class DeploymentAdmin(Controlled):
    list_display = [
        *("name", "provider", "model", "page_parsers", "order", "input_dollars", "output_dollars"),
        *("use_now", "use_today", "state"),
    ]
    list_filter = ["provider", PageParserFilter, "paused"]
    list_select_related = ["provider", "quota"]
    search_fields = ["name", "model"]
    inlines = [QuotaInline]
    form = DeploymentForm

    def add_facts(self, rows: list[Any]) -> None:
        try:
            states = configured_quota_store().state([deployment_quota_key(row.pk) for row in rows])
        except QuotaStoreUnavailable:
            return
        for row, state in zip(rows, states, strict=True):
            row.quota_state = state

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return ["prices_in_use", "state", "fault_detail", "learnt_facts"] if obj else []

    def save_model(self, request: HttpRequest, obj: Deployment, form: Any, change: bool) -> None:
        may_fix_fault = not ASKED_WITH.isdisjoint(form.changed_data)
        administration.save_deployment(deployment=obj, may_fix_fault=may_fix_fault)

    @admin.display(description="learnt from its answers")
    def learnt_facts(self, deployment: Deployment) -> str:
        return Learnt.of(deployment.learnt).in_words() or "-"

    @admin.display
    def page_parsers(self, deployment: Deployment) -> str:
        return ", ".join(parser.value for parser, field in SERVES.items() if getattr(deployment, field)) or "-"

    @admin.display(description="$/M input", ordering="input_price")
    def input_dollars(self, deployment: Deployment) -> str:
        return _dollars(deployment, "input")

    @admin.display(description="$/M output", ordering="output_price")
    def output_dollars(self, deployment: Deployment) -> str:
        return _dollars(deployment, "output")

    @admin.display(description="prices in use")
    def prices_in_use(self, deployment: Deployment) -> str:
        return deployment.prices_in_words()

    @admin.display(description="quota now")
    def use_now(self, deployment: Deployment) -> str:
        state = _quota_state(deployment)
        if state is None:
            return NOT_KNOWN
        quota = getattr(deployment, "quota", None) or Quota()
        uses = [
            _use("requests", state.requests, quota.requests_per_window),
            _use("tokens", state.tokens, quota.tokens_per_window),
            _use("in flight", state.in_flight, quota.calls_in_flight),
        ]
        if quota.input_tokens_per_window is not None:
            uses.append(_use("input tokens", state.input_tokens, quota.input_tokens_per_window))
        if quota.output_tokens_per_window is not None:
            uses.append(_use("output tokens", state.output_tokens, quota.output_tokens_per_window))
        return f"{', '.join(uses)} in {quota.window_seconds:g} s"

    @admin.display(description="quota today")
    def use_today(self, deployment: Deployment) -> str:
        state = _quota_state(deployment)
        if state is None:
            return NOT_KNOWN
        quota = getattr(deployment, "quota", None) or Quota()
        requests = _use("requests", state.requests_today, quota.requests_per_day)
        money = f"${state.money_today / MICROS_PER_DOLLAR:.2f}" if deployment.has_price else "cost unknown"
        return f"{requests}, {money}" + ("" if quota.dollars_per_day is None else f" of ${quota.dollars_per_day}")

    @admin.display
    def state(self, deployment: Deployment) -> str:
        own = _row_state(deployment)
        providers = _row_state(deployment.provider)
        if own == IN_ORDER and providers != IN_ORDER:
            return f"provider: {providers}"
        state = _quota_state(deployment)
        if own == IN_ORDER and state is not None and state.breaker != "closed":
            return f"breaker {state.breaker}: {state.failures} failures in a row"
        return own


class CallErrorCodeFilter(admin.SimpleListFilter):
    """Offers all possible codes: to find those in use, the database would read the whole ledger."""

    title = "error code"
    parameter_name = "error_code"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(failure.value, failure.value) for failure in Failure]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(error_code=self.value()) if self.value() else queryset


@admin.register(Usage)
class UsageAdmin(ReadOnlyAdmin):
    list_display = [
        *("job_id", "page_number", "at", "model", "page_parser", "outcome", "error_code"),
        *("input_tokens", "cached_tokens", "output_tokens", "reasoning_tokens", "cost", "seconds", "started_at"),
    ]
    list_filter = ["outcome", "page_parser", CallErrorCodeFilter]
    list_select_related = ["deployment"]
    list_per_page = 50
    search_fields = ["job_id__exact"]
    search_help_text = "a job's whole id"
    ordering = ["-started_at"]
    readonly_fields = ["cost"]
    exclude = ["cost_nanos"]

    @admin.display(description="deployment / provider")
    def at(self, call: Usage) -> str:
        return f"{call.deployment or '-'} / {call.provider_name}"

    @admin.display
    def cost(self, call: Usage) -> str:
        return dollars_in_words(call.cost_nanos)


@admin.register(Batch)
class BatchAdmin(ReadOnlyAdmin):
    """The batches of the last days, with the state that their providers report."""

    list_display = ["created_at", "deployment", "state", "requests", "answered", "provider_batch", "check_at", "detail"]
    list_filter = ["state", "deployment"]
    list_select_related = ["deployment"]
    search_fields = ["provider_batch__exact", "key__exact", "pages__job_id__exact"]
    search_help_text = "a whole id: the provider's, or a job's"
    ordering = ["-created_at"]
    actions = ["cancel"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Batch]:
        batches: QuerySet[Batch] = super().get_queryset(request)
        return batches.annotate(answered=Count("pages", filter=Q(pages__state=BatchRequestState.ANSWERED)))

    @admin.display(description="answers kept", ordering="answered")
    def answered(self, batch: Any) -> int:
        count: int = batch.answered
        return count

    @admin.action(description="Cancel at the provider: its pages are asked for one by one")
    def cancel(self, request: HttpRequest, queryset: QuerySet[Batch]) -> None:
        cancelled = sum(polling.cancel(batch) for batch in queryset)
        self.message_user(request, f"{cancelled} batch(es) will be cancelled. What is answered is kept and billed.")


def _row_state(row: Provider | Deployment) -> str:
    """Describe the row: its fault first, because it is still there after the row is resumed."""
    paused = "paused" if row.paused else ""
    fault = f"fault: {row.trouble_code} since {localize(row.trouble_at)}" if row.trouble_code else ""
    return "; ".join(part for part in (fault, paused) if part) or IN_ORDER


def _quota_state(deployment: Deployment) -> QuotaState | None:
    """Return the state that ``add_facts`` read; None if it was not read or the quota store is unavailable."""
    return getattr(deployment, "quota_state", None)


def _dollars(deployment: Deployment, kind: Kind) -> str:
    """Return the price in use for a million of these tokens, and whether it is from the price table."""
    price = None if deployment.prices is None else deployment.prices.rate(PriceKey(kind))
    if price is None:
        return "unknown"
    typed = deployment.input_price if kind == "input" else deployment.output_price
    return f"{float(price):g}" if typed is not None else f"{float(price):g} (listed)"


def _use(unit: str, used: int, limit: int | None) -> str:
    return f"{used:,} {unit}" if limit is None else f"{used:,} of {limit:,} {unit}"
