"""The audit log: what people, keys and commands did, without secrets."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import IntegrityError, connection
from django.test import Client
from django.utils import timezone

from apps.accounts import audit
from apps.accounts.models import ApiKey, AuditEntry, Project
from tests.integration.api.conftest import FILES, PARSE, Api

PROVIDERS = """
providers:
  - name: local
    family: openai_compatible
    external: false
    settings: {base_url: "http://127.0.0.1:9/v1"}
    deployments:
      - name: small
        model: small
        page_parsers: [llm]
"""


def entries() -> list[tuple[str, str, str, str]]:
    return list(AuditEntry.objects.order_by("pk").values_list("kind", "actor", "action", "target"))


@pytest.fixture
def person(transactional_db: None) -> Client:
    User.objects.create_superuser("operator", password="canary-right")
    return Client(REMOTE_ADDR="192.0.2.7")


def test_logins_and_changes_of_a_person_are_recorded(person: Client, api: Api) -> None:
    login = {"username": "operator", "password": "canary-wrong"}
    person.post("/admin/login/?next=/admin/", login)
    person.post("/admin/login/?next=/admin/", login | {"password": "canary-right"})
    key = ApiKey.objects.get()
    form = {"action": "revoke", "_selected_action": [str(key.pk)]}
    person.post("/admin/accounts/apikey/", form, headers={"x-request-id": "request-71"})
    person.get("/admin/accounts/apikey/")

    assert entries() == [
        ("person", "operator", "login failed", ""),
        ("person", "operator", "login ok", ""),
        ("person", "operator", "accounts_apikey_changelist revoke", str(key.pk)),
    ]
    last = AuditEntry.objects.latest("pk")
    assert (last.address, last.request_id) == ("192.0.2.7", "request-71")
    assert "canary" not in str(list(AuditEntry.objects.values()))
    shown = person.get("/admin/accounts/auditentry/")
    assert b"accounts_apikey_changelist revoke" in shown.content
    assert person.get("/admin/accounts/auditentry/add/").status_code == 403
    assert person.post(f"/admin/accounts/auditentry/{last.pk}/delete/", {"post": "yes"}).status_code == 403
    assert person.post(f"/admin/accounts/auditentry/{last.pk}/change/", {"actor": "other"}).status_code == 403


def test_a_key_that_a_person_creates_is_shown_once_and_works(person: Client) -> None:
    person.force_login(User.objects.get())
    project = Project.objects.create(name="invoices")
    form = {"project": str(project.pk), "name": "robot", "scopes": "read", "allowed_addresses": ""}
    page = person.post("/admin/accounts/apikey/add/", form | {"expires_at_0": "2999-01-01", "expires_at_1": "00:00"})
    key = re.findall(r"lm-[\w-]{40,}", page.content.decode())[0]

    assert Api(key).get(FILES).status_code == 200
    row = ApiKey.objects.get()
    assert (row.project, row.scopes, row.expires_at.year if row.expires_at else 0) == (project, "read", 2999)
    assert entries()[-1] == ("person", "operator", "accounts_apikey_add", str(row.pk))
    stored = str([list(ApiKey.objects.values()), list(AuditEntry.objects.values()), person.cookies.output()])
    assert key not in stored
    assert key not in person.get(f"/admin/accounts/apikey/{row.pk}/change/").content.decode()
    person.post("/admin/accounts/apikey/add/", form | {"scopes": "everything"})
    assert ApiKey.objects.count() == 1


def test_what_keys_change_is_recorded_and_what_they_read_or_create_is_not(api: Api) -> None:
    file_id, job_id = api.upload().json()["id"], api.parse().json()["id"]
    api.get(f"{FILES}/{file_id}")
    assert entries() == []

    api.post(f"{PARSE}/{job_id}/cancel")
    api.delete(f"{FILES}/{file_id}")
    api.delete(f"{FILES}/unknown")
    made = api.post("/api/v1/api-keys", {"name": "robot"}, content_type="application/json").json()

    name = str(ApiKey.objects.get(name="test"))
    assert entries() == [
        ("key", name, "POST /api/v2/parse/<str:job_id>/cancel", job_id),
        ("key", name, "DELETE /api/v1/beta/files/<str:file_id>", file_id),
        ("key", name, "POST /api/v1/api-keys", ""),
    ]
    assert made["api_key"] not in str(list(AuditEntry.objects.values()))


def test_commands_are_recorded_and_the_log_is_exported_and_forgotten(
    transactional_db: None, capsys: pytest.CaptureFixture[str], settings: Any
) -> None:
    call_command("create_api_key", "robot")
    call_command("revoke_api_key", "robot")
    capsys.readouterr()
    call_command("audit_log", "--days", "1")
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    assert [line["action"] for line in lines] == ["create API key", "revoke API key"]
    assert {line["kind"] for line in lines} == {"command"}
    assert lines[0]["target"] == "robot of default"
    add_old_entry(days=366)
    add_old_entry(days=364)
    assert audit.purge() == 1
    settings.AUDIT_LOG_DAYS = 0
    assert audit.purge() == 0
    assert AuditEntry.objects.count() == 3


def test_the_database_refuses_to_change_entries_or_to_remove_them_early(transactional_db: None) -> None:
    call_command("create_api_key", "robot")
    add_old_entry(days=366)
    with pytest.raises(IntegrityError, match="audit log"):
        AuditEntry.objects.update(actor="somebody else")
    with pytest.raises(IntegrityError, match="audit log"):
        AuditEntry.objects.all().delete()
    if connection.vendor == "postgresql":
        with pytest.raises(IntegrityError, match="audit log"), connection.cursor() as cursor:
            cursor.execute("TRUNCATE accounts_auditentry")
    assert AuditEntry.objects.count() == 2
    assert AuditEntry.objects.exclude(actor="somebody else").count() == 2


def test_commands_that_change_something_are_recorded(transactional_db: None, tmp_path: Path) -> None:
    providers = tmp_path / "providers.yaml"
    providers.write_text(PROVIDERS, encoding="utf-8")
    call_command("create_api_key", "robot", "--project", "invoices")
    project = Project.objects.get(name="invoices")

    call_command("load_providers", providers, "--dry-run")
    call_command("load_providers", providers)
    call_command("load_providers", providers)
    call_command("rotate_sealing_keys")
    call_command("pause", "llm")
    call_command("resume", "llm")
    call_command("resume", "llm")
    call_command("cleanup", "--dry-run")
    call_command("cleanup")
    call_command("delete_project", "invoices", "--confirm", "invoices")

    assert [(action, target) for _, _, action, target in entries()[1:]] == [
        ("load providers", "provider local, deployment small"),
        ("rotate sealing keys", ""),
        ("pause", "llm"),
        ("resume", "llm"),
        ("cleanup", "0 jobs"),
        ("delete project", f"invoices ({project.pk})"),
    ]


def add_old_entry(*, days: int) -> None:
    """Insert an entry as it was written some days ago. The model always writes the present time."""
    at = timezone.now() - timedelta(days=days)
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO accounts_auditentry (at, kind, actor, action, target, request_id) "
            "VALUES (%s, 'command', 'root', 'create API key', '', '')",
            [connection.ops.adapt_datetimefield_value(at)],
        )
