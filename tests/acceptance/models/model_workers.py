"""Worker processes that call models, their deployments on fake providers, and the ledger of their calls.

All tests on one set of backends share the workers, because starting them takes most of such a test's time.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from tests.acceptance.running_service import SHORT_TIMES, Process, RunningService
from tests.fakes.provider import FakeProvider

MODEL_QUEUES = ("llm", "lvm", "agent")
PROCESSES = 2
WIDTH = 24
SETTINGS = {
    "LEASE_SECONDS": "5",  # outlasts a process that imports litellm while its threads compete for both cores
    "ACCURATE_MODE_LLM_CONCURRENCY": str(WIDTH),
    "MULTIMODAL_MODEL_CONCURRENCY": "4",
    "PREMIUM_MODE_MODEL_CONCURRENCY": "8",
}
_DEPLOY = """
from types import SimpleNamespace
from apps.providers.models import Provider
from tests.fakes.deployments import deploy
Provider.objects.all().delete()
for one in {wanted}:
    deploy(SimpleNamespace(url=one["url"], service_account=dict), one["family"], **one["fields"])
"""


@dataclass
class ModelWorkers:
    """The workers of a running service: one parses documents, the others call models."""

    service: RunningService
    settings: Mapping[str, str] = field(default_factory=dict)
    parse_worker: Process | None = None
    processes: list[Process] = field(default_factory=list)
    started: int = 0
    last_called_at: float = float("-inf")

    def start(self, **settings: str) -> None:
        """Make sure that all workers run with these settings in addition to the usual ones."""
        if settings != self.settings:
            self.stop()
            self.settings = settings
        if self.parse_worker is None:
            self.parse_worker = self._configured_service().start_worker("reader")
        while len(self.processes) < PROCESSES:
            self.start_one()

    def start_one(self) -> Process:
        self.started += 1  # two workers with one name would share a queue and a log
        self.processes.append(self._configured_service().start_worker(f"models{self.started}-", *MODEL_QUEUES))
        return self.processes[-1]

    def kill(self, process: Process) -> None:
        """Kill one worker that calls models, as a power cut would."""
        self.processes.remove(process)
        process.kill()
        self.service.processes.remove(process)

    def stop(self) -> None:
        for process in [*self.processes, *([self.parse_worker] if self.parse_worker else [])]:
            process.kill()
            self.service.processes.remove(process)
        self.processes, self.parse_worker = [], None

    def deploy(self, *wanted: Mapping[str, Any]) -> None:
        """Replace all deployments with these, and wait until the workers know them; ``deployed`` describes one."""
        deploy(self.service, *wanted)
        known_at = self.last_called_at + float(SHORT_TIMES["PROVIDERS_REREAD_SECONDS"]) + 0.2
        time.sleep(max(0.0, known_at - time.monotonic()))

    def mark_idle(self) -> None:
        """Note that no model is called until the next job."""
        self.last_called_at = time.monotonic()

    def _configured_service(self) -> RunningService:
        return replace(self.service, settings={**self.service.settings, **SETTINGS, **self.settings})


def deploy(service: RunningService, *wanted: Mapping[str, Any]) -> None:
    """Replace all deployments of a service with these; ``deployed`` describes one."""
    service.run_python(_DEPLOY.format(wanted=json.dumps(wanted)))


def deployed(server: FakeProvider, family: str = "openai", **fields: Any) -> dict[str, Any]:
    """Describe one deployment on a fake provider; ``fields`` are those of tests/fakes/deployments.py."""
    return {"url": server.url, "family": family, "fields": fields}


@dataclass(frozen=True)
class Call:
    """A row of the ledger."""

    page: int
    model: str
    provider: str
    outcome: str
    error_code: str
    http_status: int | None
    input_tokens: int
    output_tokens: int
    cost_nanos: int
    reservation_id: str


def calls(service: RunningService, job_id: str) -> list[Call]:
    """Return the ledger's rows of a job, in the order in which the calls began."""
    rows = service.rows(
        "SELECT page_number, model, provider_name, outcome, error_code, http_status, input_tokens, output_tokens,"
        f" cost_nanos, reservation_id FROM providers_usage WHERE job_id='{job_id}' ORDER BY id"
    )
    return [Call(*row) for row in rows]


def upload(service: RunningService, document: Any, *, tier: str = "balanced", **options: Any) -> str:
    """Upload a document for a mode with models and return the job's id; by default without the answer cache."""
    configuration = {"tier": tier, "version": "latest", "disable_cache": True} | options
    return service.upload(document, configuration=json.dumps(configuration))


def pages_accepted(service: RunningService, job_id: str) -> list[int]:
    """Return the page of every accepted answer; a page whose answer was accepted twice is listed twice."""
    rows = service.rows(
        f"SELECT first_page FROM jobs_pageattempt WHERE job_id='{job_id}' AND stage='model' AND outcome='accepted'"
    )
    return sorted(row[0] for row in rows)


def pages_with_fallback_text(service: RunningService, job_id: str) -> int:
    return service.number(f"SELECT count(*) FROM jobs_jobpage WHERE job_id='{job_id}' AND fallback <> ''")


def parsing(service: RunningService, job_id: str) -> list[dict[str, Any]]:
    """Return for each page how it was parsed, from the metadata of the result."""
    return [page["parsing"] for page in service.job(job_id, "metadata")["metadata"]["pages"]]


def assert_every_page_by_a_model(service: RunningService, job_id: str, pages: int, *, seconds: float = 90) -> None:
    """Assert that each page was accepted once, with the answer of a model."""
    assert service.wait(job_id, seconds=seconds, pause=0.2) == "COMPLETED"
    assert service.pages_in(job_id, "succeeded") == pages
    assert pages_accepted(service, job_id) == list(range(1, pages + 1))
    assert pages_with_fallback_text(service, job_id) == 0
