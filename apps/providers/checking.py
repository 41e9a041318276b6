"""Check whether a deployment works, by its rows, the quota store and one small call."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial

from apps.accounts.services import default_project
from apps.core import sealed_secrets
from apps.providers import deployment_faults, ledger
from apps.providers.administration import clear_fault_or_warn, refresh_listed_prices
from apps.providers.calls.client import Client, CompletionRequest
from apps.providers.calls.connection import Call
from apps.providers.calls.families import problems_of
from apps.providers.calls.process_gateway import call_limits, configured_quota_store
from apps.providers.calls.usage import plausible_usage
from apps.providers.catalog import ProviderRules, Target, deployment_quota_key, target_of, unsealed
from apps.providers.dialects import dialect_problems
from apps.providers.errors import FAULT_FAILURES, CallFailed
from apps.providers.ledger import CallFor
from apps.providers.models import Deployment
from apps.providers.quota.store import QuotaDemand, QuotaStoreUnavailable

TEST_REQUEST = CompletionRequest([{"role": "user", "content": "Answer with OK."}], max_tokens=16)
_INPUT_TOKENS = 16


@dataclass(frozen=True)
class DeploymentCheck:
    """The result of checking one deployment. ``works`` is None if it was not called. ``prices`` are in words."""

    name: str
    provider: str
    prices: str
    works: bool | None
    detail: str
    seconds: float | None = None


def check_deployment(row: Deployment, *, call: bool = True) -> DeploymentCheck:
    """Check a deployment, with a small request unless ``call`` is False, it is paused or a rule excludes it.

    The call is in the ledger like any other. A good response clears a fault; a failure that waiting does not fix is
    stored as one.
    """
    refresh_listed_prices(row)
    result = partial(DeploymentCheck, row.name, row.provider.name, row.prices_in_words())
    try:
        problems = problems_of(row.provider.family, row.provider.settings, unsealed(row.provider.secrets_sealed))
    except sealed_secrets.BrokenSeal:
        problems = ["the secrets cannot be read: SECRET_KEY changed since they were loaded. Load them again"]
    problems += dialect_problems(
        dialect=row.dialect, prompt=row.prompt, picture_pixels=row.picture_pixels, page_parsers=row.page_parsers
    )
    if problems:
        return result(works=False, detail="; ".join(problems))
    known = _known_state(row)
    if row.paused or row.provider.paused:
        return result(works=None, detail="; ".join(["paused", *known]))
    target = target_of(row)
    refusal = ProviderRules().refusal(target)
    if refusal:
        return result(works=None, detail=f"not called: {refusal}")
    if not call:
        has_fault = bool(row.trouble_code or row.provider.trouble_code)
        return result(works=False if has_fault else None, detail="; ".join(known) or "not called")
    began = time.monotonic()
    failed = call_once(target)
    seconds = time.monotonic() - began
    if failed is not None:
        return result(works=False, detail=str(failed), seconds=seconds)
    for each in (row, row.provider):
        clear_fault_or_warn(row=each)
    known = _known_state(Deployment.objects.get(pk=row.pk))
    return result(works=True, detail="; ".join(["answers", *known]), seconds=seconds)


def call_once(target: Target) -> CallFailed | None:
    """Send ``TEST_REQUEST`` and write it to the ledger. Return the failure, if any, and store it if it is a fault."""
    demand = QuotaDemand(_INPUT_TOKENS, TEST_REQUEST.max_tokens)
    usage = ledger.begin_call(CallFor(default_project().pk, "check", 0, "llm"), target, demand, "")
    began = time.monotonic()
    try:
        response = Client().send(target, TEST_REQUEST, Call(call_limits()))
    except CallFailed as failed:
        if failed.sent_at is None:
            ledger.forget_call(usage)
        else:
            ledger.fail_call(usage, target, failed, seconds=time.monotonic() - began)
        if failed.failure in FAULT_FAILURES:
            deployment_faults.report(target, failed)
        return failed
    counted, is_suspect = plausible_usage(
        response.usage, estimated_input_tokens=_INPUT_TOKENS, visible_characters=len(response.text)
    )
    ledger.end_call(usage, target, counted, seconds=time.monotonic() - began, usage_suspect=is_suspect)
    return None


def _known_state(row: Deployment) -> list[str]:
    """Describe its faults, a hold-off and an open circuit breaker."""
    found = [
        f"{each.trouble_code} since {each.trouble_at:%Y-%m-%d %H:%M}: {each.trouble_detail}"
        for each in (row, row.provider)
        if each.trouble_at is not None
    ]
    try:
        [state] = configured_quota_store().state([deployment_quota_key(row.pk)])
    except QuotaStoreUnavailable:
        return [*found, "the quota store does not answer"]
    if state.not_before is not None and state.not_before > time.time():
        found.append(f"held off for {state.not_before - time.time():.0f} s more, as the provider requested")
    if state.breaker != "closed":
        found.append(f"its circuit breaker is {state.breaker} after {state.failures} failures")
    return found
