"""F1: a process is killed, stopped for three leases, or raises an error at a failpoint, and every job ends as if calm.

Each case submits documents, lets one process of the service run into the failpoint, starts again what died, and waits
until every job has ended. Then all invariants are checked. CI tries some cases on the embedded backends.
"""

from __future__ import annotations

import json
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, nullcontext
from dataclasses import replace

import httpx
import pytest

from tests.acceptance.models.model_workers import deploy, deployed, pages_with_fallback_text
from tests.acceptance.running_service import (
    LEASE_SECONDS,
    PARSE_QUEUES,
    Backends,
    descendants,
    signal_if_there,
    wait_for,
)
from tests.chaos.corpus import CorpusDocument, write_corpus
from tests.chaos.failpoints import PLACES, WEBHOOK_LEASE_SECONDS
from tests.chaos.invariants import quota_violations, webhook_violations
from tests.chaos.results import FaultResult, record
from tests.chaos.rig import FAST, Rig
from tests.fakes.provider import FakeProvider
from tests.fakes.receiver import Receiver

# The first case of a kind starts the workers that it needs, and with models a calm run on two calls at a time.
pytestmark = [pytest.mark.chaos, pytest.mark.timeout(900)]

ACTIONS = ("kill", "stop", "raise")
IN_CI = {
    ("upload.row_committed", "kill"),
    ("split.done", "kill"),
    ("page.before_commit", "kill"),
    ("page.claimed", "stop"),
    ("finalize.before", "raise"),
}
CASES = [
    pytest.param(name, action, marks=() if (name, action) in IN_CI else pytest.mark.long)
    for name in PLACES
    for action in ACTIONS
]
# Other rows of the table of faults that a failpoint covers.
ALSO = {"webhook.before_mark": ("F43",), "cancel.mid": ("F44",), "delete.mid": ("F44",)}
BALANCED = '{"tier":"balanced","version":"latest","disable_cache":true}'
HIT_SECONDS = 60.0
MODEL_LEASE_SECONDS = 10.0  # outlasts the import of litellm
MODEL_WIDTH = 2  # calls that a killed process interrupts


class Scene:
    """The parts around a rig: a fake provider, a receiver of webhooks, and documents."""

    def __init__(self, rig: Rig, provider: FakeProvider, receiver: Receiver, documents: list[CorpusDocument]) -> None:
        self.rig = rig
        self.provider = provider
        self.receiver = receiver
        self.documents = documents
        self.interrupted_calls = 0
        self.calm_with_models = False

    def start_what_serves(self, kind: str) -> None:
        """Start the worker whose process runs into the failpoint, if it does not run yet."""
        if kind == "model" and not self.calm_with_models:
            if "model" not in self.rig.running:
                deploy(self.rig.service, deployed(self.provider))
                self.rig.start_worker("model", "llm", LEASE_SECONDS=str(MODEL_LEASE_SECONDS))
            for job_id in self.rig.run_calm(self.documents, configuration=BALANCED, tier="balanced"):
                assert pages_with_fallback_text(self.rig.service, job_id) == 0, "a calm run has only answers of models"
            self.calm_with_models = True
        if kind == "housekeeping" and "housekeeping" not in self.rig.running:
            self.rig.start_worker("housekeeping", "housekeeping")

    def lead_to(self, name: str) -> None:
        """Do what leads a process to the failpoint."""
        rig, kind = self.rig, PLACES[name].process
        if name == "cancel.mid":
            self._until_answered("POST", f"/api/v2/parse/{rig.submit(self.documents[-1])}/cancel")
        elif name == "delete.mid":
            job_id = rig.submit(self.documents[0])
            rig.service.wait(job_id)
            self._until_answered("DELETE", f"/api/v2/parse/{job_id}")
            del rig.accepted.jobs[job_id]
        elif name == "reconcile.mid_batch":
            self._lose_a_worker()
        elif kind == "model":
            self._submit_all(configuration=BALANCED, tier="balanced")
        elif kind == "housekeeping":
            hook = {"webhook_url": f"{self.receiver.url}/hook", "webhook_output_format": "json"}
            self._submit_all(configuration=json.dumps({**json.loads(FAST), "webhook_configurations": [hook]}))
        else:
            self._submit_all()

    def _submit_all(self, **options: str) -> None:
        for document in self.documents:
            self.rig.submit(document, **options)

    def _until_answered(self, method: str, path: str) -> None:
        """Send a request until the service has answered it, with success or that there is nothing to do any more."""
        while True:
            try:
                with self.rig.service.client() as client:
                    answer = client.request(method, path)
            except httpx.HTTPError:
                pass
            else:
                self.rig.accepted.answers[answer.status_code, answer.headers.get("content-type", "")] += 1
                if answer.status_code < 500:
                    return
            self.rig.heal()
            time.sleep(0.2)

    def _lose_a_worker(self) -> None:
        """Kill a second worker at work, so that rescue in the first finds leases that ran out."""
        rig = self.rig
        victim = rig.service.start_worker("victim", *PARSE_QUEUES)
        pids = {str(pid) for pid in descendants(victim.popen.pid)}

        def victim_works() -> bool:
            holders = rig.service.rows("SELECT worker FROM jobs_pageattempt WHERE outcome='running'")
            return any(row[0].rpartition(":")[2] in pids for row in holders)

        while not victim_works():
            if rig.open_jobs() == 0:
                self._submit_all()
        victim.kill()
        rig.service.processes.remove(victim)

    def violations(self, kind: str) -> list[str]:
        """Return what the parts around the service have seen that should not be."""
        if kind == "model":
            calls = len(self.provider.requests())
            return quota_violations(self.rig.service, calls_at_provider=calls, interrupted=self.interrupted_calls)
        if kind == "housekeeping":
            received = [request.headers["webhook-id"] for request in self.receiver.received]
            return webhook_violations(self.rig.service, received)
        return []


