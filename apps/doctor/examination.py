"""Check all parts that the service needs. Each part gets a finding with the command that repairs it.

Each check runs in its own thread with a time limit, so that a part that hangs or breaks is reported as failed and hides
no other part. Nothing is changed. Providers are called only on request, because each call costs money.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from importlib import import_module

from django.conf import settings
from django.db import connection

from apps.doctor import machine, shared_parts
from apps.doctor.finding import Finding, State, failed, manage

logger = logging.getLogger(__name__)

CHECK_SECONDS = 2.0
PROVIDER_SECONDS = 30.0
Check = Callable[[], Finding | list[Finding]]


def examine(*, ask_providers: bool = False) -> list[Finding]:
    """Run all checks at once and return their findings.

    It takes as long as the slowest check: at most ``CHECK_SECONDS``, or ``PROVIDER_SECONDS`` with providers.
    """
    import_module(settings.CELERY_APP)  # so that the time limit does not include imports
    checks = [*_looks(shared_parts.PARTS), *_looks(machine.PARTS)]
    seconds = PROVIDER_SECONDS if ask_providers else CHECK_SECONDS
    checks.append(_TimedCheck("providers", lambda: _providers(call=ask_providers, seconds=seconds), seconds + 0.5))
    return [finding for look in checks for finding in look.findings()]


def is_well(findings: Sequence[Finding]) -> bool:
    """Return whether no check failed; a warning is not a failure."""
    return all(finding.state is not State.FAILED for finding in findings)


def summary(findings: Sequence[Finding]) -> str:
    counts = [(state, sum(finding.state is state for finding in findings)) for state in State]
    return ", ".join(f"{count} {state}" for state, count in counts if count) + "."


def _looks(parts: Sequence[tuple[str, Check]]) -> list[_TimedCheck]:
    return [_TimedCheck(name, check, CHECK_SECONDS) for name, check in parts]


def _providers(*, call: bool, seconds: float) -> list[Finding]:
    """Check each deployment in its own thread: one that hangs does not hide the others."""
    checks = [_TimedCheck("deployment", check, seconds) for check in machine.providers(call=call)]
    return [finding for look in checks for finding in look.findings()]


def _look_again() -> str:
    return manage("doctor")


class _TimedCheck:
    """A check in its own daemon thread, started at once. A thread that hangs ends with the process."""

    def __init__(self, name: str, check: Check, seconds: float) -> None:
        self._name = name
        self._check = check
        self._seconds = seconds
        self._found: list[Finding] | None = None
        self._until = time.monotonic() + seconds
        self._thread = threading.Thread(target=self._run, name=f"doctor: {name}", daemon=True)
        self._thread.start()

    def findings(self) -> list[Finding]:
        self._thread.join(max(0.0, self._until - time.monotonic()))
        if self._found is None:
            mend = shared_parts.MENDS.get(self._name, _look_again)
            return [failed(self._name, f"It did not answer within {self._seconds:g} s.", mend())]
        return self._found

    def _run(self) -> None:
        try:
            found = self._check()
            self._found = found if isinstance(found, list) else [found]
        except Exception as error:  # an unexpected error is a finding too
            logger.exception("The look at %s failed", self._name)
            told = f"The look at it failed: {type(error).__name__}: {error}"
            self._found = [failed(self._name, told, _look_again())]
        finally:
            connection.close()
