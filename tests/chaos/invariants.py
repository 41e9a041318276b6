"""The invariants I1 to I10, which must hold after every fault. A check returns sentences about what does not hold."""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.acceptance.running_service import RunningService

ENDED_JOBS = ("succeeded", "partial", "failed", "cancelled")
ENDED_PAGES = ("succeeded", "failed", "cancelled")
# Prints the hash of every original as the service's storage returns it.
HASHES = """
import hashlib, json
from apps.documents import storage
from apps.documents.models import Document
ids = Document.objects.values_list("pk", flat=True)
print(json.dumps({pk: hashlib.sha256(storage.read(storage.original(pk))).hexdigest() for pk in ids}))
"""


@dataclass
class Accepted:
    """What the service has accepted: ``jobs`` maps the id of a job to the name of its output, and ``calm`` the name to
    the fingerprint of a calm run.

    ``same``: jobs whose output was compared before. ``answers``: status and type of every HTTP answer. ``secrets``:
    strings that must not be in any log. ``reported``: violations that a check has returned before.
    """

    jobs: dict[str, str] = field(default_factory=dict)
    calm: dict[str, str] = field(default_factory=dict)
    same: set[str] = field(default_factory=set)
    answers: Counter[tuple[int, str]] = field(default_factory=Counter)
    secrets: set[str] = field(default_factory=set)
    reported: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class FaultVerdict:
    """``lost``: accepted jobs without their result. ``doubled``: pages accepted twice, jobs created twice."""

    lost: int
    doubled: int
    violations: list[str]


def fingerprint(result: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(result, sort_keys=True).encode()).hexdigest()


def check(service: RunningService, accepted: Accepted) -> FaultVerdict:
    """Check what the database, the storage, the API and the logs of a service say about the accepted jobs."""

    def news(*checks: Iterable[str]) -> list[str]:
        found = [violation for check in checks for violation in check if violation not in accepted.reported]
        accepted.reported.update(found)
        return found

    unfinished = news(_open_jobs(service, accepted))
    different = [] if unfinished else news(_different_outputs(service, accepted))
    doubled = news(_pages_accepted_twice(service), _unknown_jobs(service, accepted))
    others = news(
        _wrong_pages(service, accepted),
        _damaged_originals(service),
        _originals_without_a_row(service),
        _too_many_starts(service),
        _idle_transactions(service),
        _unclear_answers(accepted),
        _secrets_in_logs(service, accepted),
    )
    violations = [*unfinished, *different, *doubled, *others]
    return FaultVerdict(len(unfinished) + len(different), len(doubled), violations)


def _open_jobs(service: RunningService, accepted: Accepted) -> Iterator[str]:
    states = dict(service.rows("SELECT id, state FROM jobs_parsejob"))
    for job_id in accepted.jobs:
        if states.get(job_id) not in ENDED_JOBS:
            yield f"I1: {job_id} was accepted and is {states.get(job_id, 'gone')}"


def _wrong_pages(service: RunningService, accepted: Accepted) -> Iterator[str]:
    rows = service.rows(
        "SELECT jobs_parsejob.id, jobs_parsejob.page_count, jobs_jobpage.state, count(*) FROM jobs_parsejob"
        " JOIN jobs_jobpage ON jobs_jobpage.job_id = jobs_parsejob.id GROUP BY 1, 2, 3"
    )
    pages: Counter[str] = Counter()
    for job_id, _, state, count in rows:
        pages[job_id] += count
        if state not in ENDED_PAGES and job_id in accepted.jobs:
            yield f"I2: {count} pages of {job_id} are {state}"
    for job_id, wanted in {(row[0], row[1]) for row in rows}:
        if pages[job_id] != wanted:
            yield f"I2: {job_id} has {pages[job_id]} page rows and {wanted} pages"


def _pages_accepted_twice(service: RunningService) -> Iterator[str]:
    """A page is accepted once in each stage; a short document in the stage that splits it."""
    ranges = service.rows(
        "SELECT job_id, stage, first_page, last_page FROM jobs_pageattempt WHERE outcome='accepted' AND first_page > 0"
    )
    accepted = Counter((job, stage, page) for job, stage, first, last in ranges for page in range(first, last + 1))
    for (job, stage, page), times in accepted.items():
        if times > 1:
            yield f"I2: page {page} of {job} was accepted {times} times in the stage {stage}"
    whole = service.rows(
        "SELECT job_id, stage, count(*) FROM jobs_pageattempt WHERE outcome='accepted' AND first_page = 0"
        " AND stage IN ('split', 'assemble') GROUP BY 1, 2 HAVING count(*) > 1"
    )
    for job, stage, times in whole:
        yield f"I2: the stage {stage} of {job} was accepted {times} times"


def _unknown_jobs(service: RunningService, accepted: Accepted) -> Iterator[str]:
    for (job_id,) in service.rows("SELECT id FROM jobs_parsejob"):
        if job_id not in accepted.jobs:
            yield f"{job_id} exists, and no request was answered with it"


