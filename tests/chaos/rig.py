"""A service for faults: its processes are watched and started again when they die, as a supervisor would.

``submit`` sends a document as a careful client does: with an ``Idempotency-Key``, again and again until it is accepted.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import httpx

from tests.acceptance.running_service import Backends, Process, RunningService, wait_for
from tests.chaos.corpus import CorpusDocument
from tests.chaos.failpoints import Control
from tests.chaos.invariants import Accepted, FaultVerdict, check, fingerprint, leftover_processes

SETTINGS = {"PAGES_PER_RANGE": "4", "WINDOW_PER_JOB": "8", "SHORT_ROAD_PAGES": "2"}
FAST = '{"tier":"fast","version":"latest"}'
END_SECONDS = 180.0


@dataclass
class Rig:
    """A running service, the control of its failpoints, and what it has accepted.

    ``waits``: a process that was started again is waited for. ``patience``: seconds until an upload is given up.
    """

    service: RunningService
    control: Control
    accepted: Accepted = field(default_factory=Accepted)
    workers: dict[str, tuple[RunningService, tuple[str, ...]]] = field(default_factory=dict)
    running: dict[str, Process] = field(default_factory=dict)
    lock: threading.RLock = field(default_factory=threading.RLock)
    waits: bool = True
    patience: float = 120.0

    @classmethod
    def make(cls, backends: Backends, folder: Path, **settings: str) -> Rig:
        folder.mkdir(exist_ok=True)
        control = Control(folder / "failpoints")
        service = RunningService(backends, folder, {**SETTINGS, **control.environment, **settings})
        service.prepare()
        rig = cls(service, control)
        rig.accepted.secrets.add(service.key)
        rig.running["web"] = service.start_web()
        return rig

    def start_worker(self, name: str, *queues: str, **settings: str) -> Process:
        """Start a worker that ``heal`` starts again when it has died. ``settings``: other than the service's."""
        self.workers[name] = replace(self.service, settings=self.service.settings | settings), queues
        return self._start(name)

    def heal(self) -> list[str]:
        """Start the processes again that have died. Return their names."""
        with self.lock:
            dead = [name for name, process in self.running.items() if process.popen.poll() is not None]
            for name in dead:
                self.running[name].kill()  # what it has left
                self.service.processes.remove(self.running[name])
                self._start(name)
        return dead

    def _start(self, name: str) -> Process:
        if name == "web":
            self.running[name] = self.service.start_web(wait=self.waits)
        else:
            service, queues = self.workers[name]
            self.running[name] = service.start_worker(name, *queues, wait=self.waits)
        return self.running[name]

    def close(self) -> list[str]:
        """Stop the service and return I7: the processes that are left."""
        self.service.stop()
        time.sleep(0.5)  # children notice the end of their parent
        return leftover_processes(self.service.folder)

    # --- jobs ---

    def submit(self, document: CorpusDocument, *, configuration: str = FAST, tier: str = "fast") -> str:
        """Upload until the service has accepted the document, and return the job's id. Heal what dies meanwhile."""
        key, until = uuid.uuid4().hex, time.monotonic() + self.patience
        content = document.path.read_bytes()
        while True:
            try:
                with self.service.client() as client:
                    answer = client.post(
                        "/api/v2/parse/upload",
                        data={"configuration": configuration},
                        files={"file": (document.name, content, "application/pdf")},
                        headers={"Idempotency-Key": key},
                    )
            except httpx.HTTPError:
                answer = None
            if answer is not None:
                self.accepted.answers[answer.status_code, answer.headers.get("content-type", "")] += 1
                if answer.status_code == 200:
                    break
                assert answer.status_code >= 500 or answer.status_code in (408, 409, 429), answer.text
            assert time.monotonic() < until, f"{document.name} was not accepted: {answer and answer.text}"
            self.heal()
            time.sleep(0.2)
        job_id = str(answer.json()["id"])
        self.accepted.jobs[job_id] = f"{document.name} {tier}"
        return job_id

    def run_calm(
        self, documents: Sequence[CorpusDocument], *, configuration: str = FAST, tier: str = "fast"
    ) -> list[str]:
        """Parse every document undisturbed, and keep the fingerprint of its output. Return the ids of the jobs."""
        jobs = [self.submit(document, configuration=configuration, tier=tier) for document in documents]
        for job_id in jobs:
            assert self.service.wait(job_id) == "COMPLETED", self.service.job(job_id)["job"]
            self.accepted.calm[self.accepted.jobs[job_id]] = fingerprint(self.service.result(job_id))
        return jobs

    def open_jobs(self) -> int:
        return self.service.number("SELECT count(*) FROM jobs_parsejob WHERE state IN ('pending', 'running')")

    def steps(self, *states: str) -> set[int]:
        """Return the ids of the steps in these states."""
        named = ",".join(f"'{state}'" for state in states)
        return {int(row[0]) for row in self.service.rows(f"SELECT id FROM jobs_step WHERE state IN ({named})")}

    def claims_of(self, steps: set[int]) -> dict[int, int]:
        """Return the fencing token of each step, which each claim raises."""
        if not steps:
            return {}
        named = ",".join(map(str, steps))
        return {
            int(pk): int(fence)
            for pk, fence in self.service.rows(f"SELECT id, fence FROM jobs_step WHERE id IN ({named})")
        }

    def wait_for_all(self, *, seconds: float = END_SECONDS) -> None:
        """Wait until no job is open. Heal what dies meanwhile."""

        def have_ended() -> bool:
            return self.heal() == [] and self.open_jobs() == 0

        try:
            wait_for(have_ended, "all jobs have ended", seconds=seconds, pause=0.1)
        except AssertionError as error:
            job_id = self.service.rows("SELECT id FROM jobs_parsejob WHERE state IN ('pending', 'running')")[0][0]
            raise AssertionError(f"{error}\n{self.service.open_work(job_id)}") from None

    def check(self) -> FaultVerdict:
        return check(self.service, self.accepted)
