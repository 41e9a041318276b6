"""/api/v1/beta/configurations: saved options of parse requests."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any, Literal, cast

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from pydantic import BaseModel, ConfigDict, Field
from rest_framework.request import Request

from apps.accounts.models import Project
from apps.api.base import ApiView, json_response, project_of
from apps.api.error_responses import problems_of
from apps.api.request_errors import InvalidOptions, OptionProblem
from apps.api.requests import query_parameters
from apps.api.requests.bodies import read_json, validated
from apps.api.requests.idempotency import create_once, idempotent
from apps.api.requests.scopes import PARSES
from apps.api.schema import IDEMPOTENCY_KEY, JSON, PROBLEMS, query
from apps.api.v2.configured import PRODUCT_TYPE
from apps.api.v2.job_request import request_to_estimate
from apps.api.v2.options import ParseOptions
from apps.core.pagination import NEWEST_FIRST
from apps.jobs import option_schemas as schemas
from apps.jobs.commands import configurations
from apps.jobs.errors import InvalidOption
from apps.jobs.models import SavedConfiguration
from apps.jobs.option_groups import SECRETS, Options, TierName
from apps.pages.model.errors import PageOutOfRange

Name = Annotated[str, Field(min_length=1, max_length=200)]


class Parameters(ParseOptions):
    """The options of a parse request. ``tier`` is required; ``version`` is latest if it is left out."""

    model_config = ConfigDict(json_schema_extra={"anyOf": cast(Any, schemas.tiers_with_versions())})

    product_type: Literal["parse_v2"]
    tier: TierName


class NewConfiguration(Options):
    name: Name
    parameters: Parameters


class ChangedConfiguration(Options):
    name: Name | None = None
    parameters: Parameters | None = None


class Configuration(BaseModel):
    """``version`` is when the options were last changed."""

    id: str
    name: str
    parameters: dict[str, Any]
    product_type: Literal["parse_v2"] = "parse_v2"
    version: str
    created_at: datetime
    updated_at: datetime


class ConfigurationList(BaseModel):
    items: list[Configuration]
    next_page_token: str | None = None
    total_size: int


class Configurations(ApiView):
    scopes = PARSES

    @extend_schema(
        operation_id="create_configuration",
        tags=["configurations"],
        parameters=IDEMPOTENCY_KEY,
        request={JSON: NewConfiguration},
        responses={200: Configuration, **PROBLEMS},
    )
    @idempotent
    def post(self, request: Request) -> HttpResponse:
        """Save options under a name. A request uses them by ``configuration_id``."""
        sent = read_json(request)
        new = validated(NewConfiguration, sent)
        project, parameters = project_of(request), _checked(new.parameters, sent["parameters"])

        def create() -> HttpResponse:
            saved = configurations.save_configuration(project=project, name=new.name, parameters=parameters)
            return json_response(_represent(saved))

        return create_once(request, create)

    @extend_schema(
        operation_id="list_configurations",
        tags=["configurations"],
        parameters=query(name=str, product_type=list, latest_only=bool, page_size=int, page_token=str),
        responses={200: ConfigurationList, **PROBLEMS},
    )
    def get(self, request: Request) -> HttpResponse:
        """List the project's configurations, newest first."""
        rows = configurations.list_configurations(
            project=project_of(request),
            name=query_parameters.text(request, "name"),
            latest_only=(query_parameters.text(request, "latest_only") or "").lower() == "true",
        )
        kinds = query_parameters.values(request, "product_type")
        if kinds and PRODUCT_TYPE not in kinds:
            rows = rows.none()
        page = query_parameters.paginate(
            rows,
            order=NEWEST_FIRST,
            size=query_parameters.page_size(request),
            token=query_parameters.text(request, "page_token"),
        )
        items = [_represent(each) for each in page.rows]
        return json_response(ConfigurationList(items=items, next_page_token=page.next_token, total_size=page.total))


class ConfigurationById(ApiView):
    scopes = PARSES

    @extend_schema(
        operation_id="get_configuration", tags=["configurations"], responses={200: Configuration, **PROBLEMS}
    )
    def get(self, request: Request, configuration_id: str) -> HttpResponse:
        """Return a configuration."""
        return json_response(_represent(_find(project_of(request), configuration_id)))

    @extend_schema(
        operation_id="update_configuration",
        tags=["configurations"],
        request={JSON: ChangedConfiguration},
        responses={200: Configuration, **PROBLEMS},
    )
    def put(self, request: Request, configuration_id: str) -> HttpResponse:
        """Change the name or the options. Jobs accepted before keep their options."""
        sent = read_json(request)
        changed = validated(ChangedConfiguration, sent)
        configuration = configurations.change_configuration(
            configuration=_find(project_of(request), configuration_id),
            name=changed.name,
            parameters=_checked(changed.parameters, sent["parameters"]) if changed.parameters else None,
        )
        return json_response(_represent(configuration))

    @extend_schema(operation_id="delete_configuration", tags=["configurations"], responses={204: None, **PROBLEMS})
    def delete(self, request: Request, configuration_id: str) -> HttpResponse:
        """Delete a configuration. Jobs accepted before keep their options."""
        _find(project_of(request), configuration_id).delete()
        return HttpResponse(status=204)


def _find(project: Project, configuration_id: str) -> SavedConfiguration:
    return configurations.find_configuration(project=project, configuration_id=configuration_id)


def _checked(parameters: Parameters, sent: dict[str, Any]) -> dict[str, Any]:
    """Return the parameters as they were sent. Raise InvalidOptions for what a job would refuse, and for secrets."""
    secrets = [
        OptionProblem("not_supported", location, "Secrets are not saved. Send this option with each request.")
        for location in _secrets_in(sent, ("body", "parameters"))
    ]
    if secrets:
        raise InvalidOptions(secrets)
    try:
        request_to_estimate(parameters)
    except (InvalidOptions, InvalidOption, PageOutOfRange) as error:
        raise InvalidOptions(
            [replace(each, location=("body", "parameters", *each.location[1:])) for each in problems_of(error)]
        ) from None
    return sent


def _secrets_in(value: object, location: tuple[str | int, ...]) -> Iterator[tuple[str | int, ...]]:
    if isinstance(value, dict):
        for name, item in value.items():
            if name in SECRETS and item is not None:
                yield (*location, name)
            yield from _secrets_in(item, (*location, name))
    for index, item in enumerate(value) if isinstance(value, list) else ():
        yield from _secrets_in(item, (*location, index))


def _represent(configuration: SavedConfiguration) -> Configuration:
    return Configuration(
        id=configuration.pk,
        name=configuration.name,
        parameters=configuration.parameters,
        version=configuration.updated_at.isoformat(),
        created_at=configuration.created_at,
        updated_at=configuration.updated_at,
    )
