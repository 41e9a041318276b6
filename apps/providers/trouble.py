"""Deployments that waiting does not mend: a wrong key, an unknown model, an account without money.

The row says so until somebody mends it, and every process leaves the deployment alone. Once in ``PROBE_SECONDS`` one
call is let through, so that what was mended at the provider's is noticed here.
"""

from __future__ import annotations

import logging
from typing import Any

from django.db.models import Q
from django.db.models.functions import Now

from apps.core.database_connections import borrowed_connection
from apps.providers.catalog import PROBE_SECONDS, Target
from apps.providers.errors import CallFailed, Failure
from apps.providers.models import Deployment, Provider

logger = logging.getLogger(__name__)

__all__ = ["NO_TROUBLE", "PROBE_SECONDS", "clear", "report"]

NO_TROUBLE: dict[str, Any] = {"trouble_code": "", "trouble_detail": "", "trouble_at": None}


def report(target: Target, failed: CallFailed) -> None:
    """Write down what is wrong, with the deployment or with its provider as a whole."""
    detail = _without_secrets(failed.facts.detail, target)
    facts = {"trouble_code": failed.failure, "trouble_detail": detail, "trouble_at": Now()}
    with borrowed_connection():
        if failed.failure is Failure.MODEL_NOT_FOUND:
            Deployment.objects.filter(pk=target.id).update(**facts)
        else:
            Provider.objects.filter(deployments=target.id).update(**facts)
    told = f"{failed.failure}: {detail}"
    logger.error("%s is not called until it is mended: %s. manage.py check_providers tells more", target.name, told)


def clear(target: Target) -> None:
    """The deployment answers again."""
    with borrowed_connection():
        Deployment.objects.filter(~Q(trouble_code=""), pk=target.id).update(**NO_TROUBLE)
        Provider.objects.filter(~Q(trouble_code=""), deployments=target.id).update(**NO_TROUBLE)


def _without_secrets(detail: str, target: Target) -> str:
    """Some providers repeat the key that they refuse."""
    for name, secret in target.secrets.items():
        detail = detail.replace(secret, f"({name})") if secret else detail
    return detail
