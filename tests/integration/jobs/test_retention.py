"""How long jobs are kept, and that nothing of them is left when they go, whoever asks and whatever is killed."""

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
from apps.documents import storage
from apps.documents.errors import DocumentNotFound
from apps.documents.models import Document, Removal
from apps.jobs import queries
from apps.jobs.commands import clean_up
from apps.jobs.commands.cancel import cancel_job
from apps.jobs.commands.delete import delete_document, delete_job
from apps.jobs.commands.retry import retry_pages
from apps.jobs.commands.submit import JobRequest, parse_in_mode, submit_job
from apps.jobs.models import JobPage, PageAnswer, PageAttempt, ParseJob, Step, Turn
from apps.jobs.scheduling import retention
from apps.jobs.states import JobState, Stage
from apps.providers.models import Usage
from tests.integration.jobs.conftest import Submit, run, run_to

DAY = timedelta(days=1)


def over(job: ParseJob, *, days: float = 40) -> ParseJob:
    """The job as it is when it ended so many days ago."""
    ended = timezone.now() - timedelta(days=days)
    ParseJob.objects.filter(pk=job.pk).update(finished_at=ended, retention_days=None)
    return job


def there(job: ParseJob) -> bool:
    return ParseJob.objects.filter(pk=job.pk).exists()


def kept_for(job: ParseJob) -> timedelta | None:
    job.refresh_from_db()
    assert job.finished_at is not None
    return job.expires_at - job.finished_at if job.expires_at else None


def files(settings: Any) -> list[str]:
    root = Path(settings.STORAGES["default"]["OPTIONS"]["location"])
    return [str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()]


def rows_of(job_id: str) -> int:
    return sum(model.objects.filter(job_id=job_id).count() for model in (JobPage, Step, PageAttempt))


def minutes_later() -> None:
    """Removals that were noted are due, and workers that were cut off have stopped writing."""
    past = timezone.now() - timedelta(minutes=1)
    Removal.objects.update(due_at=past)
    Removal.objects.filter(written_until__isnull=False).update(written_until=past)


# --- how long ---


def test_a_job_is_kept_for_the_service_s_days(submit: Submit, settings: Any) -> None:
    assert kept_for(run(submit(pages=1))) == 30 * DAY

    settings.CLEANUP_PARSE_V2_RETENTION_DAYS = 7
    cancelled = cancel_job(job=submit(pages=1))
    assert kept_for(cancelled) == 7 * DAY
    assert kept_for(run(submit(b"no document"))) == 7 * DAY


@pytest.mark.parametrize("days", [0, -1])
def test_no_days_are_for_ever(submit: Submit, settings: Any, days: int) -> None:
    settings.CLEANUP_PARSE_V2_RETENTION_DAYS = days
    job = over(run(submit(pages=1)), days=10_000)

    assert clean_up.clean_up() == 0
    assert kept_for(job) is None


@pytest.mark.parametrize(("own", "kept"), [(3, 3 * DAY), (90, 90 * DAY), (0, None), (None, 30 * DAY)])
def test_a_project_has_days_of_its_own(submit: Submit, own: int | None, kept: timedelta | None) -> None:
    assert kept_for(run(submit(pages=1, owner=Project.objects.create(name="own", retention_days=own)))) == kept


def test_other_days_hold_for_jobs_that_ended_before(submit: Submit, project: Project, settings: Any) -> None:
    ten, forty = over(run(submit(pages=1)), days=10), over(run(submit(pages=1)), days=40)
    settings.CLEANUP_PARSE_V2_RETENTION_DAYS = 50
    assert clean_up.clean_up() == 0

    Project.objects.filter(pk=project.pk).update(retention_days=20)
    assert clean_up.clean_up() == 1

    assert (there(ten), there(forty)) == (True, False)
    assert kept_for(ten) == 20 * DAY


def test_more_days_save_a_job_whose_time_was_over(submit: Submit, project: Project) -> None:
    job = over(run(submit(pages=1)), days=31)
    retention.update_expiry()
    assert queries.overdue_seconds() > 0

    Project.objects.filter(pk=project.pk).update(retention_days=365)

    assert clean_up.clean_up() == 0
    assert there(job)
    assert queries.overdue_seconds() == 0


def test_an_order_holds_whatever_the_days_are(submit: Submit, settings: Any) -> None:
    for_ever, until, gone = (over(run(submit(pages=1))) for _ in range(3))
    retention.keep_jobs(job_ids=[for_ever.pk], until=None)
    retention.keep_jobs(job_ids=[until.pk], until=timezone.now() + DAY)
    retention.keep_jobs(job_ids=[gone.pk], until=timezone.now() - DAY)
    settings.CLEANUP_PARSE_V2_RETENTION_DAYS = 1

    assert clean_up.clean_up() == 1

    assert [there(job) for job in (for_ever, until, gone)] == [True, True, False]


