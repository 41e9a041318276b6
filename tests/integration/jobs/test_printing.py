"""An office document is printed to PDF if its job asks for the PDF, for screenshots, or for PDFs as exports."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pikepdf
import pytest
from django.test import Client, RequestFactory
from django.utils import timezone
from rest_framework.request import Request

from apps.accounts import services as accounts
from apps.api.v2.images import images_content_metadata
from apps.api.v2.result_files import content_metadata, open_file
from apps.documents import storage
from apps.jobs import queries
from apps.jobs.commands.delete import delete_job
from apps.jobs.models import PageAttempt, ParseJob, Step
from apps.jobs.scheduling import claims
from apps.jobs.scheduling import rescue as scheduling_rescue
from apps.jobs.scheduling.claims import reclaim_from_lost_worker
from apps.jobs.stages.pictures import rendered_picture
from apps.jobs.states import JobState, Stage
from apps.pages.model.blocks import Page, PageFailure
from apps.pages.model.errors import NoPictureOfPage, PageError
from apps.pages.model.geometry import Box
from apps.pages.sandbox.client import shared_reader
from tests.documents.long import long_document
from tests.integration.jobs.conftest import Submit, deliver, open_steps, rescue, run, run_to
from tests.unit.pages.conversion.fake_office import fake_office, open_folder
from tests.unit.pages.office.office_files import docx
from tests.unit.pages.office.older_workbooks import compound
from tests.unit.pages.office.test_presentations import deck, shape, slide

MakeOffice = Callable[[str], None]
PDF = {"output_options": {"save_output_pdf": True}}
SCREENSHOTS = {"output_options": {"images_to_save": ["screenshot"]}}


@pytest.fixture
def office(settings: Any) -> Iterator[MakeOffice]:
    """A function that puts a script in LibreOffice's place."""
    settings.SHORT_ROAD_PAGES = 16
    with open_folder() as folder:

        def make(body: str) -> None:
            settings.CONVERTER = str(fake_office(folder, body))

        yield make


@pytest.fixture
def letter(tmp_path: Path) -> bytes:
    return docx(tmp_path / "letter.docx", "<w:p><w:r><w:t>Dear Ann</w:t></w:r></w:p>").read_bytes()


@pytest.fixture
def slides(tmp_path: Path) -> bytes:
    return deck(tmp_path / "deck.pptx", slide(shape("Plan")), slide(shape("Figures"))).read_bytes()


def writes(content: bytes) -> str:
    return f'echo {base64.b64encode(content).decode()} | base64 -d >"$out/document.$suffix"'


def codes(job: ParseJob) -> list[str]:
    return [warning["code"] for warning in job.warnings]


def markdown(job: ParseJob) -> str:
    source = queries.open_result(job, "markdown.md")
    assert source is not None
    with source:
        return source.read().decode()


def words_of(page: Page | PageFailure) -> list[str]:
    assert isinstance(page, Page)
    return [word for block in page.blocks for word in block.text.split()]


def output_pdf(job: ParseJob) -> bytes | None:
    found = open_file(job, "document.pdf")
    if found is None:
        return None
    with found[1] as content:
        return content.read()


def test_a_letter_is_printed_and_read_from_its_structure(submit: Submit, office: MakeOffice, letter: bytes) -> None:
    printed = long_document(2)
    office(writes(printed))
    job = run(submit(letter, options=PDF))

    assert (job.state, markdown(job), codes(job)) == (JobState.SUCCEEDED, "Dear Ann\n", [])
    assert (job.document_pages, job.printed_pages, job.has_page_pictures) == (1, 2, False)
    assert output_pdf(job) == printed
    linked = content_metadata(Request(RequestFactory().get("/")), job, ["output_pdf_content_metadata"])["output_pdf"]
    assert (linked.size_bytes, linked.exists) == (len(printed), True)
    stages = list(PageAttempt.objects.filter(job=job).order_by("pk").values_list("stage", flat=True))
    assert stages == [Stage.SPLIT, Stage.CONVERT, Stage.SPLIT, Stage.ASSEMBLE]

    delete_job(job=job)
    assert not storage.exists(job.printed_key)


def test_a_print_that_is_gone_from_storage_has_a_code(submit: Submit, office: MakeOffice, letter: bytes) -> None:
    office(writes(long_document(2)))
    job = run(submit(letter, options=PDF))
    storage.delete(job.printed_key)

    client = Client(headers={"authorization": f"Bearer {accounts.create_api_key(name='test')[1]}"})
    for path in (f"v2/parse/{job.pk}/result/document.pdf", f"v1/parsing/job/{job.pk}/result/pdf"):
        response = client.get(f"/api/{path}", headers={"host": "localhost"})
        assert (response.status_code, response.json()["code"]) == (410, "document_missing")
    expanded = client.get(
        f"/api/v2/parse/{job.pk}",
        {"expand": ["output_pdf_content_metadata", "archive_pdf_content_metadata"]},
        headers={"host": "localhost"},
    )
    files = expanded.json()["result_content_metadata"]
    assert [(name, file["exists"]) for name, file in files.items()] == [("output_pdf", False), ("archive_pdf", False)]


