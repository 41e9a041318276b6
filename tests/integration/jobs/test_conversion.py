"""A document of an older program is converted in a stage of its own, then split and read like any other."""

from __future__ import annotations

import base64
import io
import time
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, BinaryIO

import pikepdf
import pytest
from django.db import connection
from django.test import RequestFactory
from rest_framework.request import Request

from apps.accounts.models import ProjectQuota
from apps.api.v2.result_files import content_metadata, open_file
from apps.documents import storage
from apps.documents.storage import FolderStorage
from apps.jobs import queries, workflow
from apps.jobs.commands.cancel import cancel_job
from apps.jobs.commands.delete import delete_job
from apps.jobs.commands.retry import retry_pages
from apps.jobs.models import AttemptOutcome, PageAttempt, ParseJob, Step
from apps.jobs.scheduling import claims, workers
from apps.jobs.scheduling.claims import reclaim_from_lost_worker
from apps.jobs.stages.pictures import rendered_picture
from apps.jobs.states import JobState, Stage, StepState
from apps.pages.model.media_types import PDF
from apps.pages.sandbox.preload import small_pdf
from tests.documents.long import long_document
from tests.integration.jobs.conftest import Submit, deliver, open_steps, run, run_to
from tests.unit.pages.conversion.fake_office import fake_office, open_folder
from tests.unit.pages.office.office_files import docx
from tests.unit.pages.office.older_workbooks import compound

LETTER = compound("WordDocument", b"a letter")
MakeOffice = Callable[[str], None]


@pytest.fixture
def office(settings: Any) -> Iterator[MakeOffice]:
    """A function that puts a script in LibreOffice's place."""
    with open_folder() as folder:

        def make(body: str) -> None:
            settings.CONVERTER = str(fake_office(folder, body))

        yield make


@pytest.fixture
def letter(tmp_path: Path) -> str:
    """The lines of a script that writes a converted letter."""
    content = docx(tmp_path / "letter.docx", "<w:p><w:r><w:t>Dear Ann</w:t></w:r></w:p>").read_bytes()
    return f'echo {base64.b64encode(content).decode()} | base64 -d >"$out/document.$suffix"'


def markdown(job: ParseJob) -> str:
    source = queries.open_result(job, "markdown.md")
    assert source is not None
    with source:
        return source.read().decode()


def test_a_letter_is_converted_and_read(submit: Submit, office: MakeOffice, letter: str, settings: Any) -> None:
    office(letter)
    settings.SHORT_ROAD_PAGES = 16
    job = run(submit(LETTER))

    assert job.state == JobState.SUCCEEDED, job.error_detail
    assert markdown(job) == "Dear Ann\n"
    assert job.media_type == "application/msword"
    assert job.converted_type.endswith("wordprocessingml.document")
    assert [warning["code"] for warning in job.warnings] == ["document_converted"]
    stages = list(PageAttempt.objects.filter(job=job).order_by("pk").values_list("stage", flat=True))
    assert stages == [Stage.SPLIT, Stage.CONVERT, Stage.SPLIT, Stage.ASSEMBLE]


def test_ranges_of_a_long_document_read_the_converted_file(submit: Submit, office: MakeOffice, letter: str) -> None:
    office(letter)

    assert markdown(run(submit(LETTER))) == "Dear Ann\n"


def test_a_drawing_becomes_a_pdf_that_can_be_fetched(submit: Submit, office: MakeOffice) -> None:
    drawing = io.BytesIO()
    with zipfile.ZipFile(drawing, "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.graphics")
        archive.writestr("content.xml", "<office/>")
    office(f'echo {base64.b64encode(small_pdf()).decode()} | base64 -d >"$out/document.$suffix"')
    job = run(submit(drawing.getvalue(), options={"output_options": {"save_output_pdf": True}}))
    assert (job.state, markdown(job)) == (JobState.SUCCEEDED, "Ready\n")

    request = Request(RequestFactory().get("/"))
    linked = content_metadata(request, job, ["output_pdf_content_metadata"])["output_pdf"]
    found = open_file(job, "document.pdf")
    assert found is not None
    with found[1] as content:
        assert content.read() == small_pdf()
    assert (linked.size_bytes, linked.exists) == (len(small_pdf()), True)
    made = open_file(job, "searchable.pdf")
    assert made is not None
    with made[1] as content, pikepdf.open(content) as copy:
        assert not copy.pages[0].get_images()


