"""Jobs, pages and steps under any sequence of messages, faults and commands, on a real database and a real reader.

The broker is the far end: it keeps, loses, doubles and delays messages. Workers die, stall and answer late. After each
move the rows must agree with each other, and whatever happened, every job ends when the faults stop.
"""

from __future__ import annotations

import io
import logging
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
from django.conf import settings as django_settings
from django.db import connection
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from apps.accounts import services as accounts
from apps.documents import services as documents
from apps.jobs import workflow
from apps.jobs.commands.cancel import cancel_job
from apps.jobs.commands.retry import retry_pages
from apps.jobs.commands.submit import JobRequest, submit_job
from apps.jobs.errors import IllegalMove, NotCancellable
from apps.jobs.models import AttemptOutcome, JobPage, PageAttempt, ParseJob, Step
from apps.jobs.options import JobOptions
from apps.jobs.scheduling import advance, claims, dispatch, leases
from apps.jobs.scheduling.leases import Lease
from apps.jobs.states import (
    ENDED_JOBS,
    NEXT_STAGE,
    OPEN_JOBS,
    OPEN_PAGES,
    OPEN_STEPS,
    JobState,
    PageState,
    Stage,
    StepState,
    job_outcome,
)
from apps.jobs.workflow import Message
from tests.documents.long import long_document
from tests.fakes.interrupting_storage import InterruptingStorage, options_of
from tests.integration.jobs.conftest import DELIVER, rescue

MAX_JOBS = 3
MAX_ROUNDS = 60
PAST = "2020-01-01T00:00:00Z"
any_number = st.integers(0, 10_000)
# What happens while a worker is between its claim and its result.
EVENTS = ["expire", "rescue", "cancel", "duplicate", "overtake", "renew", "overdue"]
meanwhile = st.lists(st.sampled_from(EVENTS), max_size=3)
ends = st.sampled_from(["returns", "returns", "returns", "killed", "storage fails"])
MOVES: Counter[str] = Counter()


class KilledWorker(BaseException):
    """The worker's process is killed at this point."""


class Broker:
    """Accepts messages while it is up, and loses them while it is lossy."""

    def __init__(self) -> None:
        self.mode = "up"
        self.messages: list[Message] = []

    def publish(self, *messages: Message) -> bool:
        if self.mode == "up":
            self.messages.extend(messages)
        return self.mode != "down"


