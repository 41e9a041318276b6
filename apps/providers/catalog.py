"""The deployments that serve each page parser, in order, and the rules that exclude some of them.

Rows are read again every few seconds, so that a change in the admin reaches workers without a restart.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db.models import Q
from django.db.models.functions import Now

from apps.core.database_connections import borrowed_connection
from apps.core.sealing import sealed_secrets
from apps.providers.calls.usage import ServiceTier, TokenUsage
from apps.providers.learnt import Learnt
from apps.providers.model_facts.dialects import DIALECTS
from apps.providers.models import Deployment, Quota
from apps.providers.prices import PriceKey
from apps.providers.quota.store import QuotaLimits
from apps.providers.requests.addresses import with_address
from apps.providers.requests.families import FAMILIES

logger = logging.getLogger(__name__)

PROBE_SECONDS = 600.0  # a deployment with a fault gets one call per this interval
MICROS_PER_DOLLAR = 1_000_000
ANNOUNCED_SECONDS = 60.0  # providers announce limits of a minute
# The families whose requests name the service tier. Vertex AI wants headers instead; Anthropic has no such tier.
FLEX_FAMILIES = frozenset({"openai", "gemini", "bedrock"})


@dataclass(frozen=True)
class Target:
    """A deployment as the gateway calls it: plain values, safe in any thread."""

    id: int
    name: str
    provider: str
    family: str
    model: str
    external: bool
    region: str
    order: int
    page_parsers: frozenset[str]
    limits: QuotaLimits
    max_output_tokens: int
    row: Deployment = field(repr=False, compare=False)
    settings: dict[str, Any] = field(repr=False, compare=False)
    secrets: dict[str, str] = field(repr=False, compare=False)
    parameters: dict[str, Any] = field(repr=False, compare=False)
    base_model: str = ""
    thinking: str = ""
    learnt: Learnt = field(default_factory=Learnt)
    dialect: str = ""
    prompt: str = ""
    picture_pixels: int = 0
    revision: str = ""
    has_fault: bool = False

    @property
    def own_prompt(self) -> str:
        """Return the prompt of its dialect; "" for a general model, which gets ours."""
        return self.prompt or DIALECTS[self.dialect].prompt

    @property
    def answer_settings(self) -> str:
        """Return everything of the deployment that its answers depend on, for cache keys."""
        form = [self.dialect, self.prompt, self.picture_pixels]
        return json.dumps([self.base_model or self.model, self.thinking, *form, self.parameters], sort_keys=True)

    @property
    def offers_flex(self) -> bool:
        """Whether the provider serves the model for less to requests that can wait (service tier "flex")."""
        prices = self.row.prices
        is_free_to_choose = "service_tier" not in self.parameters and "service_tier" not in self.learnt.refused
        is_offered = prices is not None and PriceKey("input", "flex") in prices.rates
        return self.family in FLEX_FAMILIES and is_free_to_choose and is_offered

    @property
    def offers_batch(self) -> bool:
        """Whether pages that can wait go through the provider's batch API."""
        return self.row.batch and FAMILIES[self.family].has_batches and not self.has_fault

    @property
    def cheaper_tiers(self) -> list[ServiceTier]:
        """Return the tiers that cost less for requests that can wait, the cheapest first."""
        offered: dict[ServiceTier, bool] = {"batch": self.offers_batch, "flex": self.offers_flex}
        return [tier for tier, is_offered in offered.items() if is_offered]

    def cost_nanos(self, usage: TokenUsage) -> int | None:
        return self.row.cost_nanos(usage)

    def max_cost_nanos(self, *, input_tokens: int, output_tokens: int, is_batch: bool = False) -> int | None:
        return self.row.max_cost_nanos(input_tokens=input_tokens, output_tokens=output_tokens, is_batch=is_batch)


@dataclass(frozen=True)
class ProviderRules:
    """The providers that pages may be sent to. Installation, project and job can each narrow them; none can widen them.

    ``*_providers``: names of the allowed providers; None: all of them.
    """

    project_external: bool = True
    project_providers: tuple[str, ...] | None = None
    job_external: bool = True
    job_providers: tuple[str, ...] | None = None

    def refusal(self, target: Target) -> str:
        """Return the rule that excludes the deployment; "" if none does."""
        return self.refusal_of(target.provider, external=target.external)

    def refusal_of(self, provider: str, *, external: bool) -> str:
        """Return the rule that excludes the provider of this name; "" if none does."""
        if external and not settings.EXTERNAL_PROVIDERS:
            return "EXTERNAL_PROVIDERS=off: the installation allows no external provider"
        if external and not self.project_external:
            return "the project allows no external provider"
        if self.project_providers is not None and provider not in self.project_providers:
            return "the project does not allow this provider"
        if external and not self.job_external:
            return "the job allows no external provider (allow_external)"
        if self.job_providers is not None and provider not in self.job_providers:
            return "the job does not name this provider (providers)"
        return ""


