"""The complete removal of the rows and files of jobs and documents, also when a process is killed meanwhile."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.utils import timezone

from apps.accounts.models import Project
from apps.documents import services as documents
from apps.documents import storage
from apps.documents.errors import DocumentNotFound
from apps.documents.models import Document, Removal
from apps.jobs import queries
from apps.jobs.commands import clean_up
from apps.jobs.commands.cancel import cancel_job
from apps.jobs.commands.delete import delete_document, delete_job
from apps.jobs.commands.retry import retry_pages
from apps.jobs.commands.submit import JobRequest, parse_in_mode, submit_job
from apps.jobs.models import JobPage, LeaderLock, PageAnswer, PageAttempt, ParseJob, Step
from apps.jobs.scheduling import retention
from apps.jobs.states import JobState, Stage
from apps.providers.models import Usage
from tests.documents.long import long_document
from tests.integration.jobs.conftest import Submit, ended_days_ago, exists, run, run_to

DAY = timedelta(days=1)


def files(settings: Any) -> list[str]:
    root = Path(settings.STORAGES["default"]["OPTIONS"]["location"])
    return [str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()]


def rows_of(job_id: str) -> int:
    return sum(model.objects.filter(job_id=job_id).count() for model in (JobPage, Step, PageAttempt))


def make_removals_due() -> None:
    """Make recorded removals due, as if lost workers had stopped writing."""
    past = timezone.now() - timedelta(minutes=1)
    Removal.objects.update(due_at=past)
    Removal.objects.filter(written_until__isnull=False).update(written_until=past)


@pytest.mark.parametrize("is_accepted", [True, False])
@pytest.mark.django_db(transaction=True)
def test_the_bytes_of_an_upload_are_kept_only_if_the_job_was_accepted(settings: Any, *, is_accepted: bool) -> None:
    """A process may die after it has stored the bytes and before the job is committed."""
    project = Project.objects.create(name="uploads")
    document = documents.store_bytes(
        project=project, name="a.pdf", content=io.BytesIO(long_document(1)), kept_as_file=False
    )
    if is_accepted:
        submit_job(project=project, document=document, request=JobRequest("fast", "fast", "latest"))

    make_removals_due()
    clean_up.clean_up()

    assert len(files(settings)) == is_accepted
    assert Document.objects.filter(pk=document.pk).exists() == is_accepted
    assert not Removal.objects.exists()


def test_an_expired_job_is_removed_completely(submit: Submit, settings: Any) -> None:
    job = ended_days_ago(run(submit(kept_as_file=False)))
    assert files(settings)

    assert clean_up.clean_up() == 1

    assert not exists(job)
    assert rows_of(job.pk) == 0
    assert not Document.objects.exists()
    assert not Removal.objects.exists()
    assert files(settings) == []
    assert queries.removed_jobs() == {"expired": 1}


def test_a_deleted_job_is_removed_completely(submit: Submit, settings: Any) -> None:
    job = run(submit(kept_as_file=False))

    delete_job(job=job)

    assert rows_of(job.pk) == 0
    assert not Document.objects.exists()
    assert files(settings) == []
    assert queries.removed_jobs() == {"asked_for": 1}


def test_deleting_a_job_twice_counts_once(submit: Submit) -> None:
    job = run(submit(pages=1))

    delete_job(job=job)
    delete_job(job=job)

    assert queries.removed_jobs() == {"asked_for": 1}


def test_the_ledger_keeps_the_calls_of_a_removed_job(submit: Submit) -> None:
    job = ended_days_ago(run(submit(pages=1)))
    call = {"project_id": job.project_id, "job_id": job.pk, "page_number": 1, "page_parser": "llm", "model": "m"}
    Usage.objects.create(**call, started_at=job.created_at, input_tokens=1, output_tokens=1, cost_nanos=5)

    clean_up.clean_up()

    assert Usage.objects.get().job_id == job.pk


def test_an_open_job_is_not_removed(submit: Submit) -> None:
    pending, running, again = submit(pages=1), run_to(submit(pages=10), Stage.EXTRACT), run(submit(pages=2))
    retry_pages(job=again, page_numbers=[1])
    retention.keep_jobs(job_ids=[pending.pk, running.pk, again.pk], until=timezone.now() - DAY)

    assert clean_up.clean_up() == clean_up.clean_up_all() == 0

    assert [run(job).state for job in (pending, running, again)] == [JobState.SUCCEEDED] * 3
    assert clean_up.clean_up() == 3


def test_a_document_is_removed_with_its_last_job(submit: Submit, settings: Any) -> None:
    first = ended_days_ago(run(submit(pages=1, kept_as_file=False)))
    second = run(parse_in_mode(job=first, mode="fast"))
    document_id = second.document_id
    assert document_id is not None

    clean_up.clean_up()

    assert not exists(first)
    assert storage.exists(storage.original(document_id))

    ended_days_ago(second)
    clean_up.clean_up()

    assert files(settings) == []


def test_a_document_uploaded_as_a_file_is_kept(submit: Submit, settings: Any) -> None:
    job = ended_days_ago(run(submit(pages=1)))
    assert job.document is not None

    clean_up.clean_up()

    assert files(settings) == [storage.original(job.document.pk)]
    delete_document(document=job.document)
    assert files(settings) == []


def test_cached_answers_are_removed_with_their_document_or_when_they_expire(submit: Submit, settings: Any) -> None:
    expired, kept = ended_days_ago(run(submit(pages=1, kept_as_file=False))), run(submit(pages=1))
    for key, job, expires in (("aa", expired, DAY), ("bb", kept, -DAY), ("cc", kept, DAY)):
        storage.write(storage.page_answer(key), b"a kept answer")
        moment = timezone.now() + expires
        assert job.document is not None
        PageAnswer.objects.create(key=key, project=job.project, document=job.document, expires_at=moment)

    clean_up.clean_up()

    assert [name for name in files(settings) if "answers" in name] == [storage.page_answer("cc")]
    assert list(PageAnswer.objects.values_list("key", flat=True)) == ["cc"]


def test_a_document_removed_meanwhile_cannot_be_parsed(submit: Submit, project: Project) -> None:
    job = ended_days_ago(run(submit(pages=1, kept_as_file=False)))
    document = job.document
    assert document is not None
    asked = JobRequest(mode="fast", tier="fast", version="latest")
    clean_up.clean_up()

    with pytest.raises(DocumentNotFound):
        submit_job(project=project, document=document, request=asked)

    assert not ParseJob.objects.exists()


def test_a_folder_is_removed_from_storage_without_folders(settings: Any) -> None:
    """An object store has no folders, like Django's storage in memory."""
    in_memory = {"BACKEND": "django.core.files.storage.InMemoryStorage"}
    settings.STORAGES = settings.STORAGES | {"default": in_memory}
    folder = storage.job_folder("pjb-1234")
    keys = [f"{folder}/result.1/text.json", f"{folder}/pages/1.jsonl", f"{folder}/note"]
    for key in [*keys, "jobs/pjb-12/pjb-12345/other"]:
        storage.write(key, b"12345")
    assert storage.size_below(folder) == 15

    storage.delete_below(folder)
    storage.delete_below(folder)

    assert [storage.exists(key) for key in keys] == [False] * 3
    assert storage.size_below(folder) == 0
    assert storage.exists("jobs/pjb-12/pjb-12345/other")


