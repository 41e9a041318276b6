"""Checks that work proceeds: every queue has a live worker, and none is paused."""

from __future__ import annotations

import shlex

from django.conf import settings
from django.db import DatabaseError

from apps.core import logs
from apps.doctor.checks.database import NO_DATABASE, refuse_missing_database
from apps.doctor.checks.servers import reachable
from apps.doctor.finding import Finding, failed, manage, not_checked, ok, python, warning
from apps.jobs import queries, workflow
from apps.jobs.queries import WorkersOfQueue
from apps.jobs.scheduling.workers import ocr_queue
from apps.jobs.stages.convert import has_converter
from apps.providers.models import Deployment

NOT_REPORTED = f"has reported in the last {queries.WORKER_TIMEOUT.total_seconds():.0f} s"


def workers() -> list[Finding]:
    """Check that every queue has a live worker, by the heartbeats in the database."""
    ocr_name = "worker for OCR"
    names = {queue: f"worker of {queue}" for queue in settings.QUEUES if queue not in workflow.OCR_QUEUES}
    try:
        refuse_missing_database()
        live, wanted_ocr = queries.live_workers(), ocr_queue()
        deployments = list(Deployment.objects.values_list("serves_llm", "serves_lvm", "serves_agent"))
    except DatabaseError:
        return [not_checked(name, NO_DATABASE) for name in [*names.values(), ocr_name]]
    served = {name for row in deployments for name, serves in zip(("llm", "lvm", "agent"), row, strict=True) if serves}

    findings = []
    for queue, name in names.items():
        if queue in live:
            findings.append(ok(name, _consumers(live[queue])))
        elif settings.QUEUES[queue].page_parser and queue not in served:
            findings.append(ok(name, "There is none and none is needed: no deployment serves this queue."))
        elif queue == workflow.CONVERT_QUEUE and not has_converter():
            findings.append(ok(name, "There is none, so documents of older programs are refused."))
        else:
            findings.append(
                failed(name, f"No worker {NOT_REPORTED}: work in this queue waits.", manage(f"work {queue}"))
            )
    if wanted_ocr in live:
        return [*findings, ok(ocr_name, f"{wanted_ocr}: {_consumers(live[wanted_ocr])}")]
    sentence = f"No worker of {wanted_ocr} {NOT_REPORTED}: scanned pages wait."
    url = logs.without_secrets(reachable(settings.CELERY_BROKER_URL))
    password = f"   ({logs.HIDDEN} is the password)" if logs.HIDDEN in url else ""
    mend = f"CELERY_BROKER_URL={shlex.quote(url)} {python()} -m ocr_worker {wanted_ocr}{password}"
    return [*findings, failed(ocr_name, sentence, mend)]


def _consumers(found: WorkersOfQueue) -> str:
    consumers = "1 worker consumes" if found.workers == 1 else f"{found.workers} workers consume"
    return f"{consumers} it, {found.width} messages at once."


def paused() -> Finding | list[Finding]:
    """Report paused queues: their work waits although the workers are healthy."""
    name = "paused"
    try:
        refuse_missing_database()
        found = [warning(name, f"{pause.describe()}.", manage(f"resume {pause.name}")) for pause in queries.pauses()]
    except DatabaseError:
        return not_checked(name, NO_DATABASE)
    return found or ok(name, "Nothing is paused.")