def test_the_converted_file_is_removed_with_its_job(submit: Submit, office: MakeOffice, letter: str) -> None:
    office(letter)
    job = run(submit(LETTER))
    assert storage.exists(job.converted_key)

    delete_job(job=job)

    assert not storage.exists(job.converted_key)


def test_pages_of_a_converted_drawing_have_pictures(submit: Submit, office: MakeOffice, tmp_path: Path) -> None:
    office(f'echo {base64.b64encode(long_document(2)).decode()} | base64 -d >"$out/document.$suffix"')
    job = run(submit(compound("VisioDocument", b"a plan")))

    assert (job.state, job.media_type, job.read_type) == (JobState.SUCCEEDED, "application/vnd.visio", PDF)
    assert job.document_pages == 2
    assert rendered_picture(job, 2, 612, 792, None).startswith(b"\xff\xd8\xff")


def test_a_job_that_copies_pages_copies_the_converted_file(submit: Submit, office: MakeOffice, letter: str) -> None:
    office(letter)
    hidden = {"processing_options": {"ignore": {"ignore_hidden_text": True}}}
    source = run(submit(LETTER, options=hidden))
    copy = run(submit(LETTER, options=hidden, source_job=source.pk))

    assert copy.state == JobState.SUCCEEDED
    assert copy.converted_key != source.converted_key
    assert storage.read(copy.converted_key) == storage.read(source.converted_key)
    assert copy.read_type == source.read_type


def test_a_failed_conversion_can_be_retried(submit: Submit, office: MakeOffice, letter: str) -> None:
    office("exit 1")
    job = run(submit(LETTER))
    assert job.error_code == "conversion_failed"
    office(letter)

    assert run(retry_pages(job=job)).state == JobState.SUCCEEDED


def test_a_job_fails_at_once_where_no_converter_is(submit: Submit, settings: Any) -> None:
    settings.CONVERTER = "off"
    job = submit(LETTER)
    deliver(open_steps(job)[0])
    job.refresh_from_db()

    assert (job.state, job.error_code) == (JobState.FAILED, "converter_missing")
    assert "apt-get install libreoffice-writer-nogui" in job.error_detail


def test_without_a_setting_a_live_worker_decides(submit: Submit, settings: Any) -> None:
    settings.CONVERTER = "auto"
    job = submit(LETTER)
    deliver(open_steps(job)[0])
    job.refresh_from_db()
    assert job.error_code == "converter_missing"

    workers.record_worker(workers.WorkerFacts("one", "convert@host", "host", 1, {"convert": 1}, 1, "1.0"))
    job = run_to(submit(LETTER), Stage.CONVERT)
    assert job.stage == Stage.CONVERT


def test_a_worker_without_the_program_ends_the_job(submit: Submit, settings: Any, tmp_path: Path) -> None:
    settings.CONVERTER = str(tmp_path / "soffice")
    job = run_to(submit(LETTER), Stage.CONVERT)
    assert [step.queue for step in open_steps(job)] == [workflow.CONVERT_QUEUE]

    assert run(job).error_code == "converter_missing"


def test_a_conversion_that_hangs_ends_the_job(submit: Submit, office: MakeOffice, settings: Any) -> None:
    office("trap '' TERM; sleep 600")
    settings.CONVERTER_SECONDS = 1
    job = run(submit(LETTER))

    assert (job.state, job.error_code) == (JobState.FAILED, "conversion_timeout")


