"""The capacity page of the admin."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client

PAGE = "/admin/operations/capacity/"
QUERY = {
    "pages_per_minute": "10000",
    "mode": "balanced",
    "overlay": "staging",
    "peak": "1",
    "ocr_share": "0.3",
    "projects": "10",
    "load": "constant",
    "burst": "50000",
    "rates": "guide",
}


@pytest.fixture
def staff(transactional_db: None, django_user_model: Any) -> Client:
    person = django_user_model.objects.create_user("clerk", password="secret", is_staff=True)
    person.user_permissions.add(Permission.objects.get(codename="view_parsejob"))
    client = Client()
    client.force_login(person)
    return client


def test_only_staff_may_open_it(transactional_db: None, django_user_model: Any) -> None:
    customer = Client()
    customer.force_login(django_user_model.objects.create_user("customer", password="secret"))

    for client in (Client(), customer):
        response = client.get(PAGE)
        assert response.status_code == 302
        assert "/admin/login/" in response["Location"]


def test_staff_who_may_not_see_jobs_are_refused(transactional_db: None, django_user_model: Any) -> None:
    clerk = Client()
    clerk.force_login(django_user_model.objects.create_user("clerk", password="secret", is_staff=True))

    assert clerk.get(PAGE).status_code == 403
    assert clerk.get("/admin/operations/doctor/").status_code == 403


def test_without_a_query_only_the_form_is_shown(staff: Client) -> None:
    page = staff.get(PAGE).content.decode()

    assert 'name="pages_per_minute"' in page
    assert "<figure" not in page


def test_a_load_shows_its_table_and_chart(staff: Client) -> None:
    page = staff.get(PAGE, QUERY).content.decode()

    assert "10,000 pages a minute, balanced mode" in page
    assert "<td>64</td><td>12 to 120</td>" in page
    assert "wait of a page, p95" in page
    assert "<figure" in page
    assert "hours since the start" in page


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"pages_per_minute": "many"}, "Enter a number."),
        ({"pages_per_minute": "-1"}, "Pages a minute must be from 0.001"),
        ({"mode": "psychic"}, "Select a valid choice."),
        ({"ocr_share": "30"}, "The share of pages for OCR must be from 0 to 1, not 30."),
        ({"recorded_hours": "2"}, "No job was created in the last 2 hours"),
        ({"mode": "fast", "rates": "measured", "gpu": "on"}, "Not measured yet: fast"),
    ],
)
def test_invalid_values_are_reported_in_the_form(
    staff: Client, settings: Any, tmp_path: Any, changed: dict[str, str], message: str
) -> None:
    settings.BASE_DIR = tmp_path
    response = staff.get(PAGE, QUERY | changed)
    page = response.content.decode()

    assert response.status_code == 200
    assert message in page
    assert "<figure" not in page


def test_post_is_refused(staff: Client) -> None:
    assert staff.post(PAGE, QUERY).status_code == 405
