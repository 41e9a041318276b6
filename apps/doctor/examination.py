"""Check all parts that the service needs. Each part gets a finding with the command that repairs it.

Each check runs in its own thread with a time limit, so that a part that hangs or breaks is reported as failed and hides
no other part. Nothing is changed. Providers are called only on request, because each call costs money.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module

from django.conf import settings
from django.db import connection

from apps.doctor.checks import clocks, database, machine, providers, secrets, servers, storage, workers
from apps.doctor.finding import Finding, State, failed, manage

logger = logging.getLogger(__name__)

CHECK_SECONDS = 2.0
READER_START_SECONDS = 20.0
PROVIDER_SECONDS = 30.0


def run_doctor_again() -> str:
    return manage("doctor")


@dataclass(frozen=True)
class Part:
    """A part of the service with its check. ``repair`` returns the repair if the check exceeds its time limit."""

    name: str
    check: Callable[[], Finding | list[Finding]]
    repair: Callable[[], str] = run_doctor_again
    seconds: float = CHECK_SECONDS


PARTS = (
    Part("database", database.database, database.repair_database),
    Part("migrations", database.migrations),
    Part("broker", servers.broker, servers.repair_broker),
    Part("quota store", servers.quota_store, servers.repair_quota_store),
    Part("workers", workers.workers),
    Part("clock of the database", clocks.database_clock),
    Part("clock of the quota store", clocks.quota_clock),
    Part("storage", storage.file_storage),
    Part("retention", storage.retention),
    Part("paused", workers.paused),
    Part("traces", servers.traces),
    Part("PDF library", machine.pdf_library),
    Part("confinement", machine.confinement, seconds=READER_START_SECONDS),
    Part("Tesseract", machine.tesseract),
    Part("converter", machine.converter),
    Part("GPU", machine.gpu),
    Part("disk", storage.disk),
    Part("SECRET_KEY", machine.secret_key),
    Part("stored secrets", secrets.sealed),
    Part("Flower's password", machine.flower_password),
    Part("user", machine.user),
)


def examine(*, call_providers: bool = False) -> list[Finding]:
    """Run all checks at once and return their findings.

    It takes as long as the slowest check: at most ``CHECK_SECONDS``, or ``PROVIDER_SECONDS`` with providers.
    """
    import_module(settings.CELERY_APP)  # so that the time limit does not include imports
    seconds = PROVIDER_SECONDS if call_providers else CHECK_SECONDS

    def check_deployments() -> list[Finding]:
        """Check each deployment in its own thread: one that hangs does not hide the others."""
        checks = [TimedCheck(Part("deployment", check), seconds) for check in providers.providers(call=call_providers)]
        return [finding for check in checks for finding in check.findings()]

    checks = [TimedCheck(part, part.seconds) for part in PARTS]
    checks.append(TimedCheck(Part("providers", check_deployments), seconds + 0.5))
    return [finding for check in checks for finding in check.findings()]


def is_healthy(findings: Sequence[Finding]) -> bool:
    """Return whether no check failed; a warning is not a failure."""
    return all(finding.state is not State.FAILED for finding in findings)


def summary(findings: Sequence[Finding]) -> str:
    counts = [(state, sum(finding.state is state for finding in findings)) for state in State]
    return ", ".join(f"{count} {state}" for state, count in counts if count) + "."


class TimedCheck:
    """A check that runs in its own daemon thread, started at once. A thread that hangs ends with the process."""

    def __init__(self, part: Part, seconds: float) -> None:
        self._part = part
        self._seconds = seconds
        self._found: list[Finding] | None = None
        self._deadline = time.monotonic() + seconds
        self._thread = threading.Thread(target=self._run, name=f"doctor: {part.name}", daemon=True)
        self._thread.start()

    def findings(self) -> list[Finding]:
        """Wait for the check until its time limit and return what it found."""
        self._thread.join(max(0.0, self._deadline - time.monotonic()))
        if self._found is None:
            return [failed(self._part.name, f"It did not answer within {self._seconds:g} s.", self._part.repair())]
        return self._found

    def _run(self) -> None:
        try:
            found = self._part.check()
            self._found = found if isinstance(found, list) else [found]
        except Exception as error:  # an unexpected error is a finding too
            logger.exception("The check of %s failed", self._part.name)
            sentence = f"The check failed: {type(error).__name__}: {error}"
            self._found = [failed(self._part.name, sentence, run_doctor_again())]
        finally:
            connection.close()
