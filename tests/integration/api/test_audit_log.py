"""The audit log: what people, keys and commands did, without secrets."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import Client
from django.utils import timezone

from apps.accounts import audit
from apps.accounts.models import ApiKey, AuditEntry
from tests.integration.api.conftest import FILES, PARSE, Api


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
    AuditEntry.objects.filter(action="create API key").update(at=timezone.now() - timedelta(days=366))
    assert audit.purge() == 1
    settings.AUDIT_LOG_DAYS = 0
    AuditEntry.objects.update(at=timezone.now() - timedelta(days=3660))
    assert audit.purge() == 0
