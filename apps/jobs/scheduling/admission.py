"""May this project have this parsed, in this mode? Asked when a job is submitted, and when its pages are counted."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Sum
from django.db.models.functions import Now

from apps.accounts.models import Project, ProjectQuota
from apps.jobs import queries
from apps.jobs.errors import InvalidOption, ModeNotAllowed, ModeNotAvailable, QuotaExceeded
from apps.jobs.models import ParseJob
from apps.jobs.options import JobOptions
from apps.jobs.scheduling.pauses import check_intake
from apps.parsing.modes import FAST, PAGE_PARSER_OF_MODE
from apps.providers.catalog import MICROS_PER_DOLLAR, ProviderRules, Target, catalog
from apps.providers.ledger import NANOS_PER_MICRO, spent
from apps.providers.models import Provider, Usage

DAY = timedelta(days=1)


@dataclass(frozen=True)
class Admission:
    """The mode that a job is parsed in, and a warning where it is not the one that was asked for."""

    mode: str
    uses_models: bool
    warnings: tuple[dict[str, str], ...] = ()


def admit(*, project: Project, mode: str, options: JobOptions, asked: str) -> Admission:
    """What becomes of the order; ``asked`` is how the request spells the mode.

    Raises IntakePaused, ModeNotAllowed, QuotaExceeded, ModeNotAvailable and InvalidOption.
    """
    check_intake()
    quota = queries.project_quota(project.pk)
    modes = {mode, *(rule.parsing_conf.mode or mode for rule in options.auto_mode_rules)}
    if quota is not None:
        _check_modes(quota, modes)
        _check_money(quota)
    _check_providers(options.providers or ())
    rules = options.provider_rules(quota)
    missing = {wanted for wanted in modes if not targets_of(wanted, rules)} - {FAST}
    if mode in missing:
        return _without_provider(mode, asked, rules)
    warnings = tuple(_without_provider_for_rules(wanted, rules) for wanted in sorted(missing))
    _check_prices(modes, options, rules)
    return Admission(mode, uses_models=modes - missing != {FAST}, warnings=warnings)


def targets_of(mode: str, rules: ProviderRules) -> list[Target]:
    """The deployments that may serve the mode, those to be asked first in front; none for a mode that asks none."""
    parser = PAGE_PARSER_OF_MODE.get(mode)
    return [target for target in catalog.targets(parser) if not rules.refusal(target)] if parser else []


def _check_providers(names: Collection[str]) -> None:
    known = set(Provider.objects.values_list("name", flat=True)) if names else set()
    if unknown := sorted(set(names) - known):
        there = f"There are: {', '.join(sorted(known))}" if known else "There is none yet: `manage.py load_providers`"
        raise InvalidOption(f"No provider is called {unknown[0]}. {there}.", location=("body", "providers"))


def _check_modes(quota: ProjectQuota, modes: set[str]) -> None:
    forbidden = sorted(modes - set(quota.modes)) if quota.modes else []
    if forbidden:
        allowed = ", ".join(quota.modes)
        raise ModeNotAllowed(f"The project does not allow the mode {forbidden[0]}. Send one of: {allowed}.")


def _check_money(quota: ProjectQuota) -> None:
    if quota.dollars_per_day is None:
        return
    today = spent(Usage.objects.filter(project_id=quota.project_id, started_at__gte=Now() - DAY))
    if (today.cost_nanos or 0) // NANOS_PER_MICRO >= quota.dollars_per_day * MICROS_PER_DOLLAR:
        raise QuotaExceeded("The project's money for a day is spent. Wait, or have its quota raised.")


def _without_provider(mode: str, asked: str, rules: ProviderRules) -> Admission:
    reasons, advice = _reasons(mode, rules)
    if settings.MODE_WITHOUT_PROVIDER != FAST:
        raise ModeNotAvailable(
            f"No provider serves the mode {mode} of the tier {asked}{reasons}. {advice}, or send the tier fast, which "
            "needs none.",
            location=("body", "tier"),
            value=asked,
        )
    detail = f"No provider serves the mode {mode}{reasons}; fast mode takes its place."
    return Admission(FAST, False, ({"code": "mode_not_available", "detail": detail, "option": "tier"},))


def _reasons(mode: str, rules: ProviderRules) -> tuple[str, str]:
    """Why the mode's deployments cannot be used, where there are any, and what helps."""
    parser = PAGE_PARSER_OF_MODE[mode]
    if stopped := catalog.unavailable(parser, rules):
        return f" ({'; '.join(stopped)})", "`manage.py check_providers` tells more"
    refused = dict.fromkeys(rules.refusal(target) for target in catalog.targets(parser))
    return f" ({'; '.join(refused)})" if refused else "", "Load one with `manage.py load_providers`"


def _without_provider_for_rules(mode: str, rules: ProviderRules) -> dict[str, str]:
    """The warning about a rule whose mode nobody serves: its pages are parsed like the others."""
    reasons, advice = _reasons(mode, rules)
    location = ("processing_options", "auto_mode_configuration")
    if settings.MODE_WITHOUT_PROVIDER != FAST:
        raise ModeNotAvailable(
            f"A rule of auto mode asks for {mode}, which no provider serves{reasons}. {advice}, or change the rule.",
            location=("body", *location),
        )
    detail = f"A rule asks for {mode}, which no provider serves{reasons}; its pages are parsed like the others."
    return {"code": "mode_not_available", "detail": detail, "option": ".".join(location)}


def _check_prices(modes: set[str], options: JobOptions, rules: ProviderRules) -> None:
    if options.max_cost_micros is None:
        return
    unknown = [target.name for mode in modes for target in targets_of(mode, rules) if not target.row.has_price]
    if unknown:
        raise InvalidOption(
            f"max_cost cannot be kept: the price of {unknown[0]} is not known. Set its prices, or leave max_cost out.",
            location=("body", "max_cost"),
        )


def allow_pages(job: ParseJob, count: int) -> None:
    """Count a job's pages towards its project's day; QuotaExceeded where they are too many."""
    quota = _page_quota(job.project_id)
    if quota is None:
        return
    with transaction.atomic():
        # One at a time for each project, so that two documents do not both take the last pages.
        Project.objects.select_for_update(no_key=True).only("pk").get(pk=job.project_id)
        _check_pages(quota, count, but=job.pk)
        ParseJob.objects.filter(pk=job.pk).update(page_count=count)


def check_pages(*, project: Project, count: int) -> None:
    """QuotaExceeded where so many pages are more than the project has left for today. Nothing is counted."""
    quota = _page_quota(project.pk)
    if quota is not None:
        _check_pages(quota, count)


def _page_quota(project_id: UUID) -> ProjectQuota | None:
    return ProjectQuota.objects.filter(project_id=project_id, pages_per_day__isnull=False).first()


def _check_pages(quota: ProjectQuota, count: int, *, but: str = "") -> None:
    """``but``: the job whose own pages are not counted."""
    jobs = ParseJob.objects.filter(project_id=quota.project_id, created_at__gte=Now() - DAY).exclude(pk=but)
    used = jobs.aggregate(pages=Sum("page_count"))["pages"] or 0
    if used + count > (quota.pages_per_day or 0):
        raise QuotaExceeded(
            f"The project may parse {quota.pages_per_day} pages a day; {used} were, and this document has {count}. "
            "Wait, or have its quota raised."
        )