def test_all_expired_jobs_are_removed_in_batches(submit: Submit, settings: Any) -> None:
    settings.CLEANUP_PARSE_V2_BATCH_SIZE = 2
    for _ in range(5):
        ended_days_ago(run(submit(pages=1)))

    assert clean_up.clean_up() == 5
    assert clean_up.clean_up() == 0


def cleanup(*arguments: str) -> str:
    out = io.StringIO()
    call_command("cleanup", *arguments, stdout=out)
    return out.getvalue()


def test_the_cleanup_command_reports_and_removes_expired_jobs(submit: Submit, settings: Any) -> None:
    settings.CLEANUP_PARSE_V2_BATCH_SIZE = 2
    kept = ended_days_ago(run(submit(pages=1)), days=10)
    for _ in range(3):
        ended_days_ago(run(submit(pages=2, kept_as_file=False)))
    shared = ended_days_ago(run(submit(pages=2, kept_as_file=False)))
    run(parse_in_mode(job=shared, mode="fast"))
    before = sum(map(storage.size, files(settings)))

    first = cleanup("--dry-run")
    second = cleanup()

    report = "Expired: 4 job(s) of 8 page(s) and 3 document(s) that came with them, "
    assert first.startswith(report)
    assert second == f"{first}Removed: 4 job(s).\n"
    removed_bytes = before - sum(map(storage.size, files(settings)))
    assert f"{removed_bytes:,} bytes." in first
    assert exists(kept)
    assert cleanup("--dry-run").startswith("Expired: 0 job(s)")


