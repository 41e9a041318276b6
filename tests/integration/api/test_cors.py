"""Calls from the scripts of web pages: what CORS_ORIGINS allows."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from tests.acceptance.running_service import ROOT
from tests.integration.api.conftest import PARSE, Api

OURS, STRANGE = "https://app.example.com", "https://evil.example"
CORS = "apps.api.middleware.CorsMiddleware"


@pytest.fixture(autouse=True)
def _allowed(settings: Any) -> None:
    settings.CORS_ORIGINS = [OURS, "http://localhost:3000"]
    settings.MIDDLEWARE = [CORS, *settings.MIDDLEWARE]


def preflight(path: str, origin: str) -> Any:
    asked = {"access-control-request-method": "POST", "access-control-request-headers": "authorization,content-type"}
    return Client().options(path, headers={"origin": origin, **asked})


def test_an_allowed_page_may_ask_send_and_read_headers(api: Api) -> None:
    asked = preflight(PARSE, OURS)
    assert asked.status_code == 204
    assert asked["Access-Control-Allow-Origin"] == OURS
    assert "POST" in asked["Access-Control-Allow-Methods"]
    assert asked["Access-Control-Allow-Headers"] == "authorization,content-type"

    answer = api.get(PARSE, headers={"origin": OURS})
    assert answer.status_code == 200
    assert answer["Access-Control-Allow-Origin"] == OURS
    assert "Retry-After" in answer["Access-Control-Expose-Headers"]
    assert "Origin" in answer["Vary"]
    assert "Access-Control-Allow-Credentials" not in answer
    refused = Client().get(PARSE, headers={"origin": OURS})  # the page has to be able to read why
    assert (refused.status_code, refused["Access-Control-Allow-Origin"]) == (401, OURS)


def test_other_pages_and_the_admin_stay_closed(api: Api) -> None:
    for response in (
        preflight(PARSE, STRANGE),
        api.get(PARSE, headers={"origin": STRANGE}),
        preflight("/admin/login/", OURS),
        Client().get("/admin/login/", headers={"origin": OURS}),
    ):
        assert "Access-Control-Allow-Origin" not in response
    assert "Origin" in api.get(PARSE)["Vary"]


def test_all_pages_may_be_allowed(api: Api, settings: Any) -> None:
    settings.CORS_ORIGINS = ["*"]
    assert api.get(PARSE, headers={"origin": STRANGE})["Access-Control-Allow-Origin"] == "*"


def test_an_origin_with_a_path_stops_the_start(tmp_path: Path) -> None:
    environment = {"PATH": os.environ["PATH"], "LEAFMILL_DATA": str(tmp_path), "CORS_ORIGINS": "https://a.example/app"}
    done = subprocess.run(
        [sys.executable, "-c", "import parse_project.settings"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode != 0
    assert "CORS_ORIGINS='https://a.example/app' cannot be used" in done.stderr
