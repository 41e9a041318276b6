"""Worker processes that ask models, the deployments that they find, and what the ledger says of their calls.

The workers are shared by the tests of one set of parts: starting them is most of what such a test takes.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from tests.acceptance.stack import SHORT_TIMES, Process, Stack
from tests.fakes.provider import FakeProvider

MODEL_QUEUES = ("llm", "lvm", "agent")
PROCESSES = 2
WIDTH = 24
SETTINGS = {
    "LEASE_SECONDS": "5",  # outlasts a process that imports litellm while its threads want both cores
    "ACCURATE_MODE_LLM_CONCURRENCY": str(WIDTH),
    "MULTIMODAL_MODEL_CONCURRENCY": "4",
    "PREMIUM_MODE_MODEL_CONCURRENCY": "8",
}


@dataclass
class Fleet:
    """The workers of a running service: one reads documents, the others ask models."""

    stack: Stack
    settings: Mapping[str, str] = field(default_factory=dict)
    reader: Process | None = None
    askers: list[Process] = field(default_factory=list)
    started: int = 0
    asked_at: float = float("-inf")

    def start(self, **settings: str) -> None:
        """Have all workers running, with these settings beside the usual ones."""
        if settings != self.settings:
            self.stop()
            self.settings = settings
        if self.reader is None:
            self.reader = self._service().start_worker("reader")
        while len(self.askers) < PROCESSES:
            self.start_asker()

    def start_asker(self) -> Process:
        self.started += 1  # two workers of one name would share a queue, and a log
        self.askers.append(self._service().start_worker(f"models{self.started}-", *MODEL_QUEUES))
        return self.askers[-1]

    def kill_asker(self, asker: Process) -> None:
        """As a power cut would."""
        self.askers.remove(asker)
        self._end(asker)

    def stop(self) -> None:
        for process in [*self.askers, *([self.reader] if self.reader else [])]:
            self._end(process)
        self.askers, self.reader = [], None

    def deploy(self, *wanted: Mapping[str, Any]) -> None:
        """These deployments and no others, from here on; ``deployed`` spells one."""
        self.stack.run_python(_DEPLOY.format(wanted=json.dumps(wanted)))
        time.sleep(max(0.0, self.asked_at + float(SHORT_TIMES["PROVIDERS_REREAD_SECONDS"]) + 0.2 - time.monotonic()))

    def rest(self) -> None:
        """Nobody asks a model from here on until there is another job."""
        self.asked_at = time.monotonic()

    def _end(self, process: Process) -> None:
        process.kill()
        self.stack.processes.remove(process)

    def _service(self) -> Stack:
        return replace(self.stack, settings={**self.stack.settings, **SETTINGS, **self.settings})


def deployed(server: FakeProvider, family: str = "openai", **fields: Any) -> dict[str, Any]:
    """One deployment on a fake providers' server; ``fields`` as tests/fakes/deployments.py takes them."""
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


def calls(stack: Stack, job_id: str) -> list[Call]:
    """The ledger's rows of a job, in the order in which they were begun."""
    rows = stack.rows(
        "SELECT page_number, model, provider_name, outcome, error_code, http_status, input_tokens, output_tokens,"
        f" cost_nanos, reservation_id FROM providers_usage WHERE job_id='{job_id}' ORDER BY id"
    )
    return [Call(*row) for row in rows]


def upload(stack: Stack, document: Any, *, tier: str = "balanced", **options: Any) -> str:
    """The id of a job for a model; its answers are not looked up among those of earlier tests."""
    configuration = {"tier": tier, "version": "latest", "disable_cache": True} | options
    return stack.upload(document, configuration=json.dumps(configuration))


def pages_accepted(stack: Stack, job_id: str) -> list[int]:
    """The page of every accepted answer, one entry for each time it was accepted."""
    rows = stack.rows(
        f"SELECT first_page FROM jobs_pageattempt WHERE job_id='{job_id}' AND stage='model' AND outcome='accepted'"
    )
    return sorted(row[0] for row in rows)


def pages_without_model(stack: Stack, job_id: str) -> int:
    """Pages that took their fallback text."""
    return stack.number(f"SELECT count(*) FROM jobs_jobpage WHERE job_id='{job_id}' AND fallback <> ''")


def parsing(stack: Stack, job_id: str) -> list[dict[str, Any]]:
    """How each page was parsed, as the result says."""
    return [page["parsing"] for page in stack.job(job_id, "metadata")["metadata"]["pages"]]


_DEPLOY = """
from types import SimpleNamespace
from apps.providers.models import Provider
from tests.fakes.deployments import deploy
Provider.objects.all().delete()
for one in {wanted}:
    deploy(SimpleNamespace(url=one["url"], service_account=dict), one["family"], **one["fields"])
"""
