"""Admission: check mode and quotas of a project when a job is submitted, and its page quota when pages are counted."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Sum
from django.db.models.functions import Now

from apps.accounts.models import Project, ProjectQuota
from apps.jobs import queries
from apps.jobs.errors import InvalidOption, ModeNotAllowed, ModeNotAvailable, QueueFull, QuotaExceeded
from apps.jobs.models import ParseJob
from apps.jobs.options import JobOptions
from apps.jobs.scheduling.pauses import check_intake
from apps.parsing.modes import BALANCED, FAST, PAGE_PARSER_OF_MODE
from apps.providers.catalog import MICROS_PER_DOLLAR, ProviderRules, Target, catalog
from apps.providers.ledger import NANOS_PER_MICRO, spent
from apps.providers.models import Provider, Usage

DAY = timedelta(days=1)
ROOM_SECONDS = 1.0
"""How long a count of open pages is used, so that many requests cost one query."""
_counted_pages: dict[UUID | None, tuple[float, int]] = {}


@dataclass(frozen=True)
class Admission:
    """The mode in which a job is parsed, and warnings if it is not the requested one."""

    mode: str
    uses_models: bool
    warnings: tuple[dict[str, str], ...] = ()


def admit(*, project: Project, mode: str, options: JobOptions, tier: str) -> Admission:
    """Decide in which mode a new job of the project is parsed. ``tier`` is the one that the request names.

    Raises IntakePaused, QueueFull, ModeNotAllowed, QuotaExceeded, ModeNotAvailable and InvalidOption.
    """
    check_intake()
    check_room(project)
    quota = queries.project_quota(project.pk)
    modes = {mode, *(rule.parsing_conf.mode or mode for rule in options.auto_mode_rules)}
    if quota is not None:
        if quota.modes and (forbidden := sorted(modes - set(quota.modes))):
            raise ModeNotAllowed(
                f"The project does not allow the mode {forbidden[0]}. Send one of: {', '.join(quota.modes)}."
            )
        if quota.dollars_per_day is not None:
            today = spent(Usage.objects.filter(project_id=quota.project_id, started_at__gte=Now() - DAY))
            if today.known_nanos // NANOS_PER_MICRO >= quota.dollars_per_day * MICROS_PER_DOLLAR:
                raise QuotaExceeded("The project has spent its money for one day. Wait, or ask for a higher quota.")
    if options.providers:
        known = set(Provider.objects.values_list("name", flat=True))
        if unknown := sorted(set(options.providers) - known):
            advice = f"Send one of: {', '.join(sorted(known))}" if known else "Load one with `manage.py load_providers`"
            raise InvalidOption(f"No provider is called {unknown[0]}. {advice}.", location=("body", "providers"))
    rules = options.provider_rules(quota)
    unserved = {wanted for wanted in modes if not targets_of(wanted, rules)} - {FAST}
    if mode in unserved:
        return _admit_in_fast_mode(mode, tier, rules)
    warnings = [_ignore_auto_mode_rule(wanted, rules) for wanted in sorted(unserved)]
    targets = [target for wanted in sorted(modes) for target in targets_of(wanted, rules)]
    warnings += check_prices(targets, options, quota)
    return Admission(mode, uses_models=modes - unserved != {FAST}, warnings=tuple(warnings))


def check_room(project: Project) -> None:
    """Raise QueueFull while the project, or all together, have too many pages that are not parsed yet."""
    for project_id, limit, whose in (
        (project.pk, settings.PROJECT_OPEN_PAGES, "This project has"),
        (None, settings.OPEN_PAGES, "The service has"),
    ):
        if not limit:
            continue
        counted_at, pages = _counted_pages.get(project_id, (-ROOM_SECONDS, 0))
        if time.monotonic() - counted_at >= ROOM_SECONDS:
            pages = queries.open_pages(project_id)
            _counted_pages[project_id] = time.monotonic(), pages
        if pages >= limit:
            raise QueueFull(f"{whose} {pages} pages to parse, {limit} is the limit. Send the request again later.")


def admit_annotation(*, project: Project, options: JobOptions, kind: str) -> Sequence[dict[str, str]]:
    """Return the warnings about the model that annotates the documents of the project.

    Raises ModeNotAllowed, ModeNotAvailable and InvalidOption. ``admit`` checks the rest.
    """
    quota = queries.project_quota(project.pk)
    if quota is not None and quota.modes and BALANCED not in quota.modes:
        raise ModeNotAllowed(f"The project does not allow {kind}, which uses the models of the mode {BALANCED}.")
    rules = options.provider_rules(quota)
    targets = targets_of(BALANCED, rules)
    if not targets:
        reasons, advice = _reasons_and_advice(BALANCED, rules)
        raise ModeNotAvailable(
            f"No provider serves {kind}, which uses the models of the mode {BALANCED}{reasons}. {advice}.",
            location=("body",),
        )
    return list(check_prices(targets, options, quota))


def check_prices(
    targets: Sequence[Target], options: JobOptions, quota: ProjectQuota | None
) -> Iterator[dict[str, str]]:
    """Yield warnings about prices that the job counts on. Raise InvalidOption if ``max_cost`` cannot be guaranteed."""
    unpriced = [target.name for target in targets if not target.row.has_price]
    if unpriced and options.max_cost_micros is not None:
        raise InvalidOption(
            f"max_cost cannot be guaranteed: the price of {unpriced[0]} is unknown. Set its price, or leave "
            "max_cost out.",
            location=("body", "max_cost"),
        )
    if unpriced and quota is not None and quota.dollars_per_day is not None:
        detail = f"The price of {unpriced[0]} is unknown, so its calls do not count towards the project's money a day."
        yield {"code": "price_unknown", "detail": detail}
    if options.can_wait and targets and not any(target.cheaper_tiers for target in targets):
        detail = "No model of this mode is cheaper for requests that can wait. Its pages cost the usual price."
        yield {"code": "option_without_effect", "detail": detail, "option": "urgency"}


def targets_of(mode: str, rules: ProviderRules) -> list[Target]:
    """Return the deployments that may serve the mode, in the order of use. A mode without a model has none."""
    parser = PAGE_PARSER_OF_MODE.get(mode)
    return [target for target in catalog.targets(parser) if not rules.refusal(target)] if parser else []


def _admit_in_fast_mode(mode: str, tier: str, rules: ProviderRules) -> Admission:
    """Admit a job in fast mode because no provider serves its mode.

    Raise ModeNotAvailable unless the setting MODE_WITHOUT_PROVIDER allows it.
    """
    reasons, advice = _reasons_and_advice(mode, rules)
    if settings.MODE_WITHOUT_PROVIDER != FAST:
        raise ModeNotAvailable(
            f"No provider serves the mode {mode} of the tier {tier}{reasons}. {advice}, or send the tier fast, which "
            "needs none.",
            location=("body", "tier"),
            value=tier,
        )
    detail = f"No provider serves the mode {mode}{reasons}; fast mode takes its place."
    return Admission(FAST, False, ({"code": "mode_not_available", "detail": detail, "option": "tier"},))


def _ignore_auto_mode_rule(mode: str, rules: ProviderRules) -> dict[str, str]:
    """Return the warning that a rule of auto mode is ignored because no provider serves its mode.

    Raise ModeNotAvailable unless the setting MODE_WITHOUT_PROVIDER allows it.
    """
    reasons, advice = _reasons_and_advice(mode, rules)
    location = ("processing_options", "auto_mode_configuration")
    if settings.MODE_WITHOUT_PROVIDER != FAST:
        raise ModeNotAvailable(
            f"A rule of auto mode asks for {mode}, which no provider serves{reasons}. {advice}, or change the rule.",
            location=("body", *location),
        )
    detail = f"A rule asks for {mode}, which no provider serves{reasons}; its pages are parsed like the others."
    return {"code": "mode_not_available", "detail": detail, "option": ".".join(location)}


def _reasons_and_advice(mode: str, rules: ProviderRules) -> tuple[str, str]:
    """Return why no deployment of the mode can be used, empty if there is no deployment, and the next action."""
    parser = PAGE_PARSER_OF_MODE[mode]
    if stopped := catalog.unavailable(parser, rules):
        return f" ({'; '.join(stopped)})", "Run `manage.py check_providers` for details"
    refused = dict.fromkeys(rules.refusal(target) for target in catalog.targets(parser))
    return f" ({'; '.join(refused)})" if refused else "", "Load one with `manage.py load_providers`"


def allow_pages(job: ParseJob, count: int) -> None:
    """Record the job's page count against its project's daily quota. Raise QuotaExceeded if that is too small."""
    quota = _page_quota(job.project_id)
    if quota is None:
        return
    with transaction.atomic():
        # The lock on the project keeps two documents from both using the last pages of its quota.
        Project.objects.select_for_update(no_key=True).only("pk").get(pk=job.project_id)
        _check_pages(quota, count, except_job=job.pk)
        ParseJob.objects.filter(pk=job.pk).update(page_count=count)


def check_pages(*, project: Project, count: int) -> None:
    """Raise QuotaExceeded if the project's daily quota has fewer pages left than ``count``. Nothing is recorded."""
    quota = _page_quota(project.pk)
    if quota is not None:
        _check_pages(quota, count)


def _page_quota(project_id: UUID) -> ProjectQuota | None:
    return ProjectQuota.objects.filter(project_id=project_id, pages_per_day__isnull=False).first()


def _check_pages(quota: ProjectQuota, count: int, *, except_job: str = "") -> None:
    jobs = ParseJob.objects.filter(project_id=quota.project_id, created_at__gte=Now() - DAY, source_job="")
    jobs = jobs.exclude(pk=except_job)
    used = jobs.aggregate(pages=Sum("page_count"))["pages"] or 0
    if used + count > (quota.pages_per_day or 0):
        raise QuotaExceeded(
            f"The project may parse {quota.pages_per_day} pages a day. It has parsed {used}, and this document has "
            f"{count}. Wait, or ask for a higher quota."
        )
