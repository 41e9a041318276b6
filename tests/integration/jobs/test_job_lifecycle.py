"""A job from its submission to its result, and what people may do to it on the way."""

from __future__ import annotations

import json

import pytest

from apps.accounts.models import Project
from apps.documents import storage
from apps.jobs import queries
from apps.jobs.commands import delete
from apps.jobs.commands.cancel import cancel_job
from apps.jobs.commands.retry import retry_pages
from apps.jobs.errors import IllegalMove, JobNotFound, NotCancellable
from apps.jobs.models import JobPage, PageAttempt, ParseJob, Step
from apps.jobs.states import JobState, PageState, Stage
from apps.pages.model.errors import PageOutOfRange
from tests.documents.long import heading_of, long_document
from tests.integration.jobs.conftest import Submit, deliver, open_steps, run, run_to


def result(job: ParseJob, name: str) -> bytes:
    job.refresh_from_db()
    source = queries.open_result(job, name)
    assert source is not None
    with source:
        return source.read()


def test_a_document_becomes_markdown(submit: Submit) -> None:
    job = run(submit(pages=10))

    assert job.state == JobState.SUCCEEDED
    assert queries.page_counts(job.pk) == {PageState.SUCCEEDED: 10}
    assert heading_of(10) in result(job, "markdown.md").decode()
    pages = json.loads(result(job, "text.json"))["pages"]
    assert [page["page_number"] for page in pages] == list(range(1, 11))


def test_only_the_pages_asked_for_are_parsed(submit: Submit) -> None:
    job = run(submit(pages=10, target_pages="2,5-7"))

    assert [page["page_number"] for page in json.loads(result(job, "text.json"))["pages"]] == [2, 5, 6, 7]


def test_pages_that_all_are_beyond_the_document_fail_the_job(submit: Submit) -> None:
    job = run(submit(pages=3, target_pages="5-9"))

    assert (job.state, job.error_code) == (JobState.FAILED, "invalid_option")
    assert "3 pages" in job.error_detail


@pytest.mark.parametrize(
    ("content", "code"),
    [(b"%PDF-1.7\n", "document_corrupt"), (b"no\0document\1at\2all", "unsupported_file_type")],
)
def test_a_file_that_cannot_be_parsed_fails_the_job_with_a_code(submit: Submit, content: bytes, code: str) -> None:
    job = run(submit(content))

    assert (job.state, job.error_code) == (JobState.FAILED, code)
    assert job.error_detail.endswith(".")


def test_a_password_is_sealed_and_opens_the_document(submit: Submit, encrypted_pdf: bytes) -> None:
    job = submit(encrypted_pdf, password="open sesame")
    row = ParseJob.objects.values().get(pk=job.pk)
    assert "open sesame" not in repr(row)

    assert run(job).state == JobState.SUCCEEDED


@pytest.mark.parametrize(("password", "code"), [(None, "document_encrypted"), ("wrong", "wrong_password")])
def test_without_the_right_password_the_job_fails(
    submit: Submit, encrypted_pdf: bytes, password: str | None, code: str
) -> None:
    assert run(submit(encrypted_pdf, password=password)).error_code == code


@pytest.fixture
def encrypted_pdf(tmp_path) -> bytes:  # type: ignore[no-untyped-def]
    import pikepdf

    plain, locked = tmp_path / "plain.pdf", tmp_path / "locked.pdf"
    plain.write_bytes(long_document(1))
    with pikepdf.open(plain) as document:
        document.save(locked, encryption=pikepdf.Encryption(user="open sesame", owner="owner"))
    return locked.read_bytes()


def test_a_cancelled_job_starts_no_attempt(submit: Submit) -> None:
    job = run_to(submit(pages=10), Stage.EXTRACT)
    steps = open_steps(job)

    cancel_job(job=job)
    for step in steps:
        deliver(step)

    job.refresh_from_db()
    assert job.state == JobState.CANCELLED
    assert queries.page_counts(job.pk) == {PageState.CANCELLED: 10}
    assert not PageAttempt.objects.filter(job=job, stage=Stage.EXTRACT).exists()


def test_an_ended_job_cannot_be_cancelled(submit: Submit) -> None:
    job = run(submit(pages=1))

    with pytest.raises(NotCancellable):
        cancel_job(job=job)


def test_a_running_job_cannot_be_deleted(submit: Submit) -> None:
    job = submit(pages=1)

    with pytest.raises(IllegalMove):
        delete.delete_job(job=job)


def test_deleting_a_job_removes_its_files(submit: Submit, project: Project, settings) -> None:  # type: ignore[no-untyped-def]
    job = run(submit(pages=1))
    assert storage.exists(job.result_folder)

    delete.delete_job(job=job)

    assert not storage.exists(job.result_folder)
    with pytest.raises(JobNotFound):
        queries.find_job(project=project, job_id=job.pk)


def test_retried_pages_are_parsed_while_the_old_result_is_served(submit: Submit) -> None:
    job = run(submit(pages=6))
    before = result(job, "markdown.md")

    job = retry_pages(job=job, page_numbers=[2, 3])

    assert job.state == JobState.RUNNING
    assert queries.page_counts(job.pk) == {PageState.SUCCEEDED: 4, PageState.PENDING: 2}
    assert result(job, "markdown.md") == before
    job = run(job)
    assert job.state == JobState.SUCCEEDED
    assert result(job, "markdown.md") == before
    assert dict(JobPage.objects.filter(job=job).values_list("number", "attempts")) == {
        1: 1,
        2: 2,
        3: 2,
        4: 1,
        5: 1,
        6: 1,
    }


def test_an_unknown_page_cannot_be_retried(submit: Submit) -> None:
    job = run(submit(pages=2))

    with pytest.raises(PageOutOfRange, match="no page 3"):
        retry_pages(job=job, page_numbers=[1, 3])


def test_content_missing_from_storage_is_extracted_again(submit: Submit) -> None:
    expected = result(run(submit(pages=6)), "markdown.md")
    job = run_to(submit(pages=6), Stage.ASSEMBLE)
    storage.delete_below(f"{storage.job_folder(job.pk)}/pages")

    job = run(job)

    assert job.state == JobState.SUCCEEDED
    assert result(job, "markdown.md") == expected


def test_a_job_is_found_only_in_its_own_project(submit: Submit) -> None:
    job = submit(pages=1)
    another = Project.objects.create(name="another")

    with pytest.raises(JobNotFound):
        queries.find_job(project=another, job_id=job.pk)


def test_all_steps_of_a_succeeded_job_have_succeeded(submit: Submit) -> None:
    job = run(submit(pages=10))

    assert set(Step.objects.filter(job=job).values_list("state", flat=True)) == {"succeeded"}