def _damaged_originals(service: RunningService) -> Iterator[str]:
    folder = service.folder / "storage"
    documents = dict(service.rows("SELECT id, sha256 FROM documents_document"))
    elsewhere = json.loads(service.run_python(HASHES)) if "STORAGE_URL" in service.environment else {}
    for document_id, sha256 in documents.items():
        path = folder / "documents" / document_id[:6] / document_id / "original"
        stored = hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else "missing"
        stored = elsewhere.get(document_id, stored)
        if stored != sha256:
            yield f"I3: the original of {document_id} is {stored}, not {sha256}"


def _originals_without_a_row(service: RunningService) -> Iterator[str]:
    """Bytes of an upload that was not accepted are recorded, so that housekeeping removes them."""
    known = {row[0] for row in service.rows("SELECT id FROM documents_document")}
    recorded = {row[0].rpartition("/")[2] for row in service.rows("SELECT key FROM documents_removal")}
    for path in (service.folder / "storage" / "documents").glob("*/*"):
        if path.name not in known | recorded:
            yield f"I3: the bytes of {path.name} have no row and would stay for ever"


def _different_outputs(service: RunningService, accepted: Accepted) -> Iterator[str]:
    cancelled = {row[0] for row in service.rows("SELECT id FROM jobs_parsejob WHERE state = 'cancelled'")}
    for job_id, name in accepted.jobs.items():
        if job_id in accepted.same | cancelled:
            continue
        status = service.job(job_id)["job"]
        if status["status"] != "COMPLETED":
            yield f"I4: {job_id} ({name}) is {status['status']}: {status.get('error_message')}"
        elif fingerprint(service.result(job_id)) != accepted.calm[name]:
            yield f"I4: the output of {job_id} ({name}) differs from that of the calm run"
        else:
            accepted.same.add(job_id)


def _too_many_starts(service: RunningService) -> Iterator[str]:
    limit = int(service.settings.get("CHAOS_MAX_STARTS", "3"))
    for step, starts in service.rows(f"SELECT id, starts FROM jobs_step WHERE starts > {limit}"):
        yield f"I10: step {step} was started {starts} times"


def _idle_transactions(service: RunningService) -> Iterator[str]:
    if service.environment.get("DATABASE_URL", "").startswith("postgres"):
        idle = (
            "SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in transaction%'"
            " AND state_change < now() - interval '5 seconds'"
        )
        if count := service.number(idle):
            yield f"I7: {count} sessions are idle in a transaction"


def _unclear_answers(accepted: Accepted) -> Iterator[str]:
    for (status, media_type), times in accepted.answers.items():
        if status >= 500 and not media_type.startswith("application/problem+json"):
            yield f"I8: {times} answers {status} have the type {media_type!r}"


def _secrets_in_logs(service: RunningService, accepted: Accepted) -> Iterator[str]:
    for log in service.folder.glob("*.log"):
        text = log.read_text(encoding="utf-8", errors="replace")
        for number, secret in enumerate(sorted(accepted.secrets)):
            if secret in text:
                yield f"I9: secret {number} is in {log.name}"


def quota_violations(service: RunningService, *, calls_at_provider: int, interrupted: int) -> list[str]:
    """I5: the ledger has the provider's calls, and none that is open or was not sent apart from the ``interrupted``.

    The row of a call stays open when its process is killed. ``interrupted``: how many calls the killed processes can
    have had in flight.
    """
    open_calls = service.number("SELECT count(*) FROM providers_usage WHERE outcome = 'running'")
    booked = service.number("SELECT count(*) FROM providers_usage")
    found = [f"I5: {open_calls} calls are still open in the ledger"] if open_calls > interrupted else []
    if not calls_at_provider <= booked <= calls_at_provider + interrupted:
        found.append(
            f"I5: the provider has seen {calls_at_provider} calls, the ledger has {booked};"
            f" at most {interrupted} were interrupted"
        )
    return found


def webhook_violations(service: RunningService, received: Iterable[str]) -> list[str]:
    """I6: the receiver saw every event, and no unknown one. ``received``: the webhook-id of each request."""
    rows = service.rows("SELECT id, state FROM webhooks_webhookdelivery")
    states = {str(key).replace("-", ""): state for key, state in rows}  # SQLite stores a UUID without hyphens
    seen = {key.replace("-", "") for key in received}
    missed = [key for key, state in states.items() if key not in seen]
    return [f"I6: event {key} ({states[key]}) was not received" for key in missed] + [
        f"I6: event {key} was received and is not known" for key in seen - states.keys()
    ]


def leftover_processes(folder: Path) -> list[str]:
    """I7: return processes whose environment names the service's folder. Call it after the service was stopped."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                environment = (entry / "environ").read_bytes()
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
            except OSError:
                continue
            if f"LEAFMILL_DATA={folder}\0".encode() in environment:
                found.append(f"I7: process {entry.name} still runs: {command[:100]}")
    return found