def test_a_document_that_cannot_be_converted_ends_the_job(submit: Submit, office: MakeOffice) -> None:
    office("exit 0")

    assert run(submit(LETTER)).error_code == "conversion_failed"


def test_a_crash_is_an_attempt_and_the_last_one_ends_the_job(submit: Submit, office: MakeOffice, settings: Any) -> None:
    office("kill -SEGV $$")
    settings.MAX_STARTS = 2
    job = run_to(submit(LETTER), Stage.CONVERT)
    for _ in range(settings.MAX_STARTS):
        Step.objects.filter(job=job).update(not_before=None)
        deliver(open_steps(job, Stage.CONVERT)[0])
    job.refresh_from_db()

    assert (job.state, job.error_code) == (JobState.FAILED, "conversion_failed")
    attempts = PageAttempt.objects.filter(job=job, stage=Stage.CONVERT)
    assert [attempt.error_code for attempt in attempts] == ["conversion_failed"] * 2


def test_workers_that_are_lost_during_a_conversion_end_the_job(submit: Submit, office: MakeOffice, letter: str) -> None:
    office(letter)
    job = run_to(submit(LETTER), Stage.CONVERT)
    while steps := open_steps(job, Stage.CONVERT):
        claims.start_attempt(step_id=steps[0].pk, fence=steps[0].fence)
        reclaim_from_lost_worker(step_id=steps[0].pk, fence=steps[0].fence)
    job.refresh_from_db()

    assert (job.state, job.error_code) == (JobState.FAILED, "conversion_failed")


def test_a_conversion_that_is_cancelled_meanwhile_is_stopped(submit: Submit, office: MakeOffice) -> None:
    office("trap '' TERM; sleep 600")
    job = run_to(submit(LETTER), Stage.CONVERT)
    (step,) = open_steps(job)

    def work() -> None:
        deliver(step)
        connection.close()

    with ThreadPoolExecutor(1) as executor:
        worker = executor.submit(work)
        until = time.monotonic() + 60
        while not Step.objects.filter(pk=step.pk, state=StepState.RUNNING).exists():
            assert time.monotonic() < until
            time.sleep(0.05)
        cancel_job(job=job)
        worker.result(timeout=90)  # the converter would take ten minutes

    assert PageAttempt.objects.get(job=job, stage=Stage.CONVERT).outcome == AttemptOutcome.REFUSED


class CancellingStorage(FolderStorage):
    """A storage in which a job is cancelled just after its converted document is written."""

    def write(self, key: str, content: bytes | BinaryIO, *, durable: bool) -> None:
        super().write(key, content, durable=durable)
        if "/converted." in key:
            assert self.exists(key)
            cancel_job(job=ParseJob.objects.get())


def test_a_converted_file_of_a_cancelled_job_is_removed(
    submit: Submit, office: MakeOffice, letter: str, tmp_path: Path, settings: Any
) -> None:
    office(letter)
    backend = {"BACKEND": f"{__name__}.CancellingStorage"}
    settings.STORAGES = settings.STORAGES | {"default": settings.STORAGES["default"] | backend}
    job = run(submit(LETTER))

    assert (job.state, job.converted_key) == (JobState.CANCELLED, "")
    assert not list((tmp_path / "storage").rglob("converted.*"))


def test_the_second_split_is_not_a_new_job_for_the_limit_of_a_project(
    submit: Submit, office: MakeOffice, letter: str
) -> None:
    office(letter)
    job = submit(LETTER)
    ProjectQuota.objects.update_or_create(project=job.project, defaults={"concurrent_jobs": 1})

    assert run(job).state == JobState.SUCCEEDED


def test_a_converted_file_is_not_converted_again(submit: Submit, office: MakeOffice) -> None:
    office('cp "$source" "$out/document.$suffix"')

    assert run(submit(LETTER)).error_code == "conversion_failed"