def test_an_order_for_an_open_job_holds_when_it_has_ended(submit: Submit) -> None:
    job = submit(pages=1)
    moment = timezone.now() + 100 * DAY
    retention.keep_jobs(job_ids=[job.pk], until=moment)

    run(job)

    assert job.expires_at == moment


# --- what goes, and what stays ---


def test_nothing_is_left_of_a_job_whose_time_is_over(submit: Submit, settings: Any) -> None:
    job = over(run(submit(kept_as_file=False)))
    assert files(settings)

    assert clean_up.clean_up() == 1

    assert not there(job)
    assert rows_of(job.pk) == 0
    assert not Document.objects.exists()
    assert not Removal.objects.exists()
    assert files(settings) == []
    assert queries.removed_jobs() == {"expired": 1}


def test_deleting_removes_the_same(submit: Submit, settings: Any) -> None:
    job = run(submit(kept_as_file=False))

    delete_job(job=job)

    assert rows_of(job.pk) == 0
    assert not Document.objects.exists()
    assert files(settings) == []
    assert queries.removed_jobs() == {"asked_for": 1}


def test_a_job_is_deleted_once(submit: Submit) -> None:
    job = run(submit(pages=1))

    delete_job(job=job)
    delete_job(job=job)

    assert queries.removed_jobs() == {"asked_for": 1}


def test_what_was_paid_stays_on_record(submit: Submit) -> None:
    job = over(run(submit(pages=1)))
    call = {"project_id": job.project_id, "job_id": job.pk, "page_number": 1, "page_parser": "llm", "model": "m"}
    Usage.objects.create(**call, started_at=job.created_at, input_tokens=1, output_tokens=1, cost_nanos=5)

    clean_up.clean_up()

    assert Usage.objects.get().job_id == job.pk


def test_an_open_job_stays(submit: Submit) -> None:
    pending, running, again = submit(pages=1), run_to(submit(pages=10), Stage.EXTRACT), run(submit(pages=2))
    retry_pages(job=again, page_numbers=[1])
    retention.keep_jobs(job_ids=[pending.pk, running.pk, again.pk], until=timezone.now() - DAY)

    assert clean_up.clean_up() == clean_up.clean_up_all() == 0

    assert [run(job).state for job in (pending, running, again)] == [JobState.SUCCEEDED] * 3
    assert clean_up.clean_up() == 3


def test_a_document_goes_with_the_last_of_its_jobs(submit: Submit, settings: Any) -> None:
    first = over(run(submit(pages=1, kept_as_file=False)))
    second = run(parse_in_mode(job=first, mode="fast"))
    document_id = second.document_id
    assert document_id is not None

    clean_up.clean_up()

    assert not there(first)
    assert storage.exists(storage.original(document_id))

    over(second)
    clean_up.clean_up()

    assert files(settings) == []


def test_a_file_that_was_uploaded_by_itself_stays(submit: Submit, settings: Any) -> None:
    job = over(run(submit(pages=1)))
    assert job.document is not None

    clean_up.clean_up()

    assert files(settings) == [storage.original(job.document.pk)]
    delete_document(document=job.document)
    assert files(settings) == []


def test_answers_go_with_their_document_and_when_they_are_too_old(submit: Submit, settings: Any) -> None:
    gone, stays = over(run(submit(pages=1, kept_as_file=False))), run(submit(pages=1))
    for key, job, expires in (("aa", gone, DAY), ("bb", stays, -DAY), ("cc", stays, DAY)):
        storage.write(storage.page_answer(key), b"a kept answer")
        moment = timezone.now() + expires
        assert job.document is not None
        PageAnswer.objects.create(key=key, project=job.project, document=job.document, expires_at=moment)

    clean_up.clean_up()

    assert [name for name in files(settings) if "answers" in name] == [storage.page_answer("cc")]
    assert list(PageAnswer.objects.values_list("key", flat=True)) == ["cc"]


def test_a_document_that_went_a_moment_ago_is_not_parsed(submit: Submit, project: Project) -> None:
    job = over(run(submit(pages=1, kept_as_file=False)))
    document = job.document
    assert document is not None
    asked = JobRequest(mode="fast", tier="fast", version="latest")
    document_id = document.pk
    clean_up.clean_up()

    with pytest.raises(DocumentNotFound):
        submit_job(project=project, document=Document(pk=document_id, name="a"), request=asked)

    assert not ParseJob.objects.exists()


def test_storage_without_folders_is_emptied_key_by_key(settings: Any) -> None:
    """As an object store is; Django's storage in memory speaks the same."""
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


