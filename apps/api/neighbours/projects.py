"""/api/v1/projects and /api/v2/projects: the project of the key. Clients call them to test a key, and can delete it."""

from __future__ import annotations

from datetime import datetime

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from pydantic import BaseModel, RootModel
from rest_framework.request import Request

from apps.accounts.models import Project
from apps.api.base import ApiView, caller_of, json_response, project_of
from apps.api.request_errors import ConfirmationRequired, NotFound
from apps.api.requests import query_parameters
from apps.api.requests.scopes import ADMINISTERS, READS
from apps.api.schema import PROBLEMS, query
from apps.jobs.commands import delete_project

NO_ORGANIZATION = "00000000-0000-0000-0000-000000000000"
"""The id that stands for the organization, which LlamaCloud's clients require. There are no organizations here."""
CURRENT = "current"


class ProjectFacts(BaseModel):
    id: str
    name: str
    organization_id: str
    is_default: bool
    created_at: datetime
    updated_at: datetime


class Projects(RootModel[list[ProjectFacts]]):
    """The projects that the key can use: one."""


class ProjectList(BaseModel):
    items: list[ProjectFacts]
    next_page_token: str | None = None
    total_size: int


class ProjectDeletion(BaseModel):
    """A deletion that has begun, and how much of each kind is deleted."""

    id: str
    deletion_requested_at: datetime
    contents: dict[str, int]


class ProjectsOfKey(ApiView):
    scopes = READS

    @extend_schema(
        operation_id="list_projects",
        tags=["projects"],
        parameters=query(project_name=str),
        responses={200: Projects, **PROBLEMS},
    )
    def get(self, request: Request) -> HttpResponse:
        """List the project of the API key; nothing if it has another ``project_name``."""
        return json_response(Projects(_named(request)))


class PagedProjects(ApiView):
    scopes = READS

    @extend_schema(
        operation_id="list_projects_v2",
        tags=["projects"],
        parameters=query(name=str, project_name=str, page_size=int, page_token=str),
        responses={200: ProjectList, **PROBLEMS},
    )
    def get(self, request: Request) -> HttpResponse:
        """List the project of the API key, which is one page."""
        query_parameters.page_size(request)
        items = _named(request)
        return json_response(ProjectList(items=items, total_size=len(items)))


class ProjectById(ApiView):
    scopes = ADMINISTERS

    @extend_schema(operation_id="get_project", tags=["projects"], responses={200: ProjectFacts, **PROBLEMS})
    def get(self, request: Request, project_id: str) -> HttpResponse:
        """Return the project of the API key by its id, by an id of LlamaCloud that it replaces, or ``current``."""
        return json_response(_represent(_called(request, project_id)))

    @extend_schema(
        operation_id="delete_project",
        tags=["projects"],
        parameters=query(confirm=str),
        responses={202: ProjectDeletion, **PROBLEMS},
    )
    def delete(self, request: Request, project_id: str) -> HttpResponse:
        """Delete the project of the API key with everything that is its own. ``confirm``: the project's name.

        Its keys are refused at once; housekeeping deletes the rest. Without ``confirm`` the response is an error that
        says how much would be deleted.
        """
        project = _called(request, project_id)
        contents = delete_project.contents_of(project)
        if query_parameters.text(request, "confirm") != project.name:
            raise ConfirmationRequired(
                f"This deletes the project {project.name!r} and cannot be undone: {contents}. "
                "To do it, send the request again with confirm=NAME, the name of the project."
            )
        delete_project.request_deletion(project=project, by=f"API key {caller_of(request).api_key.pk}")
        assert project.deletion_requested_at is not None
        deletion = ProjectDeletion(
            id=str(project.pk),
            deletion_requested_at=project.deletion_requested_at,
            contents=contents.counts(),
        )
        return json_response(deletion, status=202)


class PagedProjectById(ProjectById):
    http_method_names = ["get", "head"]  # noqa: RUF012

    @extend_schema(operation_id="get_project_v2", tags=["projects"], responses={200: ProjectFacts, **PROBLEMS})
    def get(self, request: Request, project_id: str) -> HttpResponse:
        """Return the project of the API key."""
        return super().get(request, project_id)


def _called(request: Request, project_id: str) -> Project:
    project = project_of(request)
    if project_id != CURRENT and not project.is_called(project_id):
        raise NotFound("No such project. An API key has one: GET /api/v1/projects.")
    return project


def _named(request: Request) -> list[ProjectFacts]:
    project = project_of(request)
    name = query_parameters.text(request, "project_name") or query_parameters.text(request, "name")
    return [_represent(project)] if name in (None, project.name) else []


def _represent(project: Project) -> ProjectFacts:
    return ProjectFacts(
        id=str(project.pk),
        name=project.name,
        organization_id=NO_ORGANIZATION,
        is_default=True,
        created_at=project.created_at,
        updated_at=project.created_at,
    )
