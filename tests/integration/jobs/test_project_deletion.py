"""The deletion of a project: nothing of it is left in storage or in the database, also after a kill."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.utils import timezone

from apps.accounts import idempotency
from apps.accounts import services as accounts
from apps.accounts.errors import ProjectBeingDeleted
from apps.accounts.models import Project
from apps.documents import storage
from apps.documents.models import Directory, DirectoryFile, Document, Removal
from apps.jobs.commands import clean_up, delete_project
from apps.jobs.commands.batches import BatchFile, create_batch
from apps.jobs.commands.configurations import save_configuration
from apps.jobs.commands.submit import JobRequest
from apps.jobs.models import PageAnswer, ParseJob
from apps.jobs.states import JobState, Stage
from apps.providers.models import Usage
from apps.webhooks.models import WebhookEndpoint
from apps.webhooks.services import WebhookTarget
from tests.documents.hostile import one_page
from tests.integration.api.conftest import Api, code_of
from tests.integration.jobs.conftest import Submit, run, run_to
from tests.integration.jobs.test_removal import files, make_removals_due

CANARY = "canary7d1f0c"
PROJECTS = "/admin/accounts/project/"


def stored_bytes(settings: Any) -> bytes:
    """Return the names and contents of all stored files."""
    root = Path(settings.STORAGES["default"]["OPTIONS"]["location"])
    return b"".join(name.encode() + (root / name).read_bytes() for name in files(settings))


def database_bytes() -> bytes:
    """Return the bytes of SQLite's files; of PostgreSQL all rows of all tables as text."""
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            name = Path(cursor.execute("PRAGMA database_list").fetchall()[0][2])
            return b"".join(path.read_bytes() for path in name.parent.glob(f"{name.name}*"))
        found = b""
        for table in connection.introspection.table_names():
            cursor.execute(f'SELECT to_jsonb(each)::text FROM "{table}" AS each')
            found += "\n".join(row[0] for row in cursor.fetchall()).encode()
        return found


@pytest.fixture
def doomed(submit: Submit) -> Project:
    """A project with rows of every kind, whose names and contents have ``CANARY``."""
    _, _ = accounts.create_api_key(name=f"key {CANARY}", project=CANARY)
    owner = Project.objects.get(name=CANARY)
    target = WebhookTarget(f"https://receiver.example/{CANARY}", secret=CANARY)
    WebhookEndpoint.objects.create(project=owner, url=target.url)
    helvetica = b"/Font<</F<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>>>"
    text = one_page(f"BT /F 16 Tf 60 740 Td ({CANARY}) Tj ET".encode(), resources=helvetica)
    ended = run(submit(text, owner=owner, user_metadata={"note": CANARY}, webhooks=(target,), kept_as_file=False))
    assert ended.state == JobState.SUCCEEDED
    assert ended.document is not None
    run_to(submit(owner=owner, pages=10, user_metadata={"note": CANARY}), Stage.EXTRACT)  # stays open
    Document.objects.filter(project=owner).update(name=f"{CANARY}.pdf")
    ParseJob.objects.filter(project=owner).update(document_name=f"{CANARY}.pdf")
    answer = PageAnswer(key="a" * 64, project=owner, document=ended.document, expires_at=timezone.now())
    PageAnswer.objects.bulk_create([answer])
    storage.write(storage.page_answer(answer.key), CANARY.encode())
    directory = Directory.objects.create(project=owner, name=CANARY)
    DirectoryFile.objects.create(directory=directory, document=ended.document, display_name=CANARY, unique_id=CANARY)
    request = JobRequest(mode="fast", tier="fast", version="latest")
    create_batch(project=owner, files=[BatchFile(CANARY, ended.document)], request=request, configuration_id=CANARY)
    save_configuration(project=owner, name=CANARY, parameters={"note": CANARY})
    idempotency.claim_key(project=owner, key=CANARY, fingerprint="0" * 64)
    call = {"project_id": owner.pk, "job_id": ended.pk, "page_number": 1, "page_parser": "llm", "model": "m"}
    Usage.objects.create(**call, started_at=timezone.now(), input_tokens=1, output_tokens=1)
    return owner


def clean_up_until_gone() -> None:
    clean_up.clean_up()
    make_removals_due()
    clean_up.clean_up()


def test_nothing_of_a_deleted_project_is_left(doomed: Project, submit: Submit, settings: Any) -> None:
    other = run(submit(pages=1))
    kept = {name for name in files(settings) if other.pk in name or (other.document_id or "") in name}
    assert CANARY.encode() in stored_bytes(settings)
    assert CANARY.encode() in database_bytes()

    delete_project.request_deletion(project=doomed, by="the test")
    clean_up_until_gone()

    assert not Project.objects.filter(pk=doomed.pk).exists()
    assert CANARY.encode() not in stored_bytes(settings)
    assert CANARY.encode() not in database_bytes()
    assert set(files(settings)) == kept
    assert not Removal.objects.exists()
    assert ParseJob.objects.get() == other
    assert Usage.objects.get().project_id == doomed.pk  # the ledger stays


def test_a_deletion_that_fails_halfway_is_continued(
    doomed: Project, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delete_project, "MAX_ROWS_PER_CALL", 1)
    delete_project.request_deletion(project=doomed, by="the test")
    assert delete_project.delete_some() == 1
    assert ParseJob.objects.filter(project=doomed).count() == 2

    clean_up_until_gone()

    assert not Project.objects.filter(pk=doomed.pk).exists()
    assert CANARY.encode() not in stored_bytes(settings) + database_bytes()


