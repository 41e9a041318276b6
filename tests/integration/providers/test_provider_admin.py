"""The Django admin of providers, deployments, quotas and the ledger."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.utils import timezone

from apps.accounts import admin as accounts_admin
from apps.accounts.models import Project, ProjectQuota
from apps.core import read_only_admin
from apps.core.sealing import sealed_secrets
from apps.parsing import modes
from apps.providers import deployment_faults
from apps.providers.catalog import catalog, deployment_quota_key, target_of
from apps.providers.errors import CallFailed, Failure, FailureFacts
from apps.providers.model_facts.price_table import table_name
from apps.providers.models import CallOutcome, Deployment, Provider, Quota, Usage
from apps.providers.quota.store import QuotaDemand, QuotaLimits, QuotaStore, Reservation

PROVIDERS, DEPLOYMENTS, CALLS = "/admin/providers/provider/", "/admin/providers/deployment/", "/admin/providers/usage/"
SECRET = "sk-canary-4d1f"
TYPED = {"name": "house", "family": "openai", "region": "eu", "settings": "{}", "external": "on"}
ROWS = 50


@pytest.fixture
def admin(transactional_db: None, django_user_model: Any) -> Client:
    person = django_user_model.objects.create_superuser("admin", password="secret")
    client = Client()
    client.force_login(person)
    return client


@pytest.fixture
def account(transactional_db: None) -> Provider:
    return Provider.objects.create(
        name="house", family="openai", secrets_sealed=sealed_secrets.seal(json.dumps({"api_key": SECRET}))
    )


def give_fault(row: Provider | Deployment) -> None:
    row.trouble_code, row.trouble_detail, row.trouble_at = "provider_auth_failed", "HTTP 401: no", timezone.now()
    row.save()


def called(name: str = "house", deployment: Deployment | None = None, **facts: Any) -> Usage:
    common = {
        "project_id": uuid.UUID(int=7),
        "job_id": "pjb-1",
        "page_number": 1,
        "page_parser": "llm",
        "provider_name": name,
        "deployment": deployment,
        "model": "m",
        "started_at": timezone.now(),
        "outcome": CallOutcome.ANSWERED,
        "input_tokens": 1000,
        "output_tokens": 100,
    }
    return Usage.objects.create(**common | facts)


def run_action(admin: Client, address: str, action: str, *rows: Any) -> str:
    response = admin.post(address, {"action": action, "_selected_action": [row.pk for row in rows]}, follow=True)
    return response.content.decode()


def secrets_of(provider: Provider) -> Any:
    provider.refresh_from_db()
    return json.loads(sealed_secrets.unseal(provider.secrets_sealed))


def row_of(page: str, name: str) -> str:
    """Return the table row that contains ``name``."""
    return next(row for row in page.split("<tr") if name in row)


def test_secret_is_saved_and_never_shown(admin: Client) -> None:
    saved = admin.post(f"{PROVIDERS}add/", TYPED | {"api_key": SECRET}, follow=True).content.decode()
    provider = Provider.objects.get()
    change = f"{PROVIDERS}{provider.pk}/change/"
    again = admin.post(change, TYPED | {"api_key": f"{SECRET}-2", "region": "us"}, follow=True).content.decode()
    refused = admin.post(change, TYPED | {"api_key": SECRET, "settings": '{"colour": 1}'}).content.decode()
    addresses = (PROVIDERS, change, f"{PROVIDERS}{provider.pk}/history/", "/admin/")
    pages = [admin.get(address).content.decode() for address in addresses]

    assert secrets_of(provider) == {"api_key": f"{SECRET}-2"}
    assert SECRET not in provider.secrets_sealed
    for page in (saved, again, refused, *pages):
        assert SECRET not in page
        assert provider.secrets_sealed not in page
    messages = [entry.get_change_message() for entry in LogEntry.objects.order_by("pk")]
    assert messages == ["Added.", "Changed Region and secrets."]


def test_secret_is_kept_if_its_field_is_empty(admin: Client, account: Provider) -> None:
    admin.post(f"{PROVIDERS}{account.pk}/change/", TYPED | {"region": "us"})

    assert secrets_of(account) == {"api_key": SECRET}
    assert account.region == "us"
    assert "secrets" not in LogEntry.objects.get().get_change_message()


def test_forget_secrets_deletes_them(admin: Client) -> None:
    local = Provider.objects.create(
        name="house",
        family="openai_compatible",
        settings={"base_url": "http://models:8000/v1"},
        secrets_sealed=sealed_secrets.seal(json.dumps({"api_key": SECRET})),
    )

    typed = TYPED | {"settings": json.dumps(local.settings), "forget_secrets": "on"}
    admin.post(f"{PROVIDERS}{local.pk}/change/", typed)

    assert secrets_of(local) == {}


def test_secrets_sealed_with_another_key_must_be_entered_again(admin: Client, account: Provider) -> None:
    Provider.objects.update(secrets_sealed="gAAAAA-of-another-key")

    kept = admin.post(f"{PROVIDERS}{account.pk}/change/", TYPED).content.decode()
    admin.post(f"{PROVIDERS}{account.pk}/change/", TYPED | {"api_key": "new"})

    assert "api_key: OpenAI needs it" in kept
    assert secrets_of(account) == {"api_key": "new"}


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ({}, "api_key: OpenAI needs it"),
        ({"api_key": "k", "access_key_id": "k"}, "access_key_id: OpenAI has no such secret"),
        ({"api_key": "k", "settings": '{"base_url": "ftp://models"}'}, "base_url: an http(s) address"),
        ({"api_key": "k", "settings": '{"api_key": "k"}'}, "api_key: this is a secret; enter it in its own field"),
        ({"api_key": "k", "settings": "[1]"}, "A JSON object is expected"),
        ({"api_key": "k", "family": "azure"}, "api_version: Azure OpenAI needs it"),
    ],
)
def test_form_shows_the_errors_of_a_provider(admin: Client, typed: dict[str, str], message: str) -> None:
    page = admin.post(f"{PROVIDERS}add/", TYPED | typed).content.decode()

    assert message in page
    assert not Provider.objects.exists()


def test_new_key_clears_the_fault(admin: Client, account: Provider) -> None:
    give_fault(account)

    admin.post(f"{PROVIDERS}{account.pk}/change/", TYPED | {"region": "us"})
    account.refresh_from_db()
    assert account.trouble_code == "provider_auth_failed"

    admin.post(f"{PROVIDERS}{account.pk}/change/", TYPED | {"api_key": "new"})
    account.refresh_from_db()
    assert account.trouble_code == ""
    assert account.trouble_at is None


def test_user_with_view_permission_sees_no_secret_fields(
    account: Provider, django_user_model: Any, admin: Client
) -> None:
    from django.contrib.auth.models import Permission

    guest = django_user_model.objects.create_user("guest", is_staff=True)
    guest.user_permissions.add(Permission.objects.get(codename="view_provider"))
    client = Client()
    client.force_login(guest)

    page = client.get(f"{PROVIDERS}{account.pk}/change/").content.decode()

    assert "house" in page
    assert "api_key" not in page
    run_action(client, PROVIDERS, "pause", account)
    account.refresh_from_db()
    assert not account.paused


def test_pause_and_resume_change_catalog_and_history(admin: Client, account: Provider) -> None:
    deployment = Deployment.objects.create(name="small", provider=account, model="m", serves_llm=True)
    catalog.forget()
    assert [target.name for target in catalog.targets("llm")] == ["small"]

    assert "1 provider(s) paused" in run_action(admin, PROVIDERS, "pause", account)
    assert catalog.targets("llm") == []
    assert "0 provider(s) paused" in run_action(admin, PROVIDERS, "pause", account)
    run_action(admin, PROVIDERS, "resume", account)
    assert [target.name for target in catalog.targets("llm")] == ["small"]
    run_action(admin, DEPLOYMENTS, "pause", deployment)
    assert catalog.targets("llm") == []
    assert "paused" in row_of(admin.get(DEPLOYMENTS).content.decode(), "small")

    changes = [entry.get_change_message() for entry in LogEntry.objects.order_by("pk")]
    assert changes == ["paused", "resumed", "paused"]


def test_clearing_a_fault_closes_circuit_breakers(admin: Client, account: Provider, quota_store: QuotaStore) -> None:
    deployment = Deployment.objects.create(name="small", provider=account, model="m", serves_llm=True)
    key = deployment_quota_key(deployment.pk)
    give_fault(account)
    quota_store.reserve([QuotaLimits(key)], QuotaDemand(1, 1))  # fills the store from the ledger
    for _ in range(5):
        quota_store.note_failure(key)
    quota_store.hold_off(key, seconds=900)
    listed = admin.get(PROVIDERS).content.decode()

    run_action(admin, PROVIDERS, "clear_fault", account)

    assert "fault: provider_auth_failed since" in row_of(listed, "house")
    account.refresh_from_db()
    assert account.trouble_code == ""
    assert isinstance(quota_store.reserve([QuotaLimits(key)], QuotaDemand(1, 1)), Reservation)


def test_fault_is_cleared_while_the_quota_store_is_unavailable(admin: Client, account: Provider, settings: Any) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    deployment = Deployment.objects.create(name="small", provider=account, model="m")
    give_fault(deployment)

    page = run_action(admin, DEPLOYMENTS, "clear_fault", deployment)

    deployment.refresh_from_db()
    assert deployment.trouble_code == ""
    assert "Circuit breakers were not reset" in page
    assert row_of(page, "small").count("not known") == 2
    assert LogEntry.objects.get().get_change_message() == "cleared of its fault"


def test_deployment_list_shows_use_and_unknown_prices(
    admin: Client, account: Provider, quota_store: QuotaStore
) -> None:
    limited = Deployment.objects.create(name="limited", provider=account, model="m", input_price="2.5", output_price=10)
    Quota.objects.create(deployment=limited, requests_per_window=60, requests_per_day=1000, dollars_per_day=5)
    Deployment.objects.create(name="plain", provider=account, model="m", serves_llm=True, serves_agent=True)
    reserved = quota_store.reserve(
        [QuotaLimits(deployment_quota_key(limited.pk))], QuotaDemand(2000, 100, money=1_250_000)
    )
    assert isinstance(reserved, Reservation)

    page = admin.get(DEPLOYMENTS).content.decode()

    assert "1 of 60 requests, 2,100 tokens, 1 in flight in 60 s" in row_of(page, "limited")
    assert "1 of 1,000 requests, $1.25 of $5.00" in row_of(page, "limited")
    assert "llm, agent" in row_of(page, "plain")
    assert row_of(page, "plain").count(">unknown<") == 2
    assert "cost unknown" in row_of(page, "plain")


def test_prices_that_nobody_entered_are_listed_and_shown_with_their_source(admin: Client, account: Provider) -> None:
    entry = {"name": "priceless", "provider": account.pk, "model": "gpt-4o-mini", "order": 1, "max_output_tokens": 100}
    entry |= {"quota-TOTAL_FORMS": "0", "quota-INITIAL_FORMS": "0", "parameters": "{}"}
    admin.post(f"{DEPLOYMENTS}add/", entry)
    row = Deployment.objects.get()

    assert "0.15 (listed)" in admin.get(DEPLOYMENTS).content.decode()
    page = admin.get(f"{DEPLOYMENTS}{row.pk}/change/").content.decode()
    assert f"input 0.15, cached 0.075, output 0.6 US dollars per million tokens ({table_name()}: gpt-4o-mini)" in page

    admin.post(f"{DEPLOYMENTS}{row.pk}/change/", entry | {"model": "unheard-of"})
    assert "unknown: costs are unknown, no limit of money counts them, and jobs with max_cost are refused" in (
        admin.get(f"{DEPLOYMENTS}{row.pk}/change/").content.decode()
    )


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ({"quota-0-window_seconds": "0"}, "A window has 0.1 to 3600 seconds"),
        ({"quota-0-dollars_per_day": "-1"}, "money_per_day must be a whole number"),
        ({"parameters": "[]"}, "A JSON object is expected"),
        ({"input_price": "-1"}, "A price is 0 or more"),
        ({"dialect": "dots_ocr"}, "A model with its own form reads the pictures of pages"),
        ({"prompt": "Read it."}, "A text is expected, beside a dialect"),
        ({"picture_pixels": "9"}, "256 to 4000 is expected"),
    ],
)
def test_form_refuses_values_that_no_worker_could_use(
    admin: Client, account: Provider, typed: dict[str, str], message: str
) -> None:
    entry = {"name": "small", "provider": account.pk, "model": "m", "order": 1, "max_output_tokens": 100}
    quota = {"quota-TOTAL_FORMS": "1", "quota-INITIAL_FORMS": "0", "quota-0-window_seconds": "60"}
    quota |= {"quota-0-requests_per_window": "60", "parameters": "{}"}

    page = admin.post(f"{DEPLOYMENTS}add/", entry | quota | typed).content.decode()

    assert message in page
    assert not Deployment.objects.exists()
    admin.post(f"{DEPLOYMENTS}add/", entry | quota)
    assert Deployment.objects.get().quota.requests_per_window == 60


def test_provider_list_shows_costs_and_unknown_costs(admin: Client, account: Provider) -> None:
    for name in ("cheap", "dark", "idle"):
        Provider.objects.create(name=name, family="openai")
    yesterday = timezone.now() - timedelta(days=2)
    called("cheap", cost_nanos=1_500_000_000)
    called("cheap", cost_nanos=250_000_000)
    called("cheap", cost_nanos=None, started_at=yesterday)
    called("dark", cost_nanos=1_000_000_000)
    called("dark", cost_nanos=None)

    page = admin.get(PROVIDERS).content.decode()

    assert "$1.750000" in row_of(page, ">cheap<")
    assert "unknown" in row_of(page, ">dark<")
    assert "$" not in row_of(page, ">dark<")
    assert "$" not in row_of(page, ">idle<")


def test_ledger_lists_newest_first_and_finds_a_job(admin: Client) -> None:
    called(job_id="pjb-old", cost_nanos=None, started_at=timezone.now() - timedelta(hours=1))
    new = called(job_id="pjb-new", cost_nanos=1_234_000, error_code="output_altered")

    page = admin.get(CALLS).content.decode()

    assert page.index("pjb-new") < page.index("pjb-old")
    assert "$0.001234" in row_of(page, "pjb-new")
    assert "unknown" in row_of(page, "pjb-old")
    for wanted in ("q=pjb-new", "error_code=output_altered", "job_id__exact=pjb-new"):
        found = admin.get(f"{CALLS}?{wanted}").content.decode()
        assert "pjb-new" in found
        assert "pjb-old" not in found
    detail = admin.get(f"{CALLS}{new.pk}/change/").content.decode()
    assert "$0.001234" in detail
    assert 'name="_save"' not in detail
    assert admin.get(f"{CALLS}add/").status_code == 403
    assert admin.post(f"{CALLS}{new.pk}/delete/", {"post": "yes"}).status_code == 403


@pytest.mark.parametrize("address", [PROVIDERS, DEPLOYMENTS, CALLS])
def test_number_of_queries_does_not_depend_on_rows(
    admin: Client, quota_store: QuotaStore, django_assert_max_num_queries: Callable[..., Any], address: str
) -> None:
    for number in range(ROWS):
        provider = Provider.objects.create(name=f"account-{number}", family="openai")
        deployment = Deployment.objects.create(name=f"model-{number}", provider=provider, model="m")
        Quota.objects.create(deployment=deployment, requests_per_window=60)
        called(provider.name, deployment, cost_nanos=number)

    with django_assert_max_num_queries(10):
        page = admin.get(address).content.decode()

    assert f"account-{ROWS - 1}" in page


def test_ledger_keeps_the_calls_of_a_deleted_provider(admin: Client, account: Provider) -> None:
    called("house", Deployment.objects.create(name="small", provider=account, model="m", serves_llm=True))
    catalog.forget()
    assert catalog.targets("llm")

    admin.post(f"{PROVIDERS}{account.pk}/delete/", {"post": "yes"})

    assert catalog.targets("llm") == []
    assert "house" in admin.get(CALLS).content.decode()


def test_project_quota_is_edited_with_the_project(admin: Client) -> None:
    project = Project.objects.create(name="press")
    change = f"/admin/accounts/project/{project.pk}/change/"
    typed = {"name": "press", "quota-TOTAL_FORMS": "1", "quota-INITIAL_FORMS": "0", "quota-0-project": project.pk}
    limits = {
        "quota-0-modes": ["fast", "balanced"],
        "quota-0-providers": "house, local",
        "quota-0-pages_per_day": "100",
    }

    admin.post(change, typed | {"quota-0-allow_external": "on"})
    assert not ProjectQuota.objects.exists()

    admin.post(change, typed | limits)
    quota = ProjectQuota.objects.get()
    assert (quota.modes, quota.providers, quota.pages_per_day) == (["fast", "balanced"], ["house", "local"], 100)
    assert not quota.allow_external
    assert 'value="house, local"' in admin.get(change).content.decode()


def test_project_can_have_every_mode() -> None:
    assert accounts_admin.MODES == modes.MODES


def test_key_in_a_provider_error_is_not_shown(admin: Client, account: Provider, caplog: Any) -> None:
    deployment = Deployment.objects.create(name="small", provider=account, model="m")
    refused = CallFailed(Failure.AUTH, FailureFacts(detail=f"HTTP 401: Incorrect API key: {SECRET}."))

    deployment_faults.report(target_of(deployment), refused)

    page = admin.get(f"{PROVIDERS}{account.pk}/change/").content.decode()
    assert "Incorrect API key: (api_key)." in page
    assert SECRET not in page + caplog.text


def test_long_ledger_is_not_counted_to_its_end(
    admin: Client, django_assert_max_num_queries: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(read_only_admin, "MAX_COUNTED_ROWS", 3)
    for number in range(5):
        called(job_id=f"pjb-{number}")

    with django_assert_max_num_queries(10) as queries:
        page = admin.get(CALLS).content.decode()

    assert all("LIMIT" in query["sql"] for query in queries.captured_queries if "COUNT(" in query["sql"])
    assert "3 usage" in page