class Waker:
    """Sends SIGCONT to the process that the failpoint stopped, after three leases of its work."""

    def __init__(self, rig: Rig, kind: str) -> None:
        self._rig = rig
        leases = {"model": MODEL_LEASE_SECONDS, "housekeeping": WEBHOOK_LEASE_SECONDS}
        self._seconds = 3 * leases.get(kind, LEASE_SECONDS)
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._thread.join()

    def _run(self) -> None:
        wait_for(lambda: bool(self._rig.control.hits()), "a process reaches the failpoint", seconds=HIT_SECONDS)
        time.sleep(self._seconds)
        signal_if_there(self._rig.control.hits()[0].pid, signal.SIGCONT)


@pytest.fixture(scope="module")
def scene(backends: Backends, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    folder = tmp_path_factory.mktemp("chaos")
    with ExitStack() as parts:
        provider = parts.enter_context(FakeProvider())
        receiver = parts.enter_context(Receiver())
        width = {"ACCURATE_MODE_LLM_CONCURRENCY": str(MODEL_WIDTH)}
        rig = Rig.make(backends, folder / "service", OUTBOUND_NETWORKS="127.0.0.0/8", **width)
        parts.callback(rig.close)
        rig.start_worker("parse", *PARSE_QUEUES)
        documents = write_corpus(folder, documents=3)
        rig.run_calm(documents)
        yield Scene(rig, provider, receiver, documents)


@pytest.mark.parametrize(("name", "action"), CASES)
def test_every_job_ends_as_if_calm(scene: Scene, name: str, action: str) -> None:
    rig, kind = scene.rig, PLACES[name].process
    scene.start_what_serves(kind)
    before = len(rig.accepted.jobs)
    scene.interrupted_calls += MODEL_WIDTH if kind == "model" else 0
    rig.control.arm(name, action)

    with Waker(rig, kind) if action == "stop" else nullcontext():
        scene.lead_to(name)
        wait_for(lambda: bool(rig.control.hits()), f"a process reaches {name}", seconds=HIT_SECONDS)
        rig.wait_for_all()
    if kind == "housekeeping":
        pending = "SELECT count(*) FROM webhooks_webhookdelivery WHERE state='pending'"
        wait_for(lambda: rig.heal() == [] and rig.service.number(pending) == 0, "all webhooks are sent", seconds=120)
    seconds = time.time() - rig.control.hits()[0].at
    rig.control.disarm()

    verdict = rig.check()
    violations = [*verdict.violations, *scene.violations(kind)]
    result = FaultResult(
        "F1",
        f"{name} {action}",
        rig.service.backends.name,
        f'python -m pytest -m "long or not long" tests/chaos/test_failpoints.py -k "{name} and {action}"',
        jobs=len(rig.accepted.jobs) - before,
        lost=verdict.lost,
        doubled=verdict.doubled,
        recover=[seconds],
        violations=violations,
    )
    for fault in ("F1", *ALSO.get(name, ())):
        record(replace(result, fault=fault))
    assert violations == []