class JobMachine(RuleBasedStateMachine):
    broker: Broker

    def __init__(self) -> None:
        super().__init__()
        self.project = accounts.default_project()
        self.broker.mode = "up"
        self.broker.messages.clear()
        self.job_ids: list[str] = []
        self.before: dict[str, Any] = {}
        self.retries: Counter[tuple[str, int]] = Counter()

    # --- what happens ---

    @precondition(lambda self: len(self.job_ids) < MAX_JOBS)
    @rule(pages=st.integers(1, 7), short=st.booleans())
    def submit(self, pages: int, short: bool) -> None:
        MOVES["submit"] += 1
        django_settings.SHORT_ROAD_PAGES = 16 if short else 0
        content = io.BytesIO(long_document(pages, lines=2))
        document = documents.store_upload(project=self.project, name="long.pdf", content=content, kept_as_file=True)
        request = JobRequest(mode="fast", tier="fast", version="latest", options=JobOptions())
        self.job_ids.append(submit_job(project=self.project, document=document, request=request).pk)

    @precondition(lambda self: self.broker.messages)
    @rule(which=any_number, events=meanwhile, end=ends)
    def deliver(self, which: int, events: list[str], end: str) -> None:
        """Deliver any message that was ever sent, an old one or one for the second time included."""
        MOVES[f"deliver {end}"] += 1
        self.work_on(self.broker.messages[which % len(self.broker.messages)], events, end)

    @precondition(lambda self: self.job_ids)
    @rule(which=any_number, events=meanwhile, end=ends)
    def deliver_newest(self, which: int, events: list[str], end: str) -> None:
        MOVES[f"deliver {end}"] += 1
        steps = list(self.steps(state=StepState.PENDING))
        if steps:
            self.work_on(Message.of(steps[which % len(steps)]), events, end)

    @precondition(lambda self: self.job_ids)
    @rule(which=any_number)
    def expire(self, which: int) -> None:
        """The worker of a step has fallen silent, dead or only slow."""
        MOVES["expire"] += 1
        self.happen("expire", which)

    @precondition(lambda self: self.job_ids)
    @rule(which=any_number)
    def renew(self, which: int) -> None:
        MOVES["renew"] += 1
        self.happen("renew", which)

    @precondition(lambda self: self.job_ids)
    @rule(which=any_number)
    def lose_worker(self, which: int) -> None:
        """The pool reports that the process with a message has died."""
        MOVES["lose worker"] += 1
        if self.broker.messages:
            message = self.broker.messages[which % len(self.broker.messages)]
            claims.reclaim_from_lost_worker(step_id=message.step_id, fence=message.fence)

    @precondition(lambda self: self.job_ids)
    @rule(which=any_number)
    def snooze(self, which: int) -> None:
        MOVES["snooze"] += 1
        steps = list(self.steps(state=StepState.PENDING, sent_at__isnull=False))
        if steps:
            step = steps[which % len(steps)]
            started = claims.start_attempt(step_id=step.pk, fence=step.fence)
            if started is not None:
                claims.snooze(claims.Claim(started, started.fence, Lease(started.pk, started.fence)))

    @precondition(lambda self: self.job_ids)
    @rule()
    def rescue(self) -> None:
        MOVES["rescue"] += 1
        rescue()

    @precondition(lambda self: self.job_ids)
    @rule()
    def time_passes(self) -> None:
        """Waits end, and what was sent was sent long ago."""
        MOVES["time passes"] += 1
        self.steps().filter(not_before__isnull=False).update(not_before=PAST)
        self.steps().filter(sent_at__isnull=False, state=StepState.PENDING).update(sent_at=PAST)

    @precondition(lambda self: self.job_ids)
    @rule(which=any_number)
    def cancel(self, which: int) -> None:
        MOVES["cancel"] += 1
        self.happen("cancel", which)

    @precondition(lambda self: self.job_ids)
    @rule(which=any_number, chosen=st.none() | st.lists(st.integers(1, 7), min_size=1, max_size=3, unique=True))
    def retry(self, which: int, chosen: list[int] | None) -> None:
        MOVES["retry"] += 1
        job = self.job(which)
        pages = JobPage.objects.filter(job=job)
        numbers = [number for number in chosen or [] if pages.filter(number=number).exists()]
        failed = list(pages.filter(state=PageState.FAILED).values_list("number", flat=True))
        try:
            retry_pages(job=job, page_numbers=numbers if chosen and numbers else None)
        except IllegalMove:
            return
        for number in numbers or failed:
            self.retries[job.pk, number] += 1
        self.before.pop(job.pk, None)

    @precondition(lambda self: self.job_ids)
    @rule(which=any_number)
    def exceed_the_deadline(self, which: int) -> None:
        MOVES["deadline"] += 1
        self.happen("overdue", which)

    @precondition(lambda self: self.job_ids)
    @rule()
    def dispatch(self) -> None:
        MOVES["dispatch"] += 1
        dispatch.dispatch_due()

    @precondition(lambda self: self.job_ids)
    @rule(which=any_number, stage=st.sampled_from(sorted(NEXT_STAGE)))
    def advance(self, which: int, stage: Stage) -> None:
        """A worker or a chord asks, early, late or twice, whether a stage is done."""
        MOVES["advance"] += 1
        advance.advance_if_done(job_id=self.job(which).pk, stage=stage)
        advance.close_window(job_id=self.job(which).pk)

    @precondition(lambda self: self.job_ids)
    @rule(mode=st.sampled_from(["up", "up", "down", "lossy"]))
    def change_broker(self, mode: str) -> None:
        MOVES[f"broker {mode}"] += 1
        self.broker.mode = mode

    # --- what must hold after each move ---

    @invariant()
    def rows_agree(self) -> None:
        jobs = {job.pk: job for job in ParseJob.objects.filter(pk__in=self.job_ids)}
        pages: dict[str, list[JobPage]] = {job_id: [] for job_id in jobs}
        for page in JobPage.objects.filter(job_id__in=jobs):
            pages[page.job_id].append(page)
        steps: dict[str, list[Step]] = {job_id: [] for job_id in jobs}
        for step in self.steps():
            steps[step.job_id].append(step)
        attempts = list(PageAttempt.objects.filter(job_id__in=jobs))
        for job_id, job in jobs.items():
            self.check_job(job, pages[job_id], steps[job_id])
        self.check_steps([step for of_job in steps.values() for step in of_job], attempts)
        self.check_attempts([page for of_job in pages.values() for page in of_job], attempts)

    def check_job(self, job: ParseJob, pages: list[JobPage], steps: list[Step]) -> None:
        open_steps = [step for step in steps if step.state in OPEN_STEPS]
        assert len({page.number for page in pages}) == len(pages)
        assert not pages or len(pages) == job.page_count
        if job.state in ENDED_JOBS:
            assert job.stage == Stage.DONE
            assert job.finished_at is not None
            assert open_steps == []
            assert not [page for page in pages if page.state in OPEN_PAGES]
        if job.state in (JobState.SUCCEEDED, JobState.PARTIAL):
            good = sum(page.state == PageState.SUCCEEDED for page in pages)
            assert job.state == job_outcome(good_pages=good, failed_pages=len(pages) - good)
            assert job.result_folder
        assert (job.error_code == "") == (job.state != JobState.FAILED)
        # Nothing leaves an end but by the command that parses pages again.
        was = self.before.get(job.pk)
        if was is not None and was["job"] in ENDED_JOBS:
            assert was == self.facts_of(job, pages)
        self.before[job.pk] = self.facts_of(job, pages)
        for page in pages:
            assert (page.content != "") or page.state != PageState.SUCCEEDED
            # A page that is parsed again, in vain, keeps its text; the error is the reason.
            assert page.error_code != "" or page.state != PageState.FAILED
            assert page.error_code == "" or page.state == PageState.FAILED or self.retries[job.pk, page.number]
        # An open page of a stage of pages is in exactly one open step: it can be neither lost nor parsed twice at once.
        if job.stage == Stage.EXTRACT and job.state == JobState.RUNNING:
            of_steps = Counter(number for step in open_steps for number in range(step.first_page, step.last_page + 1))
            assert of_steps == Counter(page.number for page in pages if page.state in OPEN_PAGES)

    def facts_of(self, job: ParseJob, pages: list[JobPage]) -> dict[str, Any]:
        return {
            "job": job.state,
            "result": job.result_folder,
            "pages": sorted((page.number, page.state, page.content) for page in pages),
        }

    def check_steps(self, steps: list[Step], attempts: list[PageAttempt]) -> None:
        running = Counter(each.step_id for each in attempts if each.outcome == AttemptOutcome.RUNNING)
        accepted: dict[int, list[int]] = defaultdict(list)
        for each in attempts:
            if each.outcome == AttemptOutcome.ACCEPTED:
                accepted[each.step_id].append(each.fence)
        for step in steps:
            assert step.starts <= django_settings.MAX_STARTS
            assert (step.lease_expires_at is not None) == (step.state == StepState.RUNNING)
            if step.state == StepState.RUNNING:
                assert running[step.pk] == 1, (step.pk, step.state)
            if step.state == StepState.SUCCEEDED:  # by the result of its last claim, and of no other
                assert running[step.pk] == 0, step.pk
                assert accepted[step.pk] == [step.fence], step.pk
        fences = {step.pk: step.fence for step in steps}
        assert all(fences[pk] >= fence for pk, fence in self.before.get("fences", {}).items())
        self.before["fences"] = fences

    def check_attempts(self, pages: list[JobPage], attempts: list[PageAttempt]) -> None:
        """Each page is accepted at most once, and once more for each command to parse it again."""
        accepted: Counter[tuple[str, int]] = Counter()
        for attempt in attempts:
            if attempt.stage == Stage.EXTRACT and attempt.outcome == AttemptOutcome.ACCEPTED:
                accepted.update((attempt.job_id, number) for number in range(attempt.first_page, attempt.last_page + 1))
        for (job_id, number), count in accepted.items():
            assert count <= 1 + self.retries[job_id, number]
        # 3 starts in a range, 3 in each of its halves, and so on until the page is alone.
        for page in pages:
            limit = django_settings.MAX_STARTS * 3 * (1 + self.retries[page.job_id, page.number]) + 1
            assert page.attempts <= limit

    def teardown(self) -> None:
        """All faults stop. Every job must end."""
        InterruptingStorage.interrupt = None
        self.broker.mode = "up"
        for _ in range(MAX_ROUNDS):
            if not ParseJob.objects.filter(pk__in=self.job_ids, state__in=OPEN_JOBS).exists():
                break
            self.steps(state=StepState.RUNNING).update(lease_expires_at=PAST)
            self.steps().filter(not_before__isnull=False).update(not_before=PAST)
            rescue()
            for step in self.steps(state=StepState.PENDING):
                DELIVER[Stage(step.stage)](step_id=step.pk, fence=step.fence)
        else:
            raise AssertionError(f"Jobs are stuck: {list(self.steps(state__in=OPEN_STEPS))}")
        self.rows_agree()
        ParseJob.objects.filter(pk__in=self.job_ids).delete()
        PageAttempt.objects.filter(job_id__in=self.job_ids).delete()

    # --- helpers ---

    def job(self, which: int) -> ParseJob:
        return ParseJob.objects.get(pk=self.job_ids[which % len(self.job_ids)])

    def steps(self, **wanted: Any) -> Any:
        return Step.objects.filter(job_id__in=self.job_ids, **wanted).order_by("pk")

    def work_on(self, message: Message, events: Sequence[str], end: str) -> None:
        """Do the work of a worker that has received the message; ``events`` happen between its claim and its result."""

        def interrupt() -> None:
            assert not connection.in_atomic_block, "a worker reads or writes storage inside a transaction"
            for number, event in enumerate(events):
                self.happen(event, number, message)
            if end == "killed":
                raise KilledWorker
            if end == "storage fails":
                raise OSError(5, "Input/output error")

        InterruptingStorage.interrupt = interrupt if events or end != "returns" else None
        try:
            DELIVER[message.stage](step_id=message.step_id, fence=message.fence)
        except KilledWorker:
            pass
        finally:
            InterruptingStorage.interrupt = None

    def happen(self, event: str, which: int, message: Message | None = None) -> None:
        running = list(self.steps(state=StepState.RUNNING))
        of_message = [step for step in running if message is not None and step.pk == message.step_id]
        step = of_message[0] if of_message else running[which % len(running)] if running else None
        match event:
            case "expire" if step is not None:
                Step.objects.filter(pk=step.pk).update(lease_expires_at=PAST)
            case "renew" if step is not None:
                leases.renew(Step.objects.filter(pk=step.pk))
            case "rescue":
                rescue()
            case "cancel":
                try:
                    cancel_job(job=self.job(which))
                except NotCancellable:
                    assert self.job(which).state in ENDED_JOBS
            case "overdue":
                ParseJob.objects.filter(pk=self.job(which).pk).update(deadline_at=PAST)
            case "overtake" if message is not None:
                self.happen("expire", which, message)
                rescue()
                for again in self.steps(pk=message.step_id, state=StepState.PENDING):
                    claims.start_attempt(step_id=again.pk, fence=again.fence)
            case "duplicate" if message is not None:
                DELIVER[message.stage](step_id=message.step_id, fence=message.fence)


