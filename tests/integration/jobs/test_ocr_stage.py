"""Pages without a text layer: rendered, recognised by a process without a database, accepted once.

The tests call ``ocr_worker`` as its task does, with the request that ``render_page`` returns.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import segno
from django.db.models.functions import Now
from PIL import Image, ImageDraw

from apps.documents import storage
from apps.jobs.commands.cancel import cancel_job
from apps.jobs.commands.retry import retry_pages
from apps.jobs.models import JobPage, PageAttempt, ParseJob, Step
from apps.jobs.scheduling import dispatch, workers
from apps.jobs.scheduling.workers import ocr_queue
from apps.jobs.stages import recognize
from apps.jobs.states import JobState, PageState, Stage, StepState
from apps.pages.model.page_images.ocr_image import decode_ocr_image
from apps.pages.sandbox.preload import assembled_pdf
from ocr_worker import transfer
from ocr_worker.engine import EngineProcess, OcrRequest
from tests.documents.hostile import stream
from tests.documents.long import long_document
from tests.documents.scans import LINES, picture, scanned_pdf, text_beside_a_picture
from tests.fakes.workers import register_worker, stop_heartbeat
from tests.integration.jobs.conftest import DELIVER, Submit, open_steps, rescue, run, run_to
from tests.integration.ocr.conftest import process_with


@pytest.fixture(scope="module")
def engine() -> Iterator[EngineProcess]:
    with process_with("rapidocr-openvino", "tesseract") as process:
        yield process


@pytest.fixture(autouse=True)
def _ocr_is_delivered(engine: EngineProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let ``deliver`` run the chain of three tasks."""

    def deliver(*, step_id: int, fence: int) -> None:
        request = recognize.render_page(step_id=step_id, fence=fence)
        if request is not None:
            recognize.renew_ocr_lease(step_id=request["step_id"], fence=request["fence"], worker="ocr-1")
            answer(request, engine)
            recognize.accept_ocr(step_id=request["step_id"], fence=request["fence"])

    monkeypatch.setitem(DELIVER, Stage.RECOGNIZE, deliver)


def answer(request: dict[str, Any], engine: EngineProcess) -> None:
    """Recognise the page and write the answer, as an OCR worker does."""
    recognition = engine.recognize(transfer.fetch(request["image"]), OcrRequest.of_order(request))
    transfer.deliver(request["answer"], recognition)


def text_of(job: ParseJob) -> str:
    return storage.read(f"{job.result_folder}/text.txt").decode()


def start_ocr(job: ParseJob) -> tuple[Step, dict[str, Any]]:
    """Render the job's first page for OCR. Return its step and the request for it."""
    step = open_steps(run_to(job, Stage.RECOGNIZE))[0]
    request = recognize.render_page(step_id=step.pk, fence=step.fence)
    assert request is not None
    step.refresh_from_db()
    return step, request


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


def test_the_attempt_records_how_a_page_was_recognised(submit: Submit) -> None:
    job = run(submit(scanned_pdf(1)))
    attempt = PageAttempt.objects.get(job=job, stage=Stage.RECOGNIZE)
    assert (attempt.outcome, attempt.worker) == ("accepted", "ocr-1")
    assert "rapidocr-openvino" in attempt.detail
    assert "first choice" in attempt.detail
    page = JobPage.objects.get(job=job)
    assert (page.state, page.needs_ocr, page.attempts) == (PageState.SUCCEEDED, "", 2)


def test_images_and_answers_are_removed(submit: Submit, tmp_path: Path) -> None:
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


def test_the_worker_gets_the_languages_of_the_request(submit: Submit) -> None:
    asked = {"processing_options": {"ocr_parameters": {"languages": ["de", "en"], "high_res_ocr": True}}}
    _step, request = start_ocr(submit(scanned_pdf(1), options=asked))
    assert (request["languages"], request["high_resolution"]) == (["de", "en"], True)


def page_with_a_code(value: str) -> bytes:
    """Return a PDF with a line of text and a QR code drawn as squares."""
    squares = [
        f"{100 + 4 * column} {500 - 4 * row} 4 4 re f"
        for row, modules in enumerate(segno.make(value, micro=False).matrix)
        for column, is_dark in enumerate(modules)
        if is_dark
    ]
    content = "\n".join(["BT /F 14 Tf 72 720 Td (Delivery note) Tj ET", *squares]).encode()
    return assembled_pdf(
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Contents 4 0 R/Resources<</Font<</F 5 0 R>>>>>>",
        stream(content),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    )


LOOKS_FOR_CODES: dict[str, Any] = {"processing_options": {"ocr_parameters": {"barcodes": True}}}


@pytest.mark.parametrize("short_document_pages", [0, 16])
def test_codes_on_pages_with_text_are_read_on_request(submit: Submit, settings: Any, short_document_pages: int) -> None:
    settings.SHORT_ROAD_PAGES = short_document_pages
    content = page_with_a_code("parcel 4711")
    job = run(submit(content, options=LOOKS_FOR_CODES))
    assert (job.state, job.warnings) == (JobState.SUCCEEDED, [])
    assert text_of(job) == "Delivery note\n\nQR code: parcel 4711\n"
    assert text_of(run(submit(content))) == "Delivery note\n"