def test_nothing_is_printed_that_is_not_asked_for(submit: Submit, office: MakeOffice, slides: bytes) -> None:
    office("exit 1")
    job = run(submit(slides))

    assert (job.state, job.printed_key, codes(job)) == (JobState.SUCCEEDED, "", [])
    assert output_pdf(job) is None


def test_printed_slides_have_screenshots(submit: Submit, office: MakeOffice, slides: bytes) -> None:
    office(writes(long_document(2)))
    job = run(submit(slides, options=SCREENSHOTS))

    assert (job.state, codes(job), job.printed_pages) == (JobState.SUCCEEDED, [], 2)
    listed = images_content_metadata(Request(RequestFactory().get("/")), job, ())
    assert [(each.filename, each.category) for each in listed.images] == [
        ("page_1.jpg", "screenshot"),
        ("page_2.jpg", "screenshot"),
    ]
    first, second = (rendered_picture(job, number, 720, 540, None) for number in (1, 2))
    assert first.startswith(b"\xff\xd8\xff")
    assert first != second


def test_all_printed_pages_of_a_text_have_screenshots(submit: Submit, office: MakeOffice, letter: bytes) -> None:
    office(writes(long_document(3)))
    job = run(submit(letter, options=SCREENSHOTS))

    assert (job.state, codes(job), job.page_count) == (JobState.SUCCEEDED, ["screenshots_of_print"], 1)
    listed = images_content_metadata(Request(RequestFactory().get("/")), job, ())
    assert [each.filename for each in listed.images] == ["page_1.jpg", "page_2.jpg", "page_3.jpg"]
    assert {each.category for each in listed.images} == {"screenshot"}
    first, third = (rendered_picture(job, number, 0, 0, None) for number in (1, 3))
    assert first.startswith(b"\xff\xd8\xff")
    assert first != third


def test_slides_that_were_printed_otherwise_have_the_pages_of_their_print(
    submit: Submit, office: MakeOffice, slides: bytes
) -> None:
    office(writes(long_document(3)))
    job = run(submit(slides, options=SCREENSHOTS))

    assert (job.state, codes(job)) == (JobState.SUCCEEDED, ["screenshots_of_print"])
    assert images_content_metadata(Request(RequestFactory().get("/")), job, ()).total_count == 3
    with pytest.raises(PageError):
        rendered_picture(job, 1, 720, 540, Box(0, 0, 100, 100))  # a place on the slide


def test_a_web_page_is_not_printed(submit: Submit, office: MakeOffice) -> None:
    office("exit 1")

    job = run(submit(b"<!doctype html><p>Dear Ann</p>", options=SCREENSHOTS))
    assert (markdown(job), codes(job)) == ("Dear Ann\n", ["screenshots_left_out"])


@pytest.mark.parametrize("name", ["searchable.pdf", "archive.pdf"])
def test_pdfs_of_a_printed_text_have_the_text_of_the_print(
    submit: Submit, office: MakeOffice, letter: bytes, tmp_path: Path, name: str
) -> None:
    office(writes(long_document(2)))
    job = run(submit(letter, options=PDF))

    found = open_file(job, name)
    assert found is not None
    path = tmp_path / name
    path.write_bytes(found[1].read())
    source = tmp_path / "source.pdf"
    source.write_bytes(long_document(2))
    made, expected = (shared_reader().read_range(each, range(1, 3)) for each in (path, source))
    assert [words_of(page) for page in made] == [words_of(page) for page in expected]
    assert words_of(made[0])


def test_pdfs_of_a_text_that_was_not_printed_say_how_to_get_them(
    submit: Submit, office: MakeOffice, letter: bytes
) -> None:
    office("exit 1")
    job = run(submit(letter))

    for name in ("searchable.pdf", "archive.pdf"):
        with pytest.raises(NoPictureOfPage, match=r"output_options\.save_output_pdf"):
            open_file(job, name)


def test_pdfs_of_slides_have_the_slides_that_were_parsed(
    submit: Submit, office: MakeOffice, slides: bytes, tmp_path: Path
) -> None:
    office(writes(long_document(2)))
    job = run(submit(slides, options=PDF, target_pages="2"))

    found = open_file(job, "archive.pdf")
    assert found is not None
    with pikepdf.open(found[1]) as archive:
        assert len(archive.pages) == 1


