"""Is everything there that the service needs? A finding for each part, with the command that mends it.

Every part is looked at in a thread of its own and for so long: one that hangs or breaks is told as failed and hides
nothing. Nothing is changed; to ask providers costs a call, so it is done only when asked for.
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
    """Look at every part, all at once; takes as long as the slowest, which has ``CHECK_SECONDS``, or longer where
    providers are asked."""
    import_module(settings.CELERY_APP)  # imports are not to be timed
    checks = [*_looks(shared_parts.PARTS), *_looks(machine.PARTS)]
    seconds = PROVIDER_SECONDS if ask_providers else CHECK_SECONDS
    checks.append(_TimedCheck("providers", lambda: _providers(call=ask_providers, seconds=seconds), seconds + 0.5))
    return [finding for look in checks for finding in look.findings()]


def is_well(findings: Sequence[Finding]) -> bool:
    """Whether nothing failed; a warning is no failure."""
    return all(finding.state is not State.FAILED for finding in findings)


def summary(findings: Sequence[Finding]) -> str:
    counts = [(state, sum(finding.state is state for finding in findings)) for state in State]
    return ", ".join(f"{count} {state}" for state, count in counts if count) + "."


def _looks(parts: Sequence[tuple[str, Check]]) -> list[_TimedCheck]:
    return [_TimedCheck(name, check, CHECK_SECONDS) for name, check in parts]


def _providers(*, call: bool, seconds: float) -> list[Finding]:
    """Each deployment by itself: one that does not answer does not hide the others."""
    checks = [_TimedCheck("deployment", check, seconds) for check in machine.providers(call=call)]
    return [finding for look in checks for finding in look.findings()]


def _look_again() -> str:
    return manage("doctor")


class _TimedCheck:
    """A check in a thread of its own, begun at once. A thread that hangs is left behind and ends with the process."""

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
        except Exception as error:  # what was not thought of is told, too
            logger.exception("The look at %s failed", self._name)
            told = f"The look at it failed: {type(error).__name__}: {error}"
            self._found = [failed(self._name, told, _look_again())]
        finally:
            connection.close()