def test_jobs_go_batch_by_batch_the_oldest_first(submit: Submit, settings: Any) -> None:
    settings.CLEANUP_PARSE_V2_BATCH_SIZE = 2
    for _ in range(5):
        over(run(submit(pages=1)))

    assert clean_up.clean_up() == 5
    assert clean_up.clean_up() == 0


def cleanup(*arguments: str) -> str:
    out = io.StringIO()
    call_command("cleanup", *arguments, stdout=out)
    return out.getvalue()


def test_the_command_says_what_goes_and_removes_it(submit: Submit, settings: Any) -> None:
    settings.CLEANUP_PARSE_V2_BATCH_SIZE = 2
    kept = over(run(submit(pages=1)), days=10)
    for _ in range(3):
        over(run(submit(pages=2, kept_as_file=False)))
    shared = over(run(submit(pages=2, kept_as_file=False)))
    run(parse_in_mode(job=shared, mode="fast"))
    before = sum(map(storage.size, files(settings)))

    first = cleanup("--dry-run")
    second = cleanup()

    told = "Expired: 4 job(s) of 8 page(s) and 3 document(s) that came with them, "
    assert first.startswith(told)
    assert second == f"{first}Removed: 4 job(s).\n"
    went = before - sum(map(storage.size, files(settings)))
    assert f"{went:,} bytes." in first
    assert there(kept)
    assert cleanup("--dry-run").startswith("Expired: 0 job(s)")


# --- whatever happens meanwhile ---


def test_what_a_cut_off_worker_still_writes_goes_too(submit: Submit, settings: Any) -> None:
    job = cancel_job(job=run_to(submit(pages=2, kept_as_file=False), Stage.EXTRACT))
    delete_job(job=job)
    late = storage.page_content(job.pk, first=1, last=2, attempt="1-1")
    storage.write(late, b"too late")
    clean_up.clean_up()
    assert storage.exists(late)

    minutes_later()
    clean_up.clean_up()

    assert files(settings) == []
    assert not Removal.objects.exists()


def test_what_storage_does_not_remove_is_tried_again(submit: Submit, settings: Any, tmp_path: Path) -> None:
    job = over(run(submit(pages=1, kept_as_file=False)))
    folder = storage.local_path(storage.job_folder(job.pk))
    assert folder is not None
    folder.rename(tmp_path / "elsewhere")
    folder.symlink_to(tmp_path / "elsewhere")  # which nothing follows

    assert clean_up.clean_up() == 1
    Removal.objects.update(noted_at=timezone.now() - DAY)
    assert queries.overdue_seconds() == pytest.approx(DAY.total_seconds(), abs=60)

    folder.unlink()
    (tmp_path / "elsewhere").rename(folder)
    minutes_later()
    clean_up.clean_up()

    assert files(settings) == []
    assert queries.overdue_seconds() == 0


def test_whatever_is_killed_nothing_is_left_that_nobody_finds(submit: Submit, settings: Any) -> None:
    """A process dies at its first statement or removed file, another at its second, and so on until one survives."""
    for moment in range(1, 200):
        job = over(run(submit(pages=1, kept_as_file=False)))
        survived = dies_at(moment, clean_up.clean_up)

        found = ParseJob.objects.filter(pk=job.pk).first()
        if found is not None:
            assert storage.exists(found.result_folder)
            assert rows_of(job.pk)
        minutes_later()
        clean_up.clean_up_all()
        assert files(settings) == [], f"killed at moment {moment}"
        assert rows_of(job.pk) == Document.objects.count() == Removal.objects.count() == 0
        if survived:
            assert moment > 25
            return
    raise AssertionError("it never came to its end")


def dies_at(moment: int, work: Callable[[], object]) -> bool:
    """Do the work in a process that dies at its so-manieth statement or removed file; whether it survived that."""
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


def test_of_two_who_take_the_last_jobs_of_a_document_one_takes_the_document(submit: Submit, settings: Any) -> None:
    def delete(job: ParseJob) -> None:
        try:
            delete_job(job=job)
        finally:
            connection.close()

    for _ in range(5):
        first = run(submit(pages=1, kept_as_file=False))
        jobs = [first, run(parse_in_mode(job=first, mode="fast"))]
        with ThreadPoolExecutor(2) as people:
            list(people.map(delete, jobs))

        assert not Document.objects.exists()
        assert files(settings) == []


def test_a_round_is_asked_for_once_a_minute(submit: Submit) -> None:
    for _ in range(3):
        clean_up.ask_for_clean_up()

    turn = Turn.objects.get(name="clean_up")
    assert timedelta(seconds=50) < turn.expires_at - timezone.now() <= timedelta(seconds=60)