# --- failures and races ---


def test_files_that_a_lost_worker_writes_later_are_removed(submit: Submit, settings: Any) -> None:
    job = cancel_job(job=run_to(submit(pages=2, kept_as_file=False), Stage.EXTRACT))
    delete_job(job=job)
    late = storage.page_content(job.pk, first=1, last=2, attempt="1-1")
    storage.write(late, b"too late")
    clean_up.clean_up()
    assert storage.exists(late)

    make_removals_due()
    clean_up.clean_up()

    assert files(settings) == []
    assert not Removal.objects.exists()


def test_a_failed_removal_from_storage_is_retried(submit: Submit, settings: Any, tmp_path: Path) -> None:
    job = ended_days_ago(run(submit(pages=1, kept_as_file=False)))
    folder = storage.local_path(storage.job_folder(job.pk))
    assert folder is not None
    folder.rename(tmp_path / "elsewhere")
    folder.symlink_to(tmp_path / "elsewhere")  # storage does not follow links

    assert clean_up.clean_up() == 1
    Removal.objects.update(noted_at=timezone.now() - DAY)
    assert queries.overdue_seconds() == pytest.approx(DAY.total_seconds(), abs=60)

    folder.unlink()
    (tmp_path / "elsewhere").rename(folder)
    make_removals_due()
    clean_up.clean_up()

    assert files(settings) == []
    assert queries.overdue_seconds() == 0


def test_a_process_killed_during_clean_up_leaves_nothing_behind(submit: Submit, settings: Any) -> None:
    """A process dies at its first statement or removed file, another at its second, and so on until one survives."""
    settings.SHORT_ROAD_PAGES = 1  # jobs are parsed in a third of the time, and have files and rows of each kind
    for moment in range(1, 200):
        job = ended_days_ago(run(submit(pages=1, kept_as_file=False)))
        survived = survives_until(moment, clean_up.clean_up)

        found = ParseJob.objects.filter(pk=job.pk).first()
        if found is not None:
            assert storage.exists(found.result_folder)
            assert rows_of(job.pk)
        make_removals_due()
        clean_up.clean_up_all()
        assert files(settings) == [], f"killed at moment {moment}"
        assert rows_of(job.pk) == Document.objects.count() == Removal.objects.count() == 0
        if survived:
            assert moment > 25
            return
    raise AssertionError("clean_up was killed 199 times and never finished")


def survives_until(moment: int, work: Callable[[], object]) -> bool:
    """Do the work in a process that is killed at this statement or removed file. Return whether it finished before."""
    connection.close()
    child = os.fork()
    if child == 0:
        left = moment

        def count(*_: object) -> None:
            nonlocal left
            left -= 1
            if left == 0:
                os._exit(9)

        def before_statement(execute: Any, *arguments: Any) -> Any:
            count()
            return execute(*arguments)

        sys.addaudithook(lambda event, _: count() if event in ("os.remove", "os.rmdir") else None)
        with connection.execute_wrapper(before_statement):
            work()
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_deleting_the_last_two_jobs_at_once_removes_the_document(submit: Submit, settings: Any) -> None:
    def delete(job: ParseJob) -> None:
        try:
            delete_job(job=job)
        finally:
            connection.close()

    for _ in range(5):
        first = run(submit(pages=1, kept_as_file=False))
        jobs = [first, run(parse_in_mode(job=first, mode="fast"))]
        with ThreadPoolExecutor(2) as executor:
            list(executor.map(delete, jobs))

        assert not Document.objects.exists()
        assert files(settings) == []


def test_housekeeping_starts_once_a_minute(submit: Submit) -> None:
    for _ in range(3):
        clean_up.request_clean_up()

    lock = LeaderLock.objects.get(name="clean_up")
    assert timedelta(seconds=50) < lock.expires_at - timezone.now() <= timedelta(seconds=60)