def test_an_older_document_is_converted_and_printed(submit: Submit, office: MakeOffice, letter: bytes) -> None:
    printed = long_document(1)
    office(f'if [ "$suffix" = pdf ]; then {writes(printed)}; else {writes(letter)}; fi; [ "${{source##*.}}" = doc ]')
    job = run(submit(compound("WordDocument", b"a letter"), options=PDF))

    assert (job.state, markdown(job), codes(job)) == (JobState.SUCCEEDED, "Dear Ann\n", ["document_converted"])
    assert (job.media_type, output_pdf(job)) == ("application/msword", printed)


@pytest.mark.parametrize("body", ["exit 1", 'echo text >"$out/document.$suffix"', "kill -SEGV $$"])
def test_a_job_goes_on_without_a_print(submit: Submit, office: MakeOffice, letter: bytes, body: str) -> None:
    office(body)
    job = run_to(submit(letter, options=PDF), Stage.CONVERT)
    while steps := open_steps(job, Stage.CONVERT):
        Step.objects.filter(job=job).update(not_before=None)
        deliver(steps[0])

    job = run(job)
    assert (job.state, markdown(job), codes(job)) == (JobState.SUCCEEDED, "Dear Ann\n", ["not_printed"])
    assert (job.printed_key, output_pdf(job)) == ("", None)


def test_a_job_goes_on_when_workers_are_lost_at_its_print(submit: Submit, office: MakeOffice, letter: bytes) -> None:
    office("exit 1")
    job = run_to(submit(letter, options=PDF), Stage.CONVERT)
    for _ in range(2):
        (step,) = open_steps(job, Stage.CONVERT)
        claims.start_attempt(step_id=step.pk, fence=step.fence)
        reclaim_from_lost_worker(step_id=step.pk, fence=step.fence)

    job = run(job)
    assert (job.state, codes(job)) == (JobState.SUCCEEDED, ["not_printed"])
    assert "stopped on it several times" in job.warnings[0]["detail"]


def test_a_job_goes_on_when_a_worker_is_lost_at_the_last_start_of_its_print(
    submit: Submit, office: MakeOffice, letter: bytes, settings: Any
) -> None:
    office("exit 1")
    settings.MAX_STARTS = 2
    job = run_to(submit(letter, options=PDF), Stage.CONVERT)
    while steps := open_steps(job, Stage.CONVERT):
        claims.start_attempt(step_id=steps[0].pk, fence=steps[0].fence)
        reclaim_from_lost_worker(step_id=steps[0].pk, fence=steps[0].fence)

    job = run(job)
    assert (job.state, markdown(job), codes(job)) == (JobState.SUCCEEDED, "Dear Ann\n", ["not_printed"])


def test_many_overdue_prints_fail_no_job(
    submit: Submit, office: MakeOffice, letter: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    office("exit 1")
    monkeypatch.setattr(scheduling_rescue, "BATCH", 1)
    jobs = [run_to(submit(letter, options=PDF), Stage.CONVERT) for _ in range(2)]
    ParseJob.objects.update(deadline_at=timezone.now() - timedelta(hours=1))
    for _ in jobs:
        rescue()

    ended = [run(job) for job in jobs]
    assert [(job.state, codes(job)) for job in ended] == [(JobState.SUCCEEDED, ["not_printed"])] * 2


def test_a_job_goes_on_when_no_worker_prints_it(submit: Submit, office: MakeOffice, letter: bytes) -> None:
    office("exit 1")
    job = run_to(submit(letter, options=PDF), Stage.CONVERT)
    ParseJob.objects.filter(pk=job.pk).update(deadline_at=timezone.now() - timedelta(hours=1))
    rescue()

    job = run(job)
    assert (job.state, codes(job)) == (JobState.SUCCEEDED, ["not_printed"])
    assert "in time" in job.warnings[0]["detail"]


def test_without_a_converter_the_warning_names_the_packages(submit: Submit, settings: Any, slides: bytes) -> None:
    settings.CONVERTER = "off"
    job = run(submit(slides, options=SCREENSHOTS))

    assert (job.state, codes(job)) == (JobState.SUCCEEDED, ["not_printed"])
    assert "apt-get install libreoffice-writer-nogui" in job.warnings[0]["detail"]
    assert not PageAttempt.objects.filter(job=job, stage=Stage.CONVERT).exists()


def test_a_job_that_copies_pages_copies_the_print(submit: Submit, office: MakeOffice, slides: bytes) -> None:
    office(writes(long_document(2)))
    hidden = {"processing_options": {"ignore": {"ignore_hidden_text": True}}}
    source = run(submit(slides, options=SCREENSHOTS | hidden))
    copy = run(submit(slides, options=hidden, source_job=source.pk))

    assert copy.printed_key != source.printed_key
    assert storage.read(copy.printed_key) == storage.read(source.printed_key)
    assert copy.has_printed_slides
