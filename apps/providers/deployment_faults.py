"""Deployment faults: failures that waiting does not fix, such as a wrong key, an unknown model or unpaid bills.

A failure of single requests becomes a fault when every call ends with it. A fault is stored in the row (columns
``trouble_*``) of the deployment or of its provider, with what to do about it. Until it is cleared, no process calls the
deployment, except for one call per ``catalog.PROBE_SECONDS`` that notices a fix at the provider.
"""

from __future__ import annotations

import logging
import re
from dataclasses import replace
from typing import Any

from django.db.models import Q
from django.db.models.functions import Now

from apps.core.database_connections import borrowed_connection
from apps.providers.calls.failures import AN_HTML_PAGE
from apps.providers.catalog import Target
from apps.providers.errors import FAULT_FAILURES, NO_TOKEN, CallFailed, Failure
from apps.providers.models import CallOutcome, Deployment, Provider, Usage

logger = logging.getLogger(__name__)

REPEATED = 5
"""After so many calls in a row with the same failure it is one of the deployment, and not of a page."""
_REMEDIES = {
    Failure.AUTH: "Check the key, and that it may use this model",
    Failure.MODEL_NOT_FOUND: "Check `model` (at Azure it is the deployment's name) and the region",
    Failure.NO_MONEY: "Add credit or raise the spending limit at the provider",
    Failure.MISCONFIGURED: "Check `base_url`, and whether a proxy is needed (`proxy`) or blocks the address",
    Failure.BAD_REQUEST: (
        "Every request is rejected. Check `parameters` and `thinking`, name the model behind a name of your own with "
        "`base_model`, and see whether the model accepts pictures"
    ),
}
_PROFILE = re.compile(r"on-demand throughput", re.I)
_PROFILE_REMEDY = "Set `model` to the ID of an inference profile, such as eu.anthropic.claude-sonnet-4-5-20250929-v1:0"
_IDENTITY_REMEDY = (
    "Check the identity: its names in `settings`, its secret, certificate, key file or token file, that it exists "
    "where workers run, and that it may use this model"
)
NO_FAULT: dict[str, Any] = {"trouble_code": "", "trouble_detail": "", "trouble_at": None}


def fault_of(target: Target, failed: CallFailed) -> CallFailed | None:
    """Return the failure as a fault of the deployment or its provider; None if it can be one of the page."""
    if failed.failure in FAULT_FAILURES:
        return failed
    is_page = failed.failure is Failure.BAD_RESPONSE and failed.facts.detail.endswith(AN_HTML_PAGE)
    if failed.failure is not Failure.BAD_REQUEST and not is_page:
        return None
    with borrowed_connection():
        calls = Usage.objects.filter(deployment_id=target.id, started_at__gte=target.row.updated_at)
        ended = calls.exclude(outcome=CallOutcome.RUNNING).order_by("-started_at")
        codes = list(ended.values_list("error_code", flat=True)[:REPEATED])
    if codes != [failed.failure] * REPEATED:
        return None
    remedy = _REMEDIES[Failure.MISCONFIGURED if is_page else failed.failure]
    facts = replace(failed.facts, detail=f"{failed.facts.detail}. {remedy}")
    return CallFailed(Failure.MISCONFIGURED, facts, sent_at=failed.sent_at)


def report(target: Target, failed: CallFailed) -> None:
    """Store the fault and its remedy: with the deployment if its requests are wrong, otherwise with its provider."""
    detail = failed.facts.detail
    remedy = _PROFILE_REMEDY if _PROFILE.search(detail) else _REMEDIES[failed.failure]
    remedy = _IDENTITY_REMEDY if detail.startswith(NO_TOKEN) else remedy
    if not any(each in detail for each in _REMEDIES.values()):
        detail = f"{detail.rstrip('.')}. {remedy}"
    for name, secret in target.secrets.items():  # some providers repeat the key that they refuse
        detail = detail.replace(secret, f"({name})") if secret else detail
    fault = {"trouble_code": failed.failure, "trouble_detail": detail, "trouble_at": Now()}
    with borrowed_connection():
        is_of_requests = failed.failure is Failure.MODEL_NOT_FOUND or _REMEDIES[Failure.BAD_REQUEST] in detail
        if is_of_requests:
            Deployment.objects.filter(pk=target.id).update(**fault)
        else:
            Provider.objects.filter(deployments=target.id).update(**fault)
    logger.error(
        "%s is not called until its fault is fixed (%s: %s). Details: manage.py check_providers",
        target.name,
        failed.failure,
        detail,
    )


def clear(target: Target) -> None:
    """Remove the faults of a deployment that answers again."""
    with borrowed_connection():
        Deployment.objects.filter(~Q(trouble_code=""), pk=target.id).update(**NO_FAULT)
        Provider.objects.filter(~Q(trouble_code=""), deployments=target.id).update(**NO_FAULT)
