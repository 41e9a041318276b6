"""Pages without a text layer: rendered, recognised by a process that has no database, accepted once.

``ocr_worker`` is called here as its task calls it, with the order that ``render_page`` gives.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db.models.functions import Now

from apps.documents import storage
from apps.jobs.commands.cancel import cancel_job
from apps.jobs.commands.retry import retry_pages
from apps.jobs.models import JobPage, PageAttempt, ParseJob, Step
from apps.jobs.scheduling import dispatch, workers
from apps.jobs.scheduling.workers import ocr_queue
from apps.jobs.stages import recognize
from apps.jobs.states import JobState, PageState, Stage, StepState
from apps.pages.model.ocr_image import decode_ocr_image
from ocr_worker import transfer
from ocr_worker.engine import EngineProcess, OcrRequest
from tests.documents.long import long_document
from tests.documents.scans import LINES, scanned_pdf, text_beside_a_picture
from tests.fakes.workers import register_worker, stop_heartbeat
from tests.integration.jobs.conftest import DELIVER, Submit, open_steps, rescue, run, run_to
from tests.integration.ocr.conftest import process_with


@pytest.fixture(scope="module")
def engine() -> Iterator[EngineProcess]:
    with process_with("rapidocr-openvino", "tesseract") as process:
        yield process


@pytest.fixture(autouse=True)
def _ocr_is_delivered(engine: EngineProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    """``deliver`` knows what a chain of three does."""

    def deliver(*, step_id: int, fence: int) -> None:
        order = recognize.render_page(step_id=step_id, fence=fence)
        if order is not None:
            recognize.keep_ocr_alive(step_id=order["step_id"], fence=order["fence"], worker="ocr-1")
            answer(order, engine)
            recognize.accept_ocr(step_id=order["step_id"], fence=order["fence"])

    monkeypatch.setitem(DELIVER, Stage.RECOGNIZE, deliver)


def answer(order: dict[str, Any], engine: EngineProcess) -> None:
    how = OcrRequest(tuple(order["languages"]), order["high_resolution"])
    transfer.deliver(order["answer"], engine.recognize(transfer.fetch(order["image"]), how))


def text_of(job: ParseJob) -> str:
    return storage.read(f"{job.result_folder}/text.txt").decode()


def begun(job: ParseJob) -> tuple[Step, dict[str, Any]]:
    """The first step of OCR, rendered and waiting, and the order for it."""
    step = open_steps(run_to(job, Stage.RECOGNIZE))[0]
    order = recognize.render_page(step_id=step.pk, fence=step.fence)
    assert order is not None
    step.refresh_from_db()
    return step, order


@pytest.mark.parametrize("short_document_pages", [0, 16])
def test_a_scan_becomes_text(submit: Submit, settings: Any, short_document_pages: int) -> None:
    settings.SHORT_ROAD_PAGES = short_document_pages
    job = run(submit(scanned_pdf(2)))

    assert job.state == JobState.SUCCEEDED
    for line in LINES:
        assert text_of(job).count(line) == 2
    assert "Sheet number 2" in text_of(job)
    assert job.warnings == []
    assert job.result_facts["pages_needing_ocr"] == 0


def test_how_a_page_was_read_is_on_record(submit: Submit) -> None:
    job = run(submit(scanned_pdf(1)))
    attempt = PageAttempt.objects.get(job=job, stage=Stage.RECOGNIZE)
    assert (attempt.outcome, attempt.worker) == ("accepted", "ocr-1")
    assert "rapidocr-openvino" in attempt.detail
    assert "first choice" in attempt.detail
    page = JobPage.objects.get(job=job)
    assert (page.state, page.needs_ocr, page.attempts) == (PageState.SUCCEEDED, "", 2)


def test_what_is_not_needed_any_more_is_removed(submit: Submit, tmp_path: Path) -> None:
    run(submit(scanned_pdf(2)))
    assert not [path for path in tmp_path.rglob("ocr/*") if path.is_file()]


def test_pages_with_text_are_not_sent_to_ocr(submit: Submit) -> None:
    job = run(submit(long_document(3)))
    assert not Step.objects.filter(job=job, stage=Stage.RECOGNIZE).exists()


def test_ocr_can_be_switched_off(submit: Submit) -> None:
    job = run(submit(scanned_pdf(1), options={"processing_options": {"ocr_parameters": {"disable_ocr": True}}}))
    assert job.state == JobState.SUCCEEDED
    assert text_of(job).strip() == ""
    assert [warning["code"] for warning in job.warnings] == ["needs_ocr"]


def test_the_languages_of_the_request_go_to_the_worker(submit: Submit) -> None:
    asked = {"processing_options": {"ocr_parameters": {"languages": ["de", "en"], "high_res_ocr": True}}}
    _step, order = begun(submit(scanned_pdf(1), options=asked))
    assert (order["languages"], order["high_resolution"]) == (["de", "en"], True)


def test_waiting_is_neither_a_lease_nor_an_attempt(submit: Submit) -> None:
    step, order = begun(submit(scanned_pdf(1)))
    assert (step.state, step.starts, step.lease_expires_at) == (StepState.PENDING, 0, None)
    assert not PageAttempt.objects.filter(job=step.job, stage=Stage.RECOGNIZE).exists()

    recognize.keep_ocr_alive(step_id=step.pk, fence=order["fence"], worker="ocr-1")
    step.refresh_from_db()
    assert (step.state, step.starts) == (StepState.RUNNING, 1)
    assert step.lease_expires_at is not None

    first_lease = step.lease_expires_at
    recognize.keep_ocr_alive(step_id=step.pk, fence=order["fence"], worker="ocr-1")
    step.refresh_from_db()
    assert step.starts == 1
    assert step.lease_expires_at is not None
    assert step.lease_expires_at >= first_lease


def test_an_answer_with_an_old_fence_is_dropped(submit: Submit, engine: EngineProcess) -> None:
    step, old = begun(submit(scanned_pdf(1)))
    recognize.keep_ocr_alive(step_id=step.pk, fence=old["fence"], worker="ocr-1")
    Step.objects.filter(pk=step.pk).update(lease_expires_at=Now() - timedelta(seconds=1))
    assert rescue().leases == 1
    answer(old, engine)
    recognize.accept_ocr(step_id=step.pk, fence=old["fence"])
    recognize.keep_ocr_alive(step_id=step.pk, fence=old["fence"], worker="ocr-1")

    step.refresh_from_db()
    assert step.state == StepState.PENDING
    job = run(step.job)
    assert job.state == JobState.SUCCEEDED
    assert PageAttempt.objects.filter(job=job, stage=Stage.RECOGNIZE, outcome="accepted").count() == 1


def test_an_answer_that_came_without_a_word_of_the_worker_is_taken(submit: Submit, engine: EngineProcess) -> None:
    step, order = begun(submit(scanned_pdf(1)))
    answer(order, engine)
    recognize.accept_ocr(step_id=step.pk, fence=order["fence"])
    step.refresh_from_db()
    assert (step.state, step.starts) == (StepState.SUCCEEDED, 1)


def test_a_written_answer_is_found_before_the_page_is_sent_again(submit: Submit, engine: EngineProcess) -> None:
    """The last message got lost, the answer did not."""
    step, order = begun(submit(scanned_pdf(1)))
    answer(order, engine)
    Step.objects.filter(pk=step.pk).update(sent_at=Now() - timedelta(minutes=5))
    assert recognize.accept_written_answer(step)
    step.refresh_from_db()
    assert step.state == StepState.SUCCEEDED


def test_an_expired_link_is_no_attempt_but_a_new_picture(submit: Submit) -> None:
    step, order = begun(submit(scanned_pdf(1)))
    recognize.accept_ocr(step_id=step.pk, fence=order["fence"], code="image_gone", detail="The link has expired.")
    step.refresh_from_db()
    assert (step.state, step.starts, step.image, step.sent_at) == (StepState.PENDING, 0, "", None)
    assert step.not_before is not None  # not at once: where the worker never finds it this would spin
    Step.objects.filter(pk=step.pk).update(not_before=None)
    assert run(step.job).state == JobState.SUCCEEDED


def test_a_failure_is_tried_again_at_half_the_resolution_and_then_the_page_fails_alone(submit: Submit) -> None:
    job = submit(scanned_pdf(2))
    step, order = begun(job)
    recognize.accept_ocr(step_id=step.pk, fence=order["fence"], code="ocr_timeout", detail="Too slow.")
    step.refresh_from_db()
    assert (step.state, step.starts) == (StepState.PENDING, 1)
    Step.objects.filter(pk=step.pk).update(not_before=None)
    again = recognize.render_page(step_id=step.pk, fence=step.fence)
    assert again is not None
    sizes = [decode_ocr_image(transfer.fetch(each["image"])) for each in (order, again)]
    assert [size.width for size in sizes] == [1000, 667]  # 150 dpi as it was scanned, then half of OCR_DPI
    recognize.accept_ocr(step_id=step.pk, fence=again["fence"], code="ocr_timeout", detail="Too slow.")

    job = run(job)
    assert job.state == JobState.PARTIAL
    failed, good = JobPage.objects.filter(job=job).order_by("number")
    assert (failed.state, failed.error_code) == (PageState.FAILED, "ocr_timeout")
    assert good.state == PageState.SUCCEEDED
    assert "Sheet number 2" in text_of(job)


def test_a_missing_language_is_told_once_and_for_all(submit: Submit) -> None:
    step, order = begun(submit(scanned_pdf(1)))
    recognize.accept_ocr(step_id=step.pk, fence=order["fence"], code="language_not_installed", detail="Install it.")
    job = run(step.job)
    assert (job.state, job.error_code) == (JobState.FAILED, "language_not_installed")
    assert "Install it." in job.error_detail


def test_a_cancelled_job_takes_no_answers(submit: Submit, engine: EngineProcess) -> None:
    step, order = begun(submit(scanned_pdf(1)))
    cancel_job(job=step.job)
    answer(order, engine)
    recognize.accept_ocr(step_id=step.pk, fence=order["fence"])
    assert JobPage.objects.get(job=step.job).state == PageState.CANCELLED


def test_no_more_pages_are_open_at_once_than_a_document_may_have(submit: Submit, settings: Any) -> None:
    job = run_to(submit(scanned_pdf(12)), Stage.RECOGNIZE)
    sent = []

    def taken(*_: Any) -> bool:
        sent.append(Step.objects.filter(job=job, stage=Stage.RECOGNIZE, sent_at__isnull=False).count())
        return True

    with pytest.MonkeyPatch.context() as broker:
        broker.setattr("apps.jobs.workflow.send_window", taken)
        dispatch.send_due()
    assert sent[-1] == settings.OCR_CONCURRENCY == 8


def test_a_gpu_that_goes_away_leaves_its_pages_to_the_cpu(submit: Submit) -> None:
    gpu = register_worker("ocr_gpu")
    assert ocr_queue() == "ocr_gpu"
    job = run_to(submit(scanned_pdf(1)), Stage.RECOGNIZE)
    assert open_steps(job)[0].queue == "ocr_gpu"
    assert workers.move_pages_from_lost_gpu() == 0

    stop_heartbeat(gpu)
    rescue()

    assert open_steps(job)[0].queue == "ocr_cpu"
    assert run(job).state == JobState.SUCCEEDED


def test_pages_can_be_read_again(submit: Submit) -> None:
    job = run(submit(scanned_pdf(2)))
    before = text_of(job)
    job = run(retry_pages(job=job, page_numbers=[2]))
    assert (job.state, text_of(job)) == (JobState.SUCCEEDED, before)


def test_the_pictures_of_a_page_with_text_are_read_unless_they_are_to_be_ignored(submit: Submit) -> None:
    page = text_beside_a_picture("These words are typeset and long enough to be a text layer of their own.")
    job = run(submit(page))
    for line in ("These words are typeset", LINES[0], LINES[-1]):
        assert text_of(job).count(line) == 1

    job = run(submit(page, options={"processing_options": {"ignore": {"ignore_text_in_image": True}}}))
    assert "These words are typeset" in text_of(job)
    assert LINES[0] not in text_of(job)
    assert job.warnings == []
