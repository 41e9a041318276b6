"""Settings with which the service does not start, and what browsers get with safe ones."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.integration.parse_project.processes import run_python

MANAGE = "import sys; from django.core.management import execute_from_command_line; execute_from_command_line(sys.argv)"
CHECK = f"import sys; sys.argv[1:] = ['check', '--deploy', '--fail-level', 'WARNING']; {MANAGE}"
SETTINGS = {"DJANGO_SETTINGS_MODULE": "parse_project.settings"}
SHORT = {"SECRET_KEY": "canary-71"}
CHECK_AND_LOGIN_PAGE = """
import json, django; django.setup()
from django.core.management import call_command; from django.test import Client
call_command("check", deploy=True, fail_level="WARNING")
response = Client().get("/admin/login/", secure=True, headers={"host": "localhost"})
print(json.dumps([dict(response.headers), str(response.cookies)]))
"""


@pytest.mark.parametrize(
    ("bad", "remedy"),
    [
        (SHORT, "secrets.token_urlsafe(48)"),
        ({"SECRET_KEY": "django-insecure-0123456789-0123456789-0123456789"}, "secrets.token_urlsafe(48)"),
        ({"ALLOWED_HOSTS": "localhost,*"}, "Name the hosts"),
    ],
    ids=["short", "well known", "every host"],
)
@pytest.mark.parametrize(
    "program", [CHECK, "import parse_project.wsgi", "import parse_project.celery as c; c.app.conf.x"]
)
def test_nothing_starts_with_an_unsafe_setting(program: str, bad: dict[str, str], remedy: str, tmp_path: Path) -> None:
    done = run_python(program, tmp_path, **SETTINGS, **bad)

    assert done.returncode != 0
    assert f"{next(iter(bad))}=" in done.stderr
    assert remedy in done.stderr
    assert "canary-71" not in done.stderr
    assert "Traceback" not in done.stderr


def test_an_unsafe_setting_can_be_accepted_and_is_named_each_time(tmp_path: Path) -> None:
    done = run_python("import parse_project.wsgi", tmp_path, **SETTINGS, **SHORT, LEAFMILL_INSECURE="1")

    assert done.returncode == 0, done.stderr
    assert "Accepted because of LEAFMILL_INSECURE: SECRET_KEY: it has 9 characters" in done.stderr
    assert "canary-71" not in done.stderr


@pytest.mark.parametrize("is_https", [True, False])
def test_checked_settings_protect_cookies_and_https_if_there_is_any(is_https: bool, tmp_path: Path) -> None:
    public_url = "https://parse.example.com" if is_https else ""
    done = run_python(CHECK_AND_LOGIN_PAGE, tmp_path, **SETTINGS, PUBLIC_URL=public_url)

    assert done.returncode == 0, done.stderr
    checked, page = done.stdout.splitlines()
    assert "no issues" in checked
    headers, cookies = json.loads(page)
    assert (headers.get("Strict-Transport-Security") == "max-age=31536000") is is_https
    assert ("; Secure" in cookies) is is_https
    assert "; HttpOnly" in cookies
    assert "; SameSite=Lax" in cookies
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == "same-origin"
    assert "camera=()" in headers["Permissions-Policy"]