def test_a_page_whose_codes_cannot_be_read_keeps_its_text(submit: Submit) -> None:
    step, request = start_ocr(submit(page_with_a_code("parcel 4711"), options=LOOKS_FOR_CODES))
    assert request["only_barcodes"]
    recognize.accept_ocr(step_id=step.pk, fence=request["fence"], code="ocr_memory", detail="Too large.")
    job = run(step.job)
    assert (text_of(job), job.state) == ("Delivery note\n", JobState.SUCCEEDED)
    assert [warning["code"] for warning in job.warnings] == ["barcodes_not_read"]


def test_pictures_of_an_office_document_are_read_together(submit: Submit) -> None:
    job = run(submit(web_page_with_pictures()))
    assert (job.state, job.warnings) == (JobState.SUCCEEDED, [])
    assert text_of(job).split("\n\n") == ["Before", " ".join(LINES), "Between", "Parcel 4711", "After\n"]


def web_page_with_pictures() -> bytes:
    """Return a web page with a picture of lines, and one of a few words."""
    shown = []
    for image in (picture(), small_picture("Parcel 4711")):
        out = io.BytesIO()
        image.save(out, "PNG")
        shown.append(f'<img src="data:image/png;base64,{base64.b64encode(out.getvalue()).decode()}">')
    return f"<html><p>Before</p>{shown[0]}<p>Between</p>{shown[1]}<p>After</p></html>".encode()


def small_picture(text: str) -> Image.Image:
    image = Image.new("L", (400, 80), "white")
    ImageDraw.Draw(image).text((20, 20), text, fill="black", font_size=32)
    return image


def test_a_page_that_waits_for_ocr_has_no_lease_and_no_attempt(submit: Submit) -> None:
    step, request = start_ocr(submit(scanned_pdf(1)))
    assert (step.state, step.starts, step.lease_expires_at) == (StepState.PENDING, 0, None)
    assert not PageAttempt.objects.filter(job=step.job, stage=Stage.RECOGNIZE).exists()

    recognize.renew_ocr_lease(step_id=step.pk, fence=request["fence"], worker="ocr-1")
    step.refresh_from_db()
    assert (step.state, step.starts) == (StepState.RUNNING, 1)
    assert step.lease_expires_at is not None

    first_lease = step.lease_expires_at
    recognize.renew_ocr_lease(step_id=step.pk, fence=request["fence"], worker="ocr-1")
    step.refresh_from_db()
    assert step.starts == 1
    assert step.lease_expires_at is not None
    assert step.lease_expires_at >= first_lease


def test_an_answer_with_an_old_fence_is_discarded(submit: Submit, engine: EngineProcess) -> None:
    step, old = start_ocr(submit(scanned_pdf(1)))
    recognize.renew_ocr_lease(step_id=step.pk, fence=old["fence"], worker="ocr-1")
    Step.objects.filter(pk=step.pk).update(lease_expires_at=Now() - timedelta(seconds=1))
    assert rescue().leases == 1
    answer(old, engine)
    recognize.accept_ocr(step_id=step.pk, fence=old["fence"])
    recognize.renew_ocr_lease(step_id=step.pk, fence=old["fence"], worker="ocr-1")

    step.refresh_from_db()
    assert step.state == StepState.PENDING
    job = run(step.job)
    assert job.state == JobState.SUCCEEDED
    assert PageAttempt.objects.filter(job=job, stage=Stage.RECOGNIZE, outcome="accepted").count() == 1


def test_an_answer_is_accepted_although_the_workers_first_message_was_lost(
    submit: Submit, engine: EngineProcess
) -> None:
    step, request = start_ocr(submit(scanned_pdf(1)))
    answer(request, engine)
    recognize.accept_ocr(step_id=step.pk, fence=request["fence"])
    step.refresh_from_db()
    assert (step.state, step.starts) == (StepState.SUCCEEDED, 1)


def test_a_written_answer_is_accepted_before_the_page_is_sent_again(submit: Submit, engine: EngineProcess) -> None:
    """The last message was lost, but the answer is in storage."""
    step, request = start_ocr(submit(scanned_pdf(1)))
    answer(request, engine)
    Step.objects.filter(pk=step.pk).update(sent_at=Now() - timedelta(minutes=5))
    assert recognize.accept_written_answer(step)
    step.refresh_from_db()
    assert step.state == StepState.SUCCEEDED


def test_an_expired_link_renders_the_page_again_without_an_attempt(submit: Submit) -> None:
    step, request = start_ocr(submit(scanned_pdf(1)))
    recognize.accept_ocr(step_id=step.pk, fence=request["fence"], code="image_gone", detail="The link has expired.")
    step.refresh_from_db()
    assert (step.state, step.starts, step.image, step.sent_at) == (StepState.PENDING, 0, "", None)
    assert step.not_before is not None  # with a delay: a worker that never finds the image must not cause a tight loop
    Step.objects.filter(pk=step.pk).update(not_before=None)
    assert run(step.job).state == JobState.SUCCEEDED


