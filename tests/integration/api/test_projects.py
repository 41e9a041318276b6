"""Projects: what clients ask to test a key, and old ids that go on being accepted."""

from __future__ import annotations

from typing import Any

import pytest

from apps.accounts import services as accounts
from apps.accounts.models import Project
from tests.integration.api.conftest import FILES, Api, code_of

OLD = "5F0D2D1C-0000-4000-8000-00000000C10D"


@pytest.fixture
def project(api: Api) -> Project:
    """The project of ``api``, which replaces two LlamaCloud projects."""
    project = accounts.default_project()
    project.llama_cloud_ids = f"an-older-one, {OLD}"
    project.save()
    return project


def test_the_project_of_the_key_is_the_only_one(api: Api, project: Project) -> None:
    listed = api.get("/api/v1/projects").json()
    assert [(each["id"], each["name"], each["is_default"]) for each in listed] == [(str(project.pk), "default", True)]
    assert listed[0]["organization_id"]
    paged = api.get("/api/v2/projects?page_size=1").json()
    assert paged == {"items": listed, "next_page_token": None, "total_size": 1}
    assert api.get("/api/v1/projects?project_name=another").json() == []
    for project_id in (str(project.pk), OLD, "an-older-one", "current"):
        assert api.get(f"/api/v1/projects/{project_id}").json() == listed[0]
        assert api.get(f"/api/v2/projects/{project_id}").json() == listed[0]


def test_another_project_is_not_found(api: Api, stranger: Api, project: Project) -> None:
    theirs = stranger.get("/api/v1/projects").json()[0]["id"]
    assert theirs != str(project.pk)
    for prefix in ("/api/v1/projects", "/api/v2/projects"):
        assert code_of(api.get(f"{prefix}/{theirs}"), 404) == "not_found"
        assert code_of(stranger.get(f"{prefix}/{OLD}"), 404) == "not_found"


@pytest.mark.parametrize("project_id", [OLD, OLD.lower(), "an-older-one"])
def test_requests_may_have_the_id_of_a_project_that_was_replaced(api: Api, project: Project, project_id: str) -> None:
    assert api.get(f"{FILES}?project_id={project_id}").status_code == 200
    query: Any = {"filter": {"project_id": project_id}}
    assert api.post(f"{FILES}/query", query, content_type="application/json").status_code == 200


def test_an_id_of_a_replaced_project_gives_no_access_to_other_projects(stranger: Api, project: Project) -> None:
    assert code_of(stranger.get(f"{FILES}?project_id={OLD}"), 404) == "not_found"
    assert stranger.get(f"{FILES}?project_id={stranger_id(stranger)}").status_code == 200


def stranger_id(stranger: Api) -> str:
    return str(stranger.get("/api/v1/projects").json()[0]["id"])
