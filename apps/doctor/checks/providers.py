"""Checks of the model deployments."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from django.db import DatabaseError

from apps.doctor.checks.database import NO_DATABASE, refuse_missing_database
from apps.doctor.finding import Finding, failed, manage, not_checked, ok
from apps.providers.checking import check_deployment
from apps.providers.models import Deployment


def providers(*, call: bool) -> list[Callable[[], Finding]]:
    """Return a check for each deployment; with ``call`` it sends a small request, which costs money."""
    try:
        refuse_missing_database()
        rows = list(Deployment.objects.select_related("provider").order_by("order", "pk"))
    except DatabaseError:
        return [lambda: not_checked("providers", NO_DATABASE)]
    if not rows:
        load = manage("load_providers FILE")
        return [lambda: ok("providers", f"No deployment is loaded, so only fast mode works. To load some: {load}")]
    return [partial(deployment, row, call=call) for row in rows]


def deployment(row: Deployment, *, call: bool) -> Finding:
    checked = check_deployment(row, call=call)
    name, detail = f"deployment {row.name}", checked.detail[:1].upper() + checked.detail[1:].rstrip(".") + "."
    price = "" if row.has_price else " Its price is not set: its cost is unknown, and max_cost cannot be enforced."
    if checked.works is None:
        hint = "" if call else " --providers sends it a small request."
        return not_checked(name, detail + hint + price)
    if not checked.works:
        return failed(name, detail, manage("check_providers"))
    seconds = f" ({checked.seconds:.1f} s)" if checked.seconds is not None else ""
    return ok(name, f"It answers{seconds}.{price}")
