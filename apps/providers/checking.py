"""Does a deployment work? What its rows and the shared store say of it, and one small call to find out."""

from __future__ import annotations

import time
from dataclasses import dataclass

from apps.accounts.services import default_project
from apps.core import sealed_secrets
from apps.providers import ledger, trouble
from apps.providers.calls.client import Client, CompletionRequest
from apps.providers.calls.families import problems_of
from apps.providers.calls.shared_gateway import call_limits, shared_store
from apps.providers.catalog import ProviderRules, Target, deployment_quota_key, target_of, unsealed
from apps.providers.errors import MISCONFIGURED, CallFailed
from apps.providers.ledger import CallFor
from apps.providers.models import Deployment
from apps.providers.quota.store import QuotaDemand, QuotaStoreUnavailable
from apps.providers.services import call_again

QUESTION = CompletionRequest([{"role": "user", "content": "Answer with OK."}], max_tokens=16)
_INPUT_TOKENS = 16


@dataclass(frozen=True)
class Checked:
    """One deployment: whether it works, and what there is to say. ``works`` None: nobody asked it."""

    name: str
    provider: str
    works: bool | None
    detail: str
    seconds: float | None = None


def check_deployment(row: Deployment, *, call: bool = True) -> Checked:
    """Look at a deployment and, unless ``call`` is False or it is paused, ask it a small question.

    The call is in the ledger like any other. A good answer ends a trouble, one that waiting does not mend is noted.
    """
    try:
        problems = problems_of(row.provider.family, row.provider.settings, unsealed(row.provider.secrets_sealed))
    except sealed_secrets.BrokenSeal:
        problems = ["the secrets cannot be read: SECRET_KEY changed since they were loaded. Load them again"]
    if problems:
        return _checked(row, works=False, detail="; ".join(problems))
    said = _said(row)
    if row.paused or row.provider.paused:
        return _checked(row, works=None, detail=f"paused{said}")
    target = target_of(row)
    refusal = ProviderRules().refusal(target)
    if refusal:
        return _checked(row, works=None, detail=f"not asked: {refusal}")
    if not call:
        in_trouble = bool(row.trouble_code or row.provider.trouble_code)
        return _checked(row, works=False if in_trouble else None, detail=said.removeprefix("; ") or "not asked")
    return _ask(row, target)


def _ask(row: Deployment, target: Target) -> Checked:
    client = Client(connections=1, limits=call_limits())
    booked = ledger.begin_call(
        CallFor(default_project().pk, "check", 0, "llm"), target, QuotaDemand(_INPUT_TOKENS, QUESTION.max_tokens), ""
    )
    began = time.monotonic()
    try:
        answer, _call = client.ask(lambda: target, QUESTION)
    except CallFailed as failed:
        seconds = time.monotonic() - began
        if failed.sent_at is None:
            ledger.forget_call(booked)
        else:
            ledger.fail_call(booked, failed, seconds=seconds)
        if failed.failure in MISCONFIGURED:
            trouble.report(target, failed)
        return _checked(row, works=False, detail=str(failed), seconds=seconds)
    seconds = time.monotonic() - began
    ledger.end_call(
        booked,
        target,
        input_tokens=answer.input_tokens or _INPUT_TOKENS,
        output_tokens=answer.output_tokens or 1,
        seconds=seconds,
    )
    _call_again(row)
    return _checked(row, works=True, detail="answers" + _said(Deployment.objects.get(pk=row.pk)), seconds=seconds)


def _call_again(row: Deployment) -> None:
    """It answers: nothing keeps it from being called any more."""
    for each in (row, row.provider):
        call_again(row=each)


def _checked(row: Deployment, *, works: bool | None, detail: str, seconds: float | None = None) -> Checked:
    return Checked(row.name, row.provider.name, works, detail, seconds)


def _said(row: Deployment) -> str:
    """What is known of it: trouble, how long it is left alone, its breaker."""
    told = [
        f"{each.trouble_code} since {each.trouble_at:%Y-%m-%d %H:%M}: {each.trouble_detail}"
        for each in (row, row.provider)
        if each.trouble_at is not None
    ]
    try:
        [state] = shared_store().state([deployment_quota_key(row.pk)])
    except QuotaStoreUnavailable:
        return "; ".join(["", *told, "the quota store does not answer"])
    if state.not_before is not None and state.not_before > time.time():
        told.append(f"left alone for {state.not_before - time.time():.0f} s more, as the provider asked")
    if state.breaker != "closed":
        told.append(f"its breaker is {state.breaker} after {state.failures} failures")
    return "; ".join(["", *told])
