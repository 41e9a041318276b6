"""Check whether a deployment works, by its rows, the quota store and its answer to a page of text."""

from __future__ import annotations

import re
import time
from collections import Counter
from dataclasses import dataclass, replace
from functools import partial

from apps.accounts.services import default_project
from apps.core import sealed_secrets
from apps.providers import deployment_faults, ledger
from apps.providers.administration import clear_fault_or_warn, refresh_listed_prices
from apps.providers.calls.client import Client, CompletionRequest, CompletionResponse
from apps.providers.calls.connection import Call
from apps.providers.calls.learning import cut_off, raised_limit, taught
from apps.providers.calls.process_gateway import call_limits, configured_quota_store
from apps.providers.calls.usage import plausible_usage
from apps.providers.catalog import ProviderRules, Target, deployment_quota_key, target_of, unsealed
from apps.providers.errors import FAULT_FAILURES, CallFailed, Failure, FailureFacts
from apps.providers.learnt import Learnt, learn_thinking
from apps.providers.ledger import CallFor
from apps.providers.model_facts.dialects import dialect_problems
from apps.providers.models import Deployment
from apps.providers.quota.store import QuotaDemand, QuotaStoreUnavailable
from apps.providers.requests.families import parameter_problems, problems_of
from apps.providers.requests.request_parameters import max_output_tokens, output_limit

_MARK = "c4e1"
_END = f"<!-- end {_MARK} -->"
_PAGE = "\n".join(
    [
        "Delivery note 20417",
        "Mill Lane Paper Works, delivered on 3 November 2026 to the printers' guild.",
        *(f"Item {n}: {n * 7} reams of paper, {60 + n} g, shelf {n % 9 + 1}, {n * 12.35:.2f} euros" for n in range(61)),
        "The goods remain ours until they are paid. Complaints within eight days.",
    ]
)
TEST_REQUEST = CompletionRequest(
    [
        {
            "role": "user",
            "content": "Write the page below as Markdown. Keep every word and number. After it write this last line: "
            f'{_END}\n\n<document_page marker="{_MARK}">\n{_PAGE}\n</document_page marker="{_MARK}">\n',
        }
    ],
    max_tokens=6000,
    input_tokens=2200,
)
"""A question of the size of a page: thinking and limits that are too small show only there."""
_MIN_SHARE_OF_WORDS = 0.9
_MAX_CALLS = 4


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
    """Check a deployment, with a page of text unless ``call`` is False, it is paused or a rule excludes it.

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
    failed, answer = call_until_answered(target)
    seconds = time.monotonic() - began
    if failed is not None:
        return result(works=False, detail=str(failed), seconds=seconds)
    for each in (row, row.provider):
        clear_fault_or_warn(row=each)
    known = _known_state(Deployment.objects.get(pk=row.pk))
    return result(works=True, detail="; ".join([answer, *known]), seconds=seconds)


def call_until_answered(target: Target) -> tuple[CallFailed | None, str]:
    """Ask for the test page as the gateway asks for pages. Return the failure, if any, or what the answer was."""
    limit = output_limit(target, TEST_REQUEST.max_tokens)
    for _ in range(_MAX_CALLS):
        response, failed = call_once(target, limit)
        if failed is not None:
            better = taught(target, failed, limit=limit)
            if better is None:
                return failed, ""
            target, limit = better, min(limit, max_output_tokens(better))
            continue
        assert response is not None
        learn_thinking(target.id, target.learnt.thinking_tokens, response.thinking_tokens)
        problem = _problem_of(response, target)
        if not problem:
            return None, "answers" if target.dialect else "answers a page of text"
        facts = {"limit": limit, "thinking_tokens": response.thinking_tokens}
        more = raised_limit(target, answer_tokens=TEST_REQUEST.max_tokens, **facts) if response.is_cut else None
        if more is None:
            problem = cut_off(target, **facts) if response.is_cut else problem
            return CallFailed(Failure.BAD_RESPONSE, FailureFacts(problem)), ""
        limit = more
    return CallFailed(Failure.BAD_RESPONSE, FailureFacts(f"no whole answer after {_MAX_CALLS} calls")), ""


def call_once(target: Target, limit: int) -> tuple[CompletionResponse | None, CallFailed | None]:
    """Send ``TEST_REQUEST`` and write it to the ledger. Return the response or the failure, stored if it is a fault."""
    demand = QuotaDemand(TEST_REQUEST.input_tokens, limit)
    usage = ledger.begin_call(CallFor(default_project().pk, "check", 0, "llm"), target, demand, "")
    began = time.monotonic()
    try:
        response = Client().send(target, replace(TEST_REQUEST, limit=limit), Call(call_limits()))
    except CallFailed as failed:
        if failed.sent_at is None:
            ledger.forget_call(usage)
        else:
            ledger.fail_call(usage, target, failed, seconds=time.monotonic() - began)
        if failed.failure in FAULT_FAILURES:
            deployment_faults.report(target, failed)
        return None, failed
    counted, is_suspect = plausible_usage(
        response.usage, estimated_input_tokens=TEST_REQUEST.input_tokens, visible_characters=len(response.text)
    )
    ledger.end_call(usage, target, counted, seconds=time.monotonic() - began, usage_suspect=is_suspect)
    return response, None


def _problem_of(response: CompletionResponse, target: Target) -> str:
    """Return what is wrong with the answer to the test page; "" if it is the page."""
    if target.dialect:  # it reads pictures only, and has a form of its own
        return "" if response.text else "the answer is empty"
    wanted = Counter(re.findall(r"[\w.]+", _PAGE))
    found = Counter(re.findall(r"[\w.]+", response.text))
    share = (wanted & found).total() / wanted.total()
    if share < _MIN_SHARE_OF_WORDS:
        return f"the answer has only {share:.0%} of the words of a page of text: {response.text[:80]!r}"
    return "" if _END in response.text else "the answer lacks the last line that was asked for"


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
