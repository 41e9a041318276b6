"""Jobs, their pages, the steps of their work, and every attempt at a step."""

from __future__ import annotations

import uuid
from functools import cached_property
from typing import Any

from django.db import models
from django.db.models import Q

from apps.accounts.models import ApiKey, Project
from apps.documents.models import Document
from apps.jobs.options import JobOptions
from apps.jobs.states import JobState, PageState, Stage, StepState
from apps.pages.model.conversions import has_slides
from apps.pages.model.media_types import PDF, is_structured
from apps.parsing.annotations.tasks import AnnotationTask


class JobKind(models.TextChoices):
    """What a job is for. All parse their document; the others then ask a model about it."""

    PARSE = "parse"
    EXTRACT = "extract"
    CLASSIFY = "classify"
    SPLIT = "split"


ID_PREFIXES = {JobKind.PARSE: "pjb", JobKind.EXTRACT: "ext", JobKind.CLASSIFY: "cls", JobKind.SPLIT: "spl"}


def new_job_id(kind: JobKind = JobKind.PARSE) -> str:
    return f"{ID_PREFIXES[kind]}-{uuid.uuid4()}"


def _choices(states: type[JobState] | type[PageState] | type[StepState] | type[Stage]) -> list[tuple[str, str]]:
    return [(state.value, state.value) for state in states]


class ParseJob(models.Model):
    """One parse of one document with one set of options.

    ``result_folder`` is the accepted result in storage (empty: none yet). ``windows_sent`` and ``windows_closed`` count
    the chords that were published and those whose body ran. Within a project, steps of jobs with a higher ``priority``
    are sent first; 0 is normal. An ended job is removed after ``expires_at`` (empty: never), which is
    ``retention_days`` after its end (0: for ever; empty: not computed yet) unless a person set it (``expiry_ordered``).
    ``annotation``: what a model is asked about the parsed document, an ``AnnotationTask``; empty: nothing.
    ``media_type`` is the type of the document as it was uploaded. ``converted_key``: where the converted document is in
    storage, which is read instead, and ``converted_type`` its type; both empty: it was not converted.
    ``printed_key``: where the PDF of an office document is in storage, for people who look at it (empty: not printed),
    and ``printed_pages`` the number of its pages.
    ``source_job``: the parsed job whose pages this one copies instead of parsing the document itself.
    """

    id = models.CharField(primary_key=True, max_length=40, default=new_job_id, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="jobs")
    api_key = models.ForeignKey(ApiKey, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    document = models.ForeignKey(Document, null=True, on_delete=models.SET_NULL, related_name="jobs")
    document_name = models.CharField(max_length=255)
    kind = models.CharField(max_length=10, choices=JobKind, default=JobKind.PARSE, db_default=JobKind.PARSE)
    annotation = models.JSONField(null=True, blank=True)
    source_job = models.CharField(max_length=40, blank=True, default="", db_default="")
    media_type = models.CharField(max_length=100, blank=True)
    converted_key = models.CharField(max_length=120, blank=True, default="", db_default="")
    converted_type = models.CharField(max_length=100, blank=True, default="", db_default="")
    printed_key = models.CharField(max_length=120, blank=True, default="", db_default="")
    printed_pages = models.PositiveIntegerField(null=True, blank=True)

    mode = models.CharField(max_length=20)
    tier = models.CharField(max_length=20)
    version = models.CharField(max_length=20)
    target_pages = models.TextField(blank=True)
    max_pages = models.PositiveIntegerField(null=True, blank=True)
    options = models.JSONField(default=dict, blank=True)
    user_metadata = models.JSONField(default=dict, blank=True)
    password_sealed = models.TextField(blank=True, editable=False)

    state = models.CharField(max_length=12, choices=_choices(JobState), default=JobState.PENDING)
    stage = models.CharField(max_length=12, choices=_choices(Stage), default=Stage.SPLIT)
    document_pages = models.PositiveIntegerField(null=True, blank=True, help_text="pages the document has")
    page_count = models.PositiveIntegerField(null=True, blank=True, help_text="pages this job parses")
    warnings = models.JSONField(default=list, blank=True)
    error_code = models.CharField(max_length=40, blank=True)
    error_detail = models.TextField(blank=True)
    result_folder = models.CharField(max_length=120, blank=True)
    result_facts = models.JSONField(default=dict, blank=True)
    priority = models.SmallIntegerField(default=0, db_default=0)
    uses_models = models.BooleanField(default=False, help_text="some of its pages may go to a model")
    windows_sent = models.PositiveIntegerField(default=0)
    windows_closed = models.PositiveIntegerField(default=0)

    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    deadline_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True, blank=True)
    expiry_ordered = models.BooleanField(default=False, db_default=False)
    retention_days = models.PositiveIntegerField(null=True, blank=True)

    class Meta:
        indexes = [
            models.Index(fields=["expires_at"], condition=Q(expires_at__isnull=False), name="job_expiry"),
            models.Index(
                fields=["project", "retention_days"],
                condition=Q(finished_at__isnull=False, expiry_ordered=False),
                name="job_reckoned",
            ),
            models.Index(  # nearly always empty
                fields=["project"],
                condition=Q(finished_at__isnull=False, expiry_ordered=False, retention_days__isnull=True),
                name="job_unreckoned",
            ),
            models.Index(fields=["project", "-created_at", "id"], name="job_newest"),
            models.Index(fields=["-created_at"], name="job_newest_of_all"),
            models.Index(
                fields=["deadline_at"],
                condition=Q(state__in=[JobState.PENDING, JobState.RUNNING]),
                name="job_open_deadline",
            ),
            models.Index(fields=["-finished_at"], name="job_newest_ended"),
            models.Index(
                fields=["project"],
                condition=Q(state__in=[JobState.PENDING, JobState.RUNNING]) & ~Q(priority=0),
                name="job_preferred",
            ),
        ]

    def __str__(self) -> str:
        return self.id

    @property
    def has_ended(self) -> bool:
        return self.state not in (JobState.PENDING, JobState.RUNNING)

    @property
    def read_type(self) -> str:
        """The type of the document that is read: the converted one, if there is one."""
        return self.converted_type or self.media_type

    @property
    def is_printing(self) -> bool:
        """The stage of conversion prints the document: its pages are counted before that, and after a conversion."""
        return self.stage == Stage.CONVERT and self.document_pages is not None

    @property
    def pdf_key(self) -> str:
        """Where the PDF that was made of the document is in storage: converted or printed; "" if none was made."""
        return self.converted_key if self.read_type == PDF else self.printed_key

    @property
    def has_printed_slides(self) -> bool:
        """Page n of the printed document is slide n, because it has as many pages as slides were read."""
        is_same_count = self.printed_pages is not None and self.printed_pages == self.document_pages
        return bool(self.printed_key) and has_slides(self.media_type) and is_same_count

    @property
    def has_page_pictures(self) -> bool:
        """There are pictures of the pages of the result: of a PDF, of pictures, or of slides that were printed."""
        return not is_structured(self.read_type) or self.has_printed_slides

    @property
    def print_has_other_pages(self) -> bool:
        """The document was printed, and its pages begin and end elsewhere than those of the result."""
        return bool(self.printed_key and self.printed_pages) and not self.has_page_pictures

    @cached_property
    def parsed_options(self) -> JobOptions:
        """The options as typed values. They never change after submission."""
        return JobOptions.model_validate(self.options)

    @cached_property
    def annotation_task(self) -> AnnotationTask | None:
        """What a model is asked about the parsed document; None: nothing."""
        return AnnotationTask.model_validate(self.annotation) if self.annotation else None

    @property
    def needs_word_boxes(self) -> bool:
        """The reader and OCR return the boxes of words."""
        task = self.annotation_task
        return self.parsed_options.needs_word_boxes or (task is not None and task.cites)


