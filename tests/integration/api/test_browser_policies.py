"""What a browser is allowed to do with our pages and with results."""

from __future__ import annotations

import base64
import hashlib

import lxml.html
import pytest
from django.contrib.auth.models import User
from django.test import Client

from apps.accounts import services as accounts
from apps.accounts.models import ProjectQuota
from tests.integration.api.conftest import PARSE, Api, Finish

PAGES = (
    *("/admin/", "/admin/accounts/project/", "/admin/accounts/project/{project}/change/", "/admin/accounts/apikey/"),
    *("/admin/auth/user/", "/admin/auth/user/add/", "/admin/jobs/parsejob/", "/admin/jobs/parsejob/{job}/change/"),
    *("/admin/providers/provider/add/", "/admin/operations/", "/admin/operations/capacity/"),
    "/api/docs",
)


@pytest.fixture
def person(transactional_db: None) -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("operator"))
    return client


def test_pages_contain_nothing_that_their_policy_forbids(api: Api, person: Client, finish: Finish) -> None:
    """Inline scripts, inline styles and handlers in attributes do nothing under a policy without 'unsafe-inline'."""
    job_id = api.parse().json()["id"]
    finish(job_id)
    project = accounts.default_project()
    ProjectQuota.objects.create(project=project, pages_per_day=100)
    for address in PAGES:
        response = person.get(address.format(project=project.pk, job=job_id))
        assert response.status_code == 200, address
        policy = response["Content-Security-Policy"]
        assert "default-src 'none'; script-src 'self'; style-src 'self'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        page = lxml.html.fromstring(response.content)
        inline = page.xpath("//script[not(@src) and not(@type='application/json')] | //style | //*[@style]")
        handlers = page.xpath("//@*[starts-with(name(), 'on')]")
        assert [lxml.html.tostring(each)[:100] for each in inline] == [], address
        assert handlers == [], address


def test_the_policy_of_a_page_with_a_style_names_the_hash_of_that_style() -> None:
    for address in ("/", "/errors"):
        response = Client().get(address)
        (style,) = lxml.html.fromstring(response.content).xpath("//style/text()")
        digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
        assert f"style-src 'sha256-{digest}'" in response["Content-Security-Policy"]


def test_results_and_errors_run_nothing(api: Api, finish: Finish) -> None:
    job_id = api.parse().json()["id"]
    finish(job_id)
    addresses = (f"{PARSE}/{job_id}?expand=markdown", f"/api/v1/parsing/job/{job_id}/result/raw/markdown", "/nowhere")
    for address in addresses:
        response = api.get(address)
        assert "default-src 'none'" in response["Content-Security-Policy"]
        assert "sandbox" in response["Content-Security-Policy"]
        assert response["X-Content-Type-Options"] == "nosniff"
        assert response["Permissions-Policy"]


def test_a_form_of_another_site_does_not_log_in(transactional_db: None) -> None:
    User.objects.create_superuser("operator", password="right")
    browser = Client(enforce_csrf_checks=True)
    form = {"username": "operator", "password": "right"}

    assert browser.post("/admin/login/", form).status_code == 403
    browser.get("/admin/login/")
    own = browser.post("/admin/login/", form | {"csrfmiddlewaretoken": browser.cookies["csrftoken"].value})
    assert own.status_code == 302
