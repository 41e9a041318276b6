"""Deployment faults: failures that waiting does not fix, such as a wrong key, an unknown model or unpaid bills.

A fault is stored in the row (columns ``trouble_*``) of the deployment or of its provider. Until it is cleared, no
process calls the deployment, except for one call per ``catalog.PROBE_SECONDS`` that notices a fix at the provider.
"""

from __future__ import annotations

import logging
from typing import Any

from django.db.models import Q
from django.db.models.functions import Now

from apps.core.database_connections import borrowed_connection
from apps.providers.catalog import Target
from apps.providers.errors import CallFailed, Failure
from apps.providers.models import Deployment, Provider

logger = logging.getLogger(__name__)

NO_FAULT: dict[str, Any] = {"trouble_code": "", "trouble_detail": "", "trouble_at": None}


def report(target: Target, failed: CallFailed) -> None:
    """Store the fault with the deployment if the model is unknown, otherwise with its provider."""
    detail = failed.facts.detail
    for name, secret in target.secrets.items():  # some providers repeat the key that they refuse
        detail = detail.replace(secret, f"({name})") if secret else detail
    fault = {"trouble_code": failed.failure, "trouble_detail": detail, "trouble_at": Now()}
    with borrowed_connection():
        if failed.failure is Failure.MODEL_NOT_FOUND:
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