class JobPage(models.Model):
    """One page of a job: its state and the place of its accepted content.

    ``content`` is the storage key of the accepted attempt. ``needs_ocr``: why the page needs OCR; empty if it does not.
    ``mode`` is the mode it was parsed in; ``mode_reason``: why that is not the job's mode. ``fallback``: why it has its
    fallback text although a model was to parse it. ``facts`` about the model's answer: its deployment, its fidelity.
    """

    job = models.ForeignKey(ParseJob, on_delete=models.CASCADE, related_name="pages")
    number = models.PositiveIntegerField()
    state = models.CharField(max_length=12, choices=_choices(PageState), default=PageState.PENDING)
    attempts = models.PositiveSmallIntegerField(default=0)
    needs_ocr = models.CharField(max_length=40, blank=True)
    content = models.CharField(max_length=120, blank=True)
    mode = models.CharField(max_length=20, blank=True)
    mode_reason = models.CharField(max_length=200, blank=True)
    fallback = models.CharField(max_length=40, blank=True)
    facts = models.JSONField(default=dict, blank=True)
    error_code = models.CharField(max_length=40, blank=True)
    error_detail = models.TextField(blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["job", "number"], name="one_row_per_page")]

    def __str__(self) -> str:
        return f"{self.job_id} page {self.number}"


class Annotation(models.Model):
    """A model's answer about a page of a job, or about the whole document (page number 0).

    ``content`` is the storage key of the answer; without one, ``error_code`` says why. ``facts``: its deployment, cost.
    """

    job = models.ForeignKey(ParseJob, on_delete=models.CASCADE, related_name="annotations")
    page_number = models.PositiveIntegerField(default=0)
    content = models.CharField(max_length=120, blank=True)
    facts = models.JSONField(default=dict, blank=True)
    error_code = models.CharField(max_length=40, blank=True)
    error_detail = models.TextField(blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["job", "page_number"], name="one_annotation_per_page")]

    def __str__(self) -> str:
        return f"{self.job_id} page {self.page_number or 'all'}"


