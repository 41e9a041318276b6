"""Checks of the clocks of database and quota store against this machine's."""

from __future__ import annotations

import time
from collections.abc import Callable

from django.conf import settings
from django.db import DatabaseError, connection

from apps.doctor.checks.database import NO_DATABASE
from apps.doctor.checks.servers import reachable
from apps.doctor.finding import Finding, failed, not_checked, ok, warning
from apps.providers.quota.store import connect

SKEW_WARNING_SECONDS, SKEW_FAILED_SECONDS = 2.0, 30.0
SET_CLOCK = "sudo timedatectl set-ntp true"


def database_clock() -> Finding:
    name = "clock of the database"
    if connection.vendor == "sqlite":
        return ok(name, "The database is a file: its clock is this machine's.")

    def seconds() -> float:
        with connection.cursor() as cursor:
            cursor.execute("SELECT extract(epoch FROM clock_timestamp())")
            return float(cursor.fetchone()[0])

    try:
        return clock_finding(name, _skew(seconds))
    except DatabaseError:
        return not_checked(name, NO_DATABASE)


def quota_clock() -> Finding:
    name = "clock of the quota store"
    import redis

    def seconds() -> float:
        whole, micros = client.time()
        return float(whole) + float(micros) / 1e6

    try:
        with connect(reachable(settings.REDIS_URL)) as client:
            client.ping()  # so that the time does not include connecting
            return clock_finding(name, _skew(seconds))
    except (redis.RedisError, OSError):
        return not_checked(name, "The quota store does not answer.")


def _skew(read: Callable[[], float]) -> float:
    """Return the seconds by which the other clock is ahead of ours."""
    before = time.time()
    theirs = read()
    after = time.time()
    return theirs - (before + after) / 2


def clock_finding(name: str, skew: float) -> Finding:
    """``skew``: seconds by which the other clock is ahead of ours."""
    difference = f"{abs(skew):.1f} s {'ahead of' if skew > 0 else 'behind'} this machine's"
    if abs(skew) >= SKEW_FAILED_SECONDS:
        return failed(name, f"It is {difference}: signed links expire at the wrong time.", SET_CLOCK)
    if abs(skew) >= SKEW_WARNING_SECONDS:
        return warning(name, f"It is {difference}.", SET_CLOCK)
    return ok(name, "It agrees with this machine's.")