def test_a_timed_out_page_is_retried_at_half_the_resolution_and_then_fails_alone(submit: Submit) -> None:
    job = submit(scanned_pdf(2))
    step, request = start_ocr(job)
    recognize.accept_ocr(step_id=step.pk, fence=request["fence"], code="ocr_timeout", detail="Too slow.")
    step.refresh_from_db()
    assert (step.state, step.starts) == (StepState.PENDING, 1)
    Step.objects.filter(pk=step.pk).update(not_before=None)
    again = recognize.render_page(step_id=step.pk, fence=step.fence)
    assert again is not None
    sizes = [decode_ocr_image(transfer.fetch(each["image"])) for each in (request, again)]
    assert [size.width for size in sizes] == [1000, 667]  # 150 dpi as in the scan, then half of OCR_DPI
    recognize.accept_ocr(step_id=step.pk, fence=again["fence"], code="ocr_timeout", detail="Too slow.")

    job = run(job)
    assert job.state == JobState.PARTIAL
    failed, good = JobPage.objects.filter(job=job).order_by("number")
    assert (failed.state, failed.error_code) == (PageState.FAILED, "ocr_timeout")
    assert good.state == PageState.SUCCEEDED
    assert "Sheet number 2" in text_of(job)


def test_a_missing_language_fails_the_page_without_a_retry(submit: Submit) -> None:
    step, request = start_ocr(submit(scanned_pdf(1)))
    recognize.accept_ocr(step_id=step.pk, fence=request["fence"], code="language_not_installed", detail="Install it.")
    job = run(step.job)
    assert (job.state, job.error_code) == (JobState.FAILED, "language_not_installed")
    assert "Install it." in job.error_detail


def test_a_page_that_keeps_its_text_because_ocr_failed_has_a_warning(submit: Submit) -> None:
    own = "These words are typeset and long enough to be a text layer of their own."
    step, request = start_ocr(submit(text_beside_a_picture(own)))
    recognize.accept_ocr(step_id=step.pk, fence=request["fence"], code="language_not_installed", detail="Install it.")

    job = run(step.job)

    assert (job.state, text_of(job).strip()) == (JobState.SUCCEEDED, own)
    assert [(warning["code"], warning["pages"]) for warning in job.warnings] == [("text_layer_only", 1)]
    assert b'"warnings":["text_layer_only"]' in storage.read(f"{job.result_folder}/metadata.json")
    again = run(retry_pages(job=job, page_numbers=[1]))
    assert again.warnings == []


def test_answers_for_a_cancelled_job_are_discarded(submit: Submit, engine: EngineProcess) -> None:
    step, request = start_ocr(submit(scanned_pdf(1)))
    cancel_job(job=step.job)
    answer(request, engine)
    recognize.accept_ocr(step_id=step.pk, fence=request["fence"])
    assert JobPage.objects.get(job=step.job).state == PageState.CANCELLED


def test_the_pages_of_a_document_in_ocr_are_limited(submit: Submit, settings: Any) -> None:
    job = run_to(submit(scanned_pdf(12)), Stage.RECOGNIZE)
    sent = []

    def count_sent(*_: Any) -> bool:
        sent.append(Step.objects.filter(job=job, stage=Stage.RECOGNIZE, sent_at__isnull=False).count())
        return True

    with pytest.MonkeyPatch.context() as broker:
        broker.setattr("apps.jobs.workflow.publish_window", count_sent)
        dispatch.dispatch_due()
    assert sent[-1] == settings.OCR_CONCURRENCY == 8


def test_pages_move_to_the_cpu_when_the_gpu_worker_is_lost(submit: Submit) -> None:
    gpu = register_worker("ocr_gpu")
    assert ocr_queue() == "ocr_gpu"
    job = run_to(submit(scanned_pdf(1)), Stage.RECOGNIZE)
    assert open_steps(job)[0].queue == "ocr_gpu"
    assert workers.move_pages_from_lost_gpu() == 0

    stop_heartbeat(gpu)
    rescue()

    assert open_steps(job)[0].queue == "ocr_cpu"
    assert run(job).state == JobState.SUCCEEDED


def test_a_recognised_page_can_be_retried(submit: Submit) -> None:
    job = run(submit(scanned_pdf(2)))
    before = text_of(job)
    job = run(retry_pages(job=job, page_numbers=[2]))
    assert (job.state, text_of(job)) == (JobState.SUCCEEDED, before)


def test_pictures_on_a_page_with_text_are_recognised_unless_ignored(submit: Submit) -> None:
    page = text_beside_a_picture("These words are typeset and long enough to be a text layer of their own.")
    job = run(submit(page))
    for line in ("These words are typeset", LINES[0], LINES[-1]):
        assert text_of(job).count(line) == 1

    job = run(submit(page, options={"processing_options": {"ignore": {"ignore_text_in_image": True}}}))
    assert "These words are typeset" in text_of(job)
    assert LINES[0] not in text_of(job)
    assert job.warnings == []
