"""Check whether a deployment works, by its rows, the quota store and its answers to a page of text and a picture."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from functools import partial

from apps.accounts.services import default_project
from apps.core.sealing import sealed_secrets
from apps.providers import deployment_faults, ledger
from apps.providers.administration import clear_fault_or_warn, refresh_listed_prices
from apps.providers.calls.client import Client, CompletionResponse
from apps.providers.calls.connection import Call
from apps.providers.calls.learning import cut_off, raised_limit, taught
from apps.providers.calls.process_gateway import call_limits, configured_quota_store
from apps.providers.calls.usage import plausible_usage
from apps.providers.catalog import ProviderRules, Target, deployment_quota_key, target_of, unsealed
from apps.providers.check_questions import CheckQuestion, questions_for
from apps.providers.errors import FAULT_FAILURES, CallFailed, Failure, FailureFacts
from apps.providers.learnt import Learnt, learn_thinking
from apps.providers.ledger import CallFor
from apps.providers.model_facts.dialects import dialect_problems
from apps.providers.models import Deployment
from apps.providers.quota.store import QuotaDemand, QuotaStoreUnavailable
from apps.providers.requests.families import parameter_problems, problems_of
from apps.providers.requests.request_parameters import max_output_tokens, output_limit

_MAX_CALLS = 4
# How servers refuse a picture that their model cannot see; llama.cpp answers 500.
_REFUSALS = frozenset({Failure.BAD_REQUEST, Failure.PARAMETER_REFUSED, Failure.MISCONFIGURED, Failure.UNAVAILABLE})


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
    """Check a deployment with ``questions_for`` it, unless ``call`` is False, it is paused or a rule excludes it.

    The calls are in the ledger like any other. A good response clears a fault; a failure that waiting does not fix is
    stored as one.
    """
    refresh_listed_prices(row)
    result = partial(DeploymentCheck, row.name, row.provider.name, row.prices_in_words())
    try:
        problems = problems_of(row.provider.family, row.provider.settings, unsealed(row.provider.secrets_sealed))
    except sealed_secrets.SealedForModelWorkers:
        return result(works=None, detail="not called: only workers of models open its secrets. Check it in one of them")
    except sealed_secrets.BrokenSeal:
        problems = ["the secrets cannot be read: SECRET_KEY changed since they were loaded. Load them again"]
    problems += dialect_problems(
        dialect=row.dialect, prompt=row.prompt, picture_pixels=row.picture_pixels, page_parsers=row.page_parsers
    )
    behind = row.base_model or row.model
    found = parameter_problems(row.provider.family, row.parameters, model=behind)
    problems += [f"parameters.{problem}" for problem in found]
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
    answers: list[str] = []
    for question in questions_for(target):
        failed, target = call_until_answered(target, question)
        if failed is not None:
            is_refused = failed.failure in _REFUSALS and failed.facts.http_status is not None
            remedy = question.remedy if is_refused else ""
            detail = ". ".join(each for each in (*answers, str(failed).rstrip("."), remedy) if each)
            return result(works=False, detail=detail, seconds=time.monotonic() - began)
        answers.append(question.passed)
    seconds = time.monotonic() - began
    for each in (row, row.provider):
        clear_fault_or_warn(row=each)
    known = _known_state(Deployment.objects.get(pk=row.pk))
    return result(works=True, detail="; ".join([*answers, *known]), seconds=seconds)


def call_until_answered(target: Target, question: CheckQuestion) -> tuple[CallFailed | None, Target]:
    """Ask as the gateway asks for pages. Return the failure, if any, and the deployment as it has to be called."""
    limit = output_limit(target, question.request.max_tokens)
    for _ in range(_MAX_CALLS):
        response, failed = call_once(target, question, limit)
        if failed is not None:
            better = taught(target, failed, limit=limit)
            if better is None:
                return failed, target
            target, limit = better, min(limit, max_output_tokens(better))
            continue
        assert response is not None
        learn_thinking(target.id, target.learnt.thinking_tokens, response.thinking_tokens)
        problem = question.problem_of(response)
        if not problem:
            return None, target
        facts = {"limit": limit, "thinking_tokens": response.thinking_tokens}
        more = raised_limit(target, answer_tokens=question.request.max_tokens, **facts) if response.is_cut else None
        if more is None:
            problem = cut_off(target, **facts) if response.is_cut else problem
            return CallFailed(Failure.BAD_RESPONSE, FailureFacts(problem)), target
        limit = more
    return CallFailed(Failure.BAD_RESPONSE, FailureFacts(f"no whole answer after {_MAX_CALLS} calls")), target


def call_once(
    target: Target, question: CheckQuestion, limit: int
) -> tuple[CompletionResponse | None, CallFailed | None]:
    """Send the question and write it to the ledger. Return the response or the failure, stored if it is a fault."""
    request = question.request
    demand = QuotaDemand(request.input_tokens, limit)
    usage = ledger.begin_call(CallFor(default_project().pk, "check", 0, question.page_parser), target, demand, "")
    began = time.monotonic()
    try:
        response = Client().send(target, replace(request, limit=limit), Call(call_limits()))
    except CallFailed as failed:
        if failed.sent_at is None:
            ledger.forget_call(usage)
        else:
            ledger.fail_call(usage, target, failed, seconds=time.monotonic() - began)
        if failed.failure in FAULT_FAILURES:
            deployment_faults.report(target, failed)
        return None, failed
    counted, is_suspect = plausible_usage(
        response.usage, estimated_input_tokens=request.input_tokens, visible_characters=len(response.text)
    )
    ledger.end_call(usage, target, counted, seconds=time.monotonic() - began, usage_suspect=is_suspect)
    return response, None


def _known_state(row: Deployment) -> list[str]:
    """Describe its faults, a hold-off and an open circuit breaker."""
    found = [
        f"{each.trouble_code} since {each.trouble_at:%Y-%m-%d %H:%M}: {each.trouble_detail}"
        for each in (row, row.provider)
        if each.trouble_at is not None
    ]
    learnt = Learnt.of(row.learnt).in_words()
    found += [learnt] if learnt else []
    try:
        [state] = configured_quota_store().state([deployment_quota_key(row.pk)])
    except QuotaStoreUnavailable:
        return [*found, "the quota store does not answer"]
    if state.not_before is not None and state.not_before > time.time():
        found.append(f"held off for {state.not_before - time.time():.0f} s more, as the provider requested")
    if state.breaker != "closed":
        found.append(f"its circuit breaker is {state.breaker} after {state.failures} failures")
    return found