KILLED = """
import os, sys
import django
django.setup()
from apps.accounts.models import Project
from apps.documents import storage
from apps.jobs.commands import delete_project
project = Project.objects.get(name=sys.argv[1])
delete_project.request_deletion(project=project, by="the test")
storage.delete_below = lambda key: os._exit(9)  # after the commit of the rows, before their files go
delete_project.delete_some()
"""


def test_a_killed_deletion_is_continued(doomed: Project, settings: Any) -> None:
    database = connection.settings_dict
    url = f"sqlite:///{database['NAME']}"
    if connection.vendor == "postgresql":
        login = f"{database['USER']}:{database['PASSWORD']}@{database['HOST']}:{database['PORT']}"
        url = f"postgres://{login}/{database['NAME']}"
    environment = os.environ | {
        "DJANGO_SETTINGS_MODULE": "parse_project.settings",
        "DATABASE_URL": url,
        "STORAGE_URL": f"file://{settings.STORAGES['default']['OPTIONS']['location']}",
    }
    done = subprocess.run([sys.executable, "-c", KILLED, CANARY], env=environment, capture_output=True, text=True)
    assert done.returncode == 9, done.stderr
    assert Removal.objects.exists()

    clean_up_until_gone()

    assert CANARY.encode() not in stored_bytes(settings) + database_bytes()
    assert not Project.objects.filter(pk=doomed.pk).exists()


def test_a_document_added_at_the_last_moment_is_deleted_too(
    doomed: Project, submit: Submit, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A request may have passed the check of its key before the deletion was requested."""
    delete_project.request_deletion(project=doomed, by="the test")
    late: list[ParseJob] = []
    delete_row = delete_project._delete_row

    def after_an_upload(project: Project) -> int:
        if not late:
            late.append(submit(owner=project, pages=1))
        return delete_row(project)

    monkeypatch.setattr(delete_project, "_delete_row", after_an_upload)
    clean_up_until_gone()

    assert late
    assert not Project.objects.filter(pk=doomed.pk).exists()
    assert files(settings) == []


def test_an_upload_after_the_deletion_leaves_no_bytes(doomed: Project, submit: Submit, settings: Any) -> None:
    delete_project.request_deletion(project=doomed, by="the test")
    clean_up_until_gone()

    with pytest.raises(Exception, match=r"(?i)foreign key|violates"):
        submit(owner=doomed, pages=1)

    assert files(settings) == []


def test_the_api_asks_for_a_confirmation_and_then_refuses_the_keys(transactional_db: None) -> None:
    api = Api(accounts.create_api_key(name="one", project=CANARY)[1])
    api.upload()
    refused = api.delete("/api/v1/projects/current")
    assert code_of(refused, 400) == "confirmation_required"
    assert "1 document(s)" in refused.json()["detail"]
    assert "1 API key(s)" in refused.json()["detail"]
    assert code_of(api.delete("/api/v1/projects/current?confirm=another"), 400) == "confirmation_required"

    accepted = api.delete(f"/api/v1/projects/current?confirm={CANARY}")

    assert accepted.status_code == 202
    assert accepted.json()["contents"]["documents"] == 1
    assert code_of(api.get("/api/v1/projects"), 401) == "unauthenticated"
    with pytest.raises(ProjectBeingDeleted):
        accounts.create_api_key(name="two", project=CANARY)
    clean_up.clean_up()
    assert accounts.create_api_key(name="two", project=CANARY)


def test_another_project_cannot_be_deleted(transactional_db: None) -> None:
    api = Api(accounts.create_api_key(name="one")[1])
    theirs = accounts.create_api_key(name="stranger", project=CANARY)[0].project
    assert code_of(api.delete(f"/api/v1/projects/{theirs.pk}?confirm={CANARY}"), 404) == "not_found"
    assert code_of(api.delete("/api/v2/projects/current?confirm=default"), 405) == "method_not_allowed"


def test_the_command_shows_the_counts_and_asks_for_the_name_again(doomed: Project) -> None:
    out = io.StringIO()
    with pytest.raises(CommandError, match="--confirm"):
        call_command("delete_project", CANARY, stdout=out)
    assert "3 job(s)" in out.getvalue()
    assert "2 of them open" in out.getvalue()
    assert Project.objects.filter(pk=doomed.pk, deletion_requested_at=None).exists()

    call_command("delete_project", CANARY, confirm=CANARY, stdout=out)

    assert not Project.objects.filter(pk=doomed.pk).exists()
    with pytest.raises(CommandError, match="There is no project"):
        call_command("delete_project", CANARY)


@pytest.fixture
def admin(transactional_db: None, django_user_model: Any) -> Client:
    client = Client()
    client.force_login(django_user_model.objects.create_superuser("admin", password="secret"))
    return client


def test_the_admin_names_the_counts_and_keeps_no_name(admin: Client, doomed: Project) -> None:
    chosen: dict[str, Any] = {"action": "delete_everything", "_selected_action": [str(doomed.pk)]}
    page = admin.post(PROJECTS, chosen).content.decode()
    assert "3 job(s)" in page
    assert "2 of them open" in page

    answer = admin.post(PROJECTS, {**chosen, "confirmed": "yes"}, follow=True).content.decode()
    assert "1 project(s) are being deleted" in answer
    clean_up_until_gone()

    assert LogEntry.objects.get().object_repr == "deleted project"
    assert CANARY.encode() not in database_bytes()


def test_projects_cannot_be_deleted_without_their_files(admin: Client, doomed: Project) -> None:
    assert admin.post(f"{PROJECTS}{doomed.pk}/delete/", {"post": "yes"}).status_code == 403
    assert 'value="delete_selected"' not in admin.get(PROJECTS).content.decode()
