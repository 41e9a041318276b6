"""Batches in the admin."""

from __future__ import annotations

import io
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client

from apps.accounts.models import Project
from apps.documents import services as documents
from apps.jobs.commands.batches import BatchFile, create_batch
from apps.jobs.commands.submit import JobRequest
from apps.jobs.models import JobBatch, ParseJob
from tests.documents.long import long_document

BATCHES = "/admin/jobs/jobbatch/"


@pytest.fixture
def batch(project: Project) -> JobBatch:
    stored = documents.store_upload(project=project, name="a.pdf", content=io.BytesIO(long_document(1)))
    request = JobRequest(mode="fast", tier="fast", version="latest")
    files = [BatchFile(stored.pk, stored)] * 2
    return create_batch(project=project, files=files, request=request, configuration_id="cfg-PARSE_FAST")


def cancel(client: Client, batch: JobBatch) -> Any:
    return client.post(BATCHES, {"action": "cancel", "_selected_action": [batch.pk]}, follow=True)


def test_a_batch_shows_its_jobs_and_its_open_jobs_are_cancelled(admin: Client, batch: JobBatch) -> None:
    assert "2 pending" in admin.get(BATCHES).content.decode()
    assert "1 batch(es) cancelled." in cancel(admin, batch).content.decode()
    assert set(ParseJob.objects.values_list("state", flat=True)) == {"cancelled"}
    assert "0 batch(es) cancelled. 1 had no open job." in cancel(admin, batch).content.decode()


def test_a_user_who_may_only_view_batches_cannot_cancel_them(
    reader: Client, django_user_model: Any, batch: JobBatch
) -> None:
    person = django_user_model.objects.get(username="reader")
    person.user_permissions.add(Permission.objects.get(codename="view_jobbatch"))
    assert batch.pk in reader.get(BATCHES).content.decode()
    cancel(reader, batch)
    assert set(ParseJob.objects.values_list("state", flat=True)) == {"pending"}