class Step(models.Model):
    """A unit of a job's work, one message: a range of pages, or the job as a whole (pages 0-0).

    The row exists before the message. A claim is one guarded UPDATE that raises ``fence`` and counts ``starts``; a
    result is accepted once, and only with the fence of the latest claim. ``window`` is the chord it was sent in.
    ``image`` is the page image that waits for OCR; while it is empty, the message waits to be rendered.
    ``outage_since``: since when the providers that the page needs have been unavailable. ``needs_micros``: the money
    that the page waits for, in millionths of a US dollar; ``budget_waits``: how often it has waited for money.
    """

    job = models.ForeignKey(ParseJob, on_delete=models.CASCADE, related_name="steps")
    project_id = models.UUIDField()
    stage = models.CharField(max_length=12, choices=_choices(Stage))
    queue = models.CharField(max_length=40)
    first_page = models.PositiveIntegerField(default=0)
    last_page = models.PositiveIntegerField(default=0)
    state = models.CharField(max_length=12, choices=_choices(StepState), default=StepState.PENDING)
    fence = models.PositiveIntegerField(default=0)
    starts = models.PositiveSmallIntegerField(default=0)
    not_before = models.DateTimeField(null=True, blank=True)
    sent_at = models.DateTimeField(null=True, blank=True)
    window = models.CharField(max_length=16, blank=True)
    begun_at = models.DateTimeField(null=True, blank=True)
    lease_expires_at = models.DateTimeField(null=True, blank=True)
    image = models.CharField(max_length=120, blank=True)
    outage_since = models.DateTimeField(null=True, blank=True)
    needs_micros = models.PositiveBigIntegerField(null=True, blank=True)
    budget_waits = models.PositiveSmallIntegerField(default=0, db_default=0)

    class Meta:
        indexes = [
            models.Index(
                fields=["job", "stage"],
                condition=Q(state__in=[StepState.PENDING, StepState.RUNNING]),
                name="step_open_of_job",
            ),
            models.Index(
                fields=["queue", "project_id", "id", "first_page", "last_page"],
                condition=Q(state=StepState.PENDING, sent_at=None),
                name="step_unsent",
            ),
            models.Index(
                fields=["queue", "project_id", "sent_at"],
                condition=Q(state__in=[StepState.PENDING, StepState.RUNNING], sent_at__isnull=False),
                name="step_sent_and_open",
            ),
            models.Index(fields=["lease_expires_at"], condition=Q(state=StepState.RUNNING), name="step_leases"),
            models.Index(
                fields=["project_id", "id"],
                condition=Q(state=StepState.PENDING, needs_micros__isnull=False),
                name="step_waits_for_money",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.stage} of {self.job_id}" + (f", pages {self.pages}" if self.first_page else "")

    @property
    def pages(self) -> str:
        return f"{self.first_page}-{self.last_page}" if self.last_page != self.first_page else str(self.first_page)

    @property
    def page_total(self) -> int:
        return self.last_page - self.first_page + 1 if self.first_page else 0

    def part(self, first: int, last: int, **facts: Any) -> Step:
        """Return an unsaved row for some of the step's pages."""
        return Step(
            job_id=self.job_id,
            project_id=self.project_id,
            stage=self.stage,
            queue=self.queue,
            first_page=first,
            last_page=last,
            **facts,
        )


class PageAnswer(models.Model):
    """A model's answer for a page, cached for the same project. Its content is in storage.

    ``key`` is a hash of everything that the answer depends on (apps/jobs/stages/model_calls/answer_cache.py).
    """

    key = models.CharField(primary_key=True, max_length=64)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    document = models.ForeignKey(Document, on_delete=models.CASCADE, related_name="+")
    facts = models.JSONField(default=dict, blank=True)
    expires_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return self.key


class RemovedJobs(models.Model):
    """How many jobs have ever been removed, on request or because they expired."""

    why = models.CharField(primary_key=True, max_length=20)
    jobs = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.why}: {self.jobs}"


class LeaderLock(models.Model):
    """A leader lock: one process does the named work until ``expires_at``."""

    name = models.CharField(primary_key=True, max_length=40)
    expires_at = models.DateTimeField()

    class Meta:
        db_table = "jobs_turn"  # the name up to release 0.2, whose processes may still run

    def __str__(self) -> str:
        return self.name