@pytest.fixture
def machine(
    transactional_db: None,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    settings: Any,
    tmp_path: Path,
) -> type[JobMachine]:
    """The machine with storage in which things happen and a broker that can be down."""
    caplog.set_level(logging.CRITICAL, "apps")  # each fault writes its traceback
    settings.STORAGES = settings.STORAGES | {"default": options_of(str(tmp_path / "storage"))}
    # Queues in which these jobs never wait are left out, because each one costs queries whenever work is sent.
    used = (workflow.PARSE_QUEUE, workflow.PAGES_QUEUE)
    settings.QUEUES = {name: queue for name, queue in settings.QUEUES.items() if name in used}
    JobMachine.broker = Broker()
    monkeypatch.setattr(workflow, "publish_step", JobMachine.broker.publish)
    monkeypatch.setattr(workflow, "publish_window", lambda messages: JobMachine.broker.publish(*messages))
    monkeypatch.setattr(workflow, "queue_length", lambda queue: 0)
    return JobMachine


def run(machine: type[JobMachine], *, examples: int) -> None:
    MOVES.clear()
    checks = list(HealthCheck)
    profile = settings(max_examples=examples, stateful_step_count=50, deadline=None, suppress_health_check=checks)
    run_state_machine_as_test(machine, settings=profile)
    print(f"{MOVES.total()} moves: {dict(MOVES)}")


def test_hundreds_of_moves_keep_jobs_pages_and_steps_right(machine: type[JobMachine]) -> None:
    run(machine, examples=10)
    assert MOVES.total() > 300


@pytest.mark.long
@pytest.mark.timeout(3000)
def test_twenty_thousand_moves_keep_jobs_pages_and_steps_right(machine: type[JobMachine]) -> None:
    run(machine, examples=500)
    assert MOVES.total() > 20_000
