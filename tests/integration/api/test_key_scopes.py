"""What a key may do, from where, and for how long."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.urls import get_resolver
from django.utils import timezone

from apps.accounts import services as accounts
from apps.accounts.models import ApiKey, Scope
from apps.api.base import ApiView, PublicView
from tests.integration.api.conftest import FILES, PARSE, Api, Finish, code_of

KEYS = "/api/v1/api-keys"
HANDLERS = ("get", "post", "put", "delete")


def views() -> dict[str, type[ApiView]]:
    """Return the view of each route that takes API keys."""
    found = {}
    for pattern in get_resolver().url_patterns:
        for route in getattr(pattern, "url_patterns", [pattern]):
            view = getattr(getattr(route, "callback", None), "cls", None)
            if view and issubclass(view, ApiView) and not issubclass(view, PublicView):
                found[str(route.pattern)] = view
    return found


def test_every_route_declares_the_scope_of_each_of_its_methods() -> None:
    lacking = [
        f"{method.upper()} {route}"
        for route, view in views().items()
        for method in HANDLERS
        if hasattr(view, method) and method.upper() not in getattr(view, "scopes", {})
    ]
    assert len(views()) > 70
    assert lacking == []


@pytest.mark.parametrize("scope", Scope.values)
def test_a_key_with_one_scope_may_do_nothing_else(scope: str, transactional_db: None) -> None:
    client = Api(accounts.create_api_key(name=scope, scopes=scope)[1])
    wrong = []
    for route, view in views().items():
        path = "/" + route.replace("<str:", "").replace("<int:page_index>", "0").replace(">", "")
        for method in HANDLERS:
            if (
                not hasattr(view, method)
                or method not in view.http_method_names
                or view.scopes[method.upper()] == scope
            ):
                continue
            response = getattr(client, method)(path)
            if response.status_code != 403 or b"scope_missing" not in response.content:
                wrong.append(f"{method} {path}: {response.status_code}")
    assert wrong == []


def test_a_reading_key_reads_and_the_error_names_the_scope_it_lacks(api: Api) -> None:
    file_id = api.upload().json()["id"]
    reader = Api(accounts.create_api_key(name="reader", scopes="read")[1])

    assert reader.get(f"{FILES}/{file_id}").status_code == 200
    refused = reader.upload()
    assert code_of(refused, 403) == "scope_missing"
    assert "lacks the scope parse" in refused.json()["detail"]
    assert code_of(reader.delete(f"{FILES}/{file_id}"), 403) == "scope_missing"


def test_a_key_works_only_from_its_addresses(transactional_db: None, settings: Any) -> None:
    listed = "192.0.2.7, 2001:db8::/32"
    client = Api(accounts.create_api_key(name="office", allowed_addresses=listed)[1])

    statuses = {
        address: client.get(PARSE, REMOTE_ADDR=address).status_code
        for address in ("192.0.2.7", "2001:db8:5::1", "::ffff:192.0.2.7", "192.0.2.8", "2001:db9::1", "")
    }
    assert list(statuses.values()) == [200, 200, 200, 403, 403, 403]
    assert code_of(client.get(PARSE, REMOTE_ADDR="192.0.2.8"), 403) == "ip_not_allowed"
    forged = client.get(PARSE, REMOTE_ADDR="192.0.2.8", HTTP_X_FORWARDED_FOR="192.0.2.7")
    assert forged.status_code == 403
    settings.TRUSTED_PROXIES = 1
    assert client.get(PARSE, REMOTE_ADDR="192.0.2.8", HTTP_X_FORWARDED_FOR="192.0.2.7").status_code == 200


def test_the_use_of_a_key_is_noted_once_a_minute(transactional_db: None) -> None:
    row, key = accounts.create_api_key(name="used")
    client = Api(key)

    def last_used() -> Any:
        client.get(PARSE)
        return ApiKey.objects.values_list("last_used_at", flat=True).get(pk=row.pk)

    first = last_used()
    assert timezone.now() - first < timedelta(seconds=30)
    assert last_used() == first
    ApiKey.objects.filter(pk=row.pk).update(last_used_at=first - timedelta(minutes=2))
    assert last_used() >= first


def test_a_revoked_key_is_refused_at_once_and_its_running_job_finishes(api: Api, finish: Finish) -> None:
    row, key = accounts.create_api_key(name="leaving")
    leaving = Api(key)
    job_id = leaving.parse().json()["id"]

    accounts.revoke_api_key(api_key=row)

    assert code_of(leaving.job(job_id), 401) == "unauthenticated"
    assert finish(job_id).state == "succeeded"
    assert api.job(job_id).json()["job"]["status"] == "COMPLETED"


def test_a_rotated_key_has_the_same_rights_and_the_old_one_expires(
    transactional_db: None, capsys: pytest.CaptureFixture[str]
) -> None:
    call_command("create_api_key", "robot", "--scopes", "read", "--allow-addresses", "127.0.0.1")
    call_command("rotate_api_key", "robot", "--old-for-hours", "1")
    old, new = capsys.readouterr().out.split()

    assert Api(old).get(PARSE).status_code == Api(new).get(PARSE).status_code == 200
    assert code_of(Api(new).post(PARSE), 403) == "scope_missing"
    assert code_of(Api(new).get(PARSE, REMOTE_ADDR="192.0.2.8"), 403) == "ip_not_allowed"
    ApiKey.objects.exclude(expires_at=None).update(expires_at=timezone.now())
    assert code_of(Api(old).get(PARSE), 401) == "unauthenticated"
    assert Api(new).get(PARSE).status_code == 200


@pytest.mark.parametrize("bad", [("--scopes", "read,write"), ("--scopes", " "), ("--allow-addresses", "office")])
def test_unknown_scopes_and_addresses_are_refused(bad: tuple[str, str], transactional_db: None) -> None:
    with pytest.raises(CommandError, match=r"Scopes are read, parse, admin|no address or network"):
        call_command("create_api_key", "robot", *bad)
    assert not ApiKey.objects.exists()


def test_keys_are_made_listed_rotated_and_revoked_over_the_api(api: Api, stranger: Api) -> None:
    asked = {"name": "robot", "scopes": ["read"], "allowed_addresses": ["127.0.0.0/8"]}
    made = api.post(KEYS, asked, content_type="application/json").json()
    robot = Api(made["api_key"])

    assert robot.get(PARSE).status_code == 200
    assert code_of(robot.get(KEYS), 403) == "scope_missing"
    listed = api.get(KEYS)
    assert made["api_key"] not in listed.content.decode()
    assert [each["name"] for each in listed.json()] == ["robot", "test"]
    assert listed.json()[0]["scopes"] == ["read"]
    assert listed.json()[0]["last_used_at"]
    address = f"{KEYS}/{made['id']}"
    assert code_of(stranger.delete(address), 404) == code_of(stranger.post(f"{address}/rotate"), 404) == "not_found"
    rotated = api.post(f"{address}/rotate", {"old_for_hours": 1}, content_type="application/json").json()
    assert Api(rotated["api_key"]).get(PARSE).status_code == robot.get(PARSE).status_code == 200
    assert api.delete(address).status_code == 204
    assert code_of(robot.get(PARSE), 401) == "unauthenticated"
    assert Api(rotated["api_key"]).get(PARSE).status_code == 200
    assert code_of(api.delete(address), 404) == "not_found"


def test_a_key_gives_no_scope_that_it_lacks(api: Api) -> None:
    admin = Api(accounts.create_api_key(name="admin only", scopes="admin")[1])
    own = ApiKey.objects.get(name="test")

    for body in ({"name": "more", "scopes": ["parse"]}, {"name": "more"}):
        assert code_of(admin.post(KEYS, body, content_type="application/json"), 403) == "scope_missing"
    assert code_of(admin.post(f"{KEYS}/{own.pk}/rotate"), 403) == "scope_missing"
    bad = {"name": "x", "scopes": ["admin"], "allowed_addresses": ["office"]}
    assert code_of(admin.post(KEYS, bad, content_type="application/json"), 422) == "invalid_option"
    assert ApiKey.objects.count() == 2