class Pause(models.Model):
    """A pause: until it is removed a queue gets no new messages, or no new jobs are accepted."""

    name = models.CharField(primary_key=True, max_length=40)
    reason = models.CharField(max_length=200, blank=True, help_text="shown to clients whose jobs are refused")
    by = models.CharField(max_length=150, help_text="who paused it")
    since = models.DateTimeField()

    def __str__(self) -> str:
        return self.name

    def describe(self) -> str:
        """Return what is paused, since when, by whom and why."""
        reason = f": {self.reason}" if self.reason else ""
        return f"{self.name}, since {self.since:%Y-%m-%d %H:%M} UTC, by {self.by}{reason}"


class Worker(models.Model):
    """A worker process. It reports every few seconds that it is alive, and once that it stops.

    ``queues``: the queues it consumes, with the messages of each it processes at once; ``width``: its processes or
    threads. ``reader_escapes``: what a document that takes over its reader could still do there (docs/isolation.md);
    None until a reader has started. A worker not seen for ``queries.WORKER_TIMEOUT`` is considered gone, although it
    has no ``stopped_at``.
    """

    id = models.CharField(primary_key=True, max_length=32)
    name = models.CharField(max_length=100)
    host = models.CharField(max_length=100)
    pid = models.PositiveIntegerField()
    queues = models.JSONField(default=dict)
    width = models.PositiveIntegerField()
    version = models.CharField(max_length=20)
    reader_escapes = models.JSONField(null=True, default=None)
    started_at = models.DateTimeField()
    seen_at = models.DateTimeField()
    stopped_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"{self.name}, process {self.pid}"


class AttemptOutcome(models.TextChoices):
    """How an attempt ended; ``RUNNING`` until then."""

    RUNNING = "running"
    ACCEPTED = "accepted"
    FAILED = "failed"
    REFUSED = "refused", "refused: overtaken or cancelled"
    LEASE_LOST = "lease_lost", "lease lost: its worker fell silent"


class PageAttempt(models.Model):
    """One attempt at a step, recorded before the work begins: its pages, its worker, its outcome."""

    job = models.ForeignKey(ParseJob, on_delete=models.CASCADE, related_name="attempts")
    stage = models.CharField(max_length=12, choices=_choices(Stage))
    step_id = models.BigIntegerField()
    fence = models.PositiveIntegerField()
    first_page = models.PositiveIntegerField()
    last_page = models.PositiveIntegerField()
    worker = models.CharField(max_length=100)
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    outcome = models.CharField(max_length=12, choices=AttemptOutcome, default=AttemptOutcome.RUNNING)
    error_code = models.CharField(max_length=40, blank=True)
    detail = models.CharField(max_length=500, blank=True, help_text="how a page was recognised, and the reason")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["step_id", "fence"], name="one_attempt_per_claim")]

    def __str__(self) -> str:
        return f"{self.stage} of {self.job_id}, pages {self.first_page}-{self.last_page}, {self.outcome}"


def new_configuration_id() -> str:
    return f"cfg-{uuid.uuid4()}"


class SavedConfiguration(models.Model):
    """Options that a request can name instead of sending them: ``parameters``, as they were sent and validated."""

    id = models.CharField(primary_key=True, max_length=40, default=new_configuration_id, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="configurations")
    name = models.CharField(max_length=200)
    parameters = models.JSONField(default=dict)
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["project", "-created_at", "id"], name="configuration_newest")]

    def __str__(self) -> str:
        return f"{self.name} ({self.id})"


def new_batch_id() -> str:
    return f"bat-{uuid.uuid4()}"


class JobBatch(models.Model):
    """Jobs for many files, submitted together with the options of a saved configuration.

    Its state follows from its jobs. ``directory_id`` is empty if the request named the files one by one.
    ``source_file_id``: the file that contained them; ``skipped``: those inside it without a job, as ContainedFile.
    """

    id = models.CharField(primary_key=True, max_length=40, default=new_batch_id, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="batches")
    directory_id = models.CharField(max_length=40, blank=True)
    source_file_id = models.CharField(max_length=40, blank=True, default="", db_default="")
    skipped = models.JSONField(default=list, blank=True, db_default=[])
    configuration_id = models.CharField(max_length=1000)
    created_at = models.DateTimeField()
    cancelled_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [models.Index(fields=["project", "-created_at", "id"], name="batch_newest")]
        verbose_name_plural = "job batches"

    def __str__(self) -> str:
        return self.id


class JobBatchFile(models.Model):
    """A file of a batch and its job. ``source_id``: the id of the file, or of its entry in the directory.

    ``name``: its path in the file that contained it, or "".
    """

    batch = models.ForeignKey(JobBatch, on_delete=models.CASCADE, related_name="files")
    job = models.ForeignKey(ParseJob, null=True, on_delete=models.SET_NULL, related_name="+")
    source_id = models.CharField(max_length=40)
    name = models.CharField(max_length=1000, blank=True, default="", db_default="")

    def __str__(self) -> str:
        return f"{self.source_id} of {self.batch_id}"
