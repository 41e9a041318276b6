"""Providers in the admin: what they may do and what is wrong with them; the ledger to read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.views.main import ChangeList
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.decorators import method_decorator
from django.utils.formats import localize
from django.views.decorators.debug import sensitive_post_parameters

from apps.core.read_only_admin import ReadOnlyAdmin
from apps.providers import ledger, services
from apps.providers.calls.shared_gateway import shared_store
from apps.providers.catalog import MICROS_PER_DOLLAR, deployment_quota_key
from apps.providers.errors import Failure
from apps.providers.forms import FORGET, DeploymentForm, ProviderForm, QuotaForm, secret_names
from apps.providers.models import Deployment, PageParserName, Provider, Quota, Usage, dollars_in_words
from apps.providers.quota.store import QuotaState, QuotaStoreUnavailable

NOT_KNOWN = "not known"
IN_ORDER = "in order"
FACTS = ["name", "family", "external", "region", "paused", "settings"]
SERVES = {PageParserName.LLM: "serves_llm", PageParserName.LVM: "serves_lvm", PageParserName.AGENT: "serves_agent"}


class Steered(admin.ModelAdmin):  # type: ignore[type-arg]
    """Rows that workers call by: paused, resumed and mended here."""

    actions = ["pause", "resume", "clear_trouble"]

    def get_changelist_instance(self, request: HttpRequest) -> ChangeList:
        changelist = super().get_changelist_instance(request)
        self.look_up(list(changelist.result_list))
        return changelist

    def look_up(self, rows: list[Any]) -> None:
        """Give the rows of one page what is not in their table, at once for all of them."""
        raise NotImplementedError

    @admin.action(description="Pause", permissions=["change"])
    def pause(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        self._order(request, queryset, lambda row: services.pause(row=row), "paused")

    @admin.action(description="Resume", permissions=["change"])
    def resume(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        self._order(request, queryset, lambda row: services.resume(row=row), "resumed")

    @admin.action(description="Clear trouble: it is mended", permissions=["change"])
    def clear_trouble(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        away: list[QuotaStoreUnavailable] = []

        def clear(row: Provider | Deployment) -> None:
            try:
                services.clear_trouble(row=row)
            except QuotaStoreUnavailable as error:
                away.append(error)

        self._order(request, queryset, clear, "cleared of trouble")
        if away:
            self.message_user(request, f"Breakers were not reset. {away[0]}", messages.WARNING)

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        super().delete_model(request, obj)
        services.reread()

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        super().delete_queryset(request, queryset)
        services.reread()

    def _order(self, request: HttpRequest, rows: QuerySet[Any], order: Callable[[Any], object], done: str) -> None:
        carried_out = 0
        for row in rows:
            if order(row) is not False:
                carried_out += 1
                self.log_change(request, row, done)
        self.message_user(request, f"{carried_out} {self.opts.verbose_name}(s) {done}")


@admin.register(Provider)
class ProviderAdmin(Steered):
    list_display = ["name", "family", "external", "region", "deployment_count", "state", "spent"]
    list_filter = ["family", "external", "paused"]
    search_fields = ["name"]
    form = ProviderForm

    def get_queryset(self, request: HttpRequest) -> QuerySet[Provider]:
        providers: QuerySet[Provider] = super().get_queryset(request)
        return providers.annotate(deployment_count=Count("deployments"))

    def look_up(self, rows: list[Any]) -> None:
        spent = ledger.spent_by_providers()
        for provider in rows:
            provider.spent = spent.get(provider.name)

    @method_decorator(sensitive_post_parameters())
    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        answer: HttpResponse = super().changeform_view(request, *args, **kwargs)
        return answer

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        """The form adds the fields of the secrets itself: they are none of the model's."""
        return super().get_form(request, obj, change, **kwargs | {"fields": FACTS})

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return ["family", "state", "trouble_detail"] if obj else []

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        secrets = [*secret_names(obj.family), FORGET] if obj else secret_names(None)
        fieldsets: list[tuple[str | None, dict[str, list[str]]]] = [(None, {"fields": FACTS})]
        if obj:
            fieldsets.append(("State", {"fields": ["state", "trouble_detail"]}))
        if not obj or self.has_change_permission(request, obj):
            fieldsets.append(("Secrets", {"fields": secrets}))
        return fieldsets

    def save_model(self, request: HttpRequest, obj: Provider, form: Any, change: bool) -> None:
        mended = not {"settings", "secrets"}.isdisjoint(form.changed_data)
        services.save_provider(provider=obj, secrets=form.secrets, mended=mended)

    @admin.display(description="deployments", ordering="deployment_count")
    def deployment_count(self, provider: Any) -> int:
        count: int = provider.deployment_count
        return count

    @admin.display
    def state(self, provider: Provider) -> str:
        return _state(provider)

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
class DeploymentAdmin(Steered):
    list_display = [
        *("name", "provider", "model", "page_parsers", "order", "input_dollars", "output_dollars"),
        *("use_now", "use_today", "state"),
    ]
    list_filter = ["provider", PageParserFilter, "paused"]
    list_select_related = ["provider", "quota"]
    search_fields = ["name", "model"]
    inlines = [QuotaInline]
    form = DeploymentForm

    def look_up(self, rows: list[Any]) -> None:
        try:
            states = shared_store().state([deployment_quota_key(row.pk) for row in rows])
        except QuotaStoreUnavailable:
            return
        for row, state in zip(rows, states, strict=True):
            row.account = state

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return ["state", "trouble_detail"] if obj else []

    def save_model(self, request: HttpRequest, obj: Deployment, form: Any, change: bool) -> None:
        services.save_deployment(deployment=obj, mended="model" in form.changed_data)

    @admin.display
    def page_parsers(self, deployment: Deployment) -> str:
        return ", ".join(parser.value for parser, field in SERVES.items() if getattr(deployment, field)) or "-"

    @admin.display(description="$/M input", ordering="input_price")
    def input_dollars(self, deployment: Deployment) -> str:
        return "unknown" if deployment.input_price is None else f"{deployment.input_price}"

    @admin.display(description="$/M output", ordering="output_price")
    def output_dollars(self, deployment: Deployment) -> str:
        return "unknown" if deployment.output_price is None else f"{deployment.output_price}"

    @admin.display(description="quota now")
    def use_now(self, deployment: Deployment) -> str:
        account = _account(deployment)
        if account is None:
            return NOT_KNOWN
        quota = getattr(deployment, "quota", None) or Quota()
        uses = [
            _use("requests", account.requests, quota.requests_per_window),
            _use("tokens", account.tokens, quota.tokens_per_window),
            _use("in flight", account.in_flight, quota.calls_in_flight),
        ]
        if quota.input_tokens_per_window is not None:
            uses.append(_use("input tokens", account.input_tokens, quota.input_tokens_per_window))
        if quota.output_tokens_per_window is not None:
            uses.append(_use("output tokens", account.output_tokens, quota.output_tokens_per_window))
        return f"{', '.join(uses)} in {quota.window_seconds:g} s"

    @admin.display(description="quota today")
    def use_today(self, deployment: Deployment) -> str:
        account = _account(deployment)
        if account is None:
            return NOT_KNOWN
        quota = getattr(deployment, "quota", None) or Quota()
        requests = _use("requests", account.requests_today, quota.requests_per_day)
        money = f"${account.money_today / MICROS_PER_DOLLAR:.2f}" if deployment.has_price else "cost unknown"
        return f"{requests}, {money}" + ("" if quota.dollars_per_day is None else f" of ${quota.dollars_per_day}")

    @admin.display
    def state(self, deployment: Deployment) -> str:
        own = _state(deployment)
        providers = _state(deployment.provider)
        if own == IN_ORDER and providers != IN_ORDER:
            return f"provider: {providers}"
        account = _account(deployment)
        if own == IN_ORDER and account is not None and account.breaker != "closed":
            return f"breaker {account.breaker}: {account.failures} failures in a row"
        return own


class CallErrorCodeFilter(admin.SimpleListFilter):
    """The codes there can be: asking the ledger which there are would read all of it."""

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
        *("input_tokens", "output_tokens", "cost", "seconds", "started_at"),
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


def _state(row: Provider | Deployment) -> str:
    """Trouble before paused: it is still there when the row is resumed."""
    paused = "paused" if row.paused else ""
    trouble = f"trouble: {row.trouble_code} since {localize(row.trouble_at)}" if row.trouble_code else ""
    return "; ".join(part for part in (trouble, paused) if part) or IN_ORDER


def _account(deployment: Deployment) -> QuotaState | None:
    """What the quota store said when the list was made; None where it was not asked or did not answer."""
    return getattr(deployment, "account", None)


def _use(what: str, used: int, limit: int | None) -> str:
    return f"{used:,} {what}" if limit is None else f"{used:,} of {limit:,} {what}"