class Catalog:
    """The deployments in the database, read again after ``settings.PROVIDERS_REREAD_SECONDS``."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._targets: tuple[Target, ...] = ()
        self._read_at = float("-inf")

    def targets(self, page_parser: str) -> list[Target]:
        """Return the deployments that serve the page parser and can be called, in the order to try them."""
        with self._lock:
            if time.monotonic() - self._read_at > settings.PROVIDERS_REREAD_SECONDS:
                self._targets = tuple(read_targets())
                self._read_at = time.monotonic()
            return [target for target in self._targets if page_parser in target.page_parsers]

    def unavailable(self, page_parser: str, rules: ProviderRules) -> list[str]:
        """Describe the deployments that these rules allow but that are not called now, each with the reason."""
        called = {target.id for target in self.targets(page_parser)}
        with borrowed_connection():
            rows = list(
                Deployment.objects.filter(**{f"serves_{page_parser}": True})
                .exclude(pk__in=called)
                .select_related("provider")
                .order_by("order", "pk")
            )
        allowed = (row for row in rows if not rules.refusal_of(row.provider.name, external=row.provider.external))
        reasons = []
        for row in allowed:
            code = row.trouble_code or row.provider.trouble_code
            reason = f"is out of order: {code}" if code else "has secrets that cannot be read"
            if row.paused or row.provider.paused:
                reason = "is paused"
            reasons.append(f"{row.name} of {row.provider.name} {reason}")
        return reasons

    def forget(self) -> None:
        """Read the rows again at the next use."""
        with self._lock:
            self._read_at = float("-inf")


catalog = Catalog()


def read_targets() -> list[Target]:
    """Return the deployments that may be called, in order. One with a fault is probed, with one call at a time."""
    probe = Now() - timedelta(seconds=PROBE_SECONDS)
    callable_now = Q(trouble_at=None) | Q(trouble_at__lt=probe)
    provider_callable = Q(provider__trouble_at=None) | Q(provider__trouble_at__lt=probe)
    with borrowed_connection():
        rows = list(
            Deployment.objects.filter(callable_now, provider_callable, paused=False, provider__paused=False)
            .select_related("provider", "quota")
            .order_by("order", "pk")
        )
    targets = []
    for row in rows:
        if row.dialect not in DIALECTS:
            logger.error("%s is not called: this release does not know its dialect %r", row, row.dialect)
            continue
        try:
            targets.append(target_of(row))
        except sealed_secrets.SealedForModelWorkers:  # other processes only ask which deployments there are
            targets.append(target_of(row, with_secrets=False))
        except sealed_secrets.BrokenSeal:
            logger.exception("The secrets of %s cannot be read: a key changed. Load the providers again", row)
    return targets


def target_of(row: Deployment, *, with_secrets: bool = True) -> Target:
    """Return the deployment as the gateway calls it. Raise BrokenSeal if its secrets cannot be read."""
    provider = row.provider
    has_fault = bool(row.trouble_code or provider.trouble_code)
    limits = limits_of(row)
    return Target(
        id=row.pk,
        name=row.name,
        provider=provider.name,
        family=provider.family,
        model=row.model,
        external=provider.external,
        region=provider.region,
        order=row.order,
        page_parsers=frozenset(row.page_parsers),
        limits=replace(limits, calls_in_flight=1) if has_fault else limits,
        max_output_tokens=row.max_output_tokens,
        row=row,
        settings=with_address(provider.family, row.model, provider.settings),
        secrets=unsealed(provider.secrets_sealed) if with_secrets else {},
        parameters=dict(row.parameters),
        base_model=row.base_model,
        thinking=row.thinking,
        learnt=Learnt.of(row.learnt),
        dialect=row.dialect,
        prompt=row.prompt,
        picture_pixels=row.picture_pixels or 0,
        revision=f"{row.pk}:{row.updated_at.timestamp()}:{provider.updated_at.timestamp()}",
        has_fault=has_fault,
    )


def unsealed(sealed: str) -> dict[str, str]:
    """Return a provider's secrets. Raise BrokenSeal if no key opens them, SealedForModelWorkers if others do."""
    return dict(json.loads(sealed_secrets.unseal(sealed))) if sealed else {}


def deployment_quota_key(deployment_id: int) -> str:
    """Return the key of the deployment's quota in the quota store."""
    return f"deployment:{deployment_id}"


def flex_quota_key(target: Target) -> str:
    """Return the key of the quota that keeps Retry-After and circuit breaker of the deployment's flex tier."""
    return f"{target.limits.key}:flex"


def limits_of(row: Deployment) -> QuotaLimits:
    """Return the limits of the deployment: its quota, and what its provider announces for a minute where that is empty.

    Raise ValueError if they are out of range.
    """
    quota = getattr(row, "quota", None) or Quota()
    dollars = quota.dollars_per_day
    limits = QuotaLimits(
        key=deployment_quota_key(row.pk),
        requests=quota.requests_per_window,
        tokens=quota.tokens_per_window,
        input_tokens=quota.input_tokens_per_window,
        output_tokens=quota.output_tokens_per_window,
        window_seconds=quota.window_seconds,
        requests_per_day=quota.requests_per_day,
        calls_in_flight=quota.calls_in_flight,
        money_per_day=None if dollars is None else int(dollars * MICROS_PER_DOLLAR),
        counts_max_tokens=quota.counts_max_tokens,
    )
    if quota.window_seconds != ANNOUNCED_SECONDS:
        return limits
    announced: dict[str, Any] = dict(Learnt.of(row.learnt).limits)
    return replace(limits, **{name: limit for name, limit in announced.items() if getattr(limits, name) is None})
