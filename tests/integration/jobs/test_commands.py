"""The output and the errors of the manage.py commands for operators."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db.models import F
from django.utils import timezone

from apps.accounts.models import ApiKey, Project
from apps.jobs.models import LeaderLock, ParseJob
from apps.jobs.states import Stage
from tests.integration.jobs.conftest import Submit, run_to


def run_rescue_jobs(capsys: pytest.CaptureFixture[str]) -> str:
    LeaderLock.objects.filter(name="rescue_jobs").delete()
    call_command("rescue_jobs")
    return capsys.readouterr().out.strip()


def test_rescue_jobs_prints_counts_of_recovered_work(submit: Submit, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_rescue_jobs(capsys) == "Nothing was lost."

    job = run_to(submit(pages=10), Stage.EXTRACT)
    ParseJob.objects.filter(pk=job.pk).update(deadline_at=F("deadline_at") - timedelta(days=1))

    assert "jobs ended after their deadline: 1" in run_rescue_jobs(capsys)


def test_an_api_key_can_expire_after_a_number_of_days(
    transactional_db: None, capsys: pytest.CaptureFixture[str]
) -> None:
    call_command("create_api_key", "short", "--expires-in-days", "2")

    expires_at = ApiKey.objects.get(name="short").expires_at
    assert expires_at is not None
    assert timedelta(days=1) < expires_at - timezone.now() <= timedelta(days=2)


def test_a_project_that_a_key_creates_is_named_and_keys_of_one_name_are_revoked_together(
    transactional_db: None, capsys: pytest.CaptureFixture[str]
) -> None:
    call_command("create_api_key", "robot", "--project", "invoices")
    first = capsys.readouterr()
    assert (first.err, first.out[:3], first.out.count("\n")) == ("Project invoices was created.\n", "lm-", 1)
    call_command("create_api_key", "robot", "--project", "invoices")
    assert capsys.readouterr().err == ""

    call_command("revoke_api_key", "robot", "--project", "invoices")
    assert capsys.readouterr().out == "2 keys were revoked.\n"


def test_a_wrong_scope_is_named_and_no_project_is_created(transactional_db: None) -> None:
    with pytest.raises(CommandError, match=r"'reed' is not a scope.*: 'read parse'"):
        call_command("create_api_key", "robot", "--project", "invoices", "--scopes", "reed parse")

    assert not Project.objects.filter(name="invoices").exists()


@pytest.mark.parametrize("days", ["0", "-1", "two", "1e3", "99999999999"])
def test_an_api_key_with_an_invalid_expiry_is_not_created(transactional_db: None, days: str) -> None:
    with pytest.raises(CommandError, match="is not a number of days, 1 to 36,500"):
        call_command("create_api_key", "short", "--expires-in-days", days)

    assert not ApiKey.objects.filter(name="short").exists()
