"""/api/v2/parse/estimate: the pages, cost and time of a request before it is sent."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Annotated, Any

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from pydantic import BaseModel, ConfigDict, Field
from rest_framework.request import Request

from apps.accounts.models import Project
from apps.api.base import ApiView, json_response, project_of
from apps.api.requests.bodies import content_type, read_json
from apps.api.requests.scopes import READS_BY_POST
from apps.api.requests.uploads import Upload, read_upload
from apps.api.schema import JSON, PARSE_FORM, PROBLEMS
from apps.api.v2.configured import request_options
from apps.api.v2.job_request import request_to_estimate
from apps.api.v2.options import WITH_SOURCE, ParseRequest
from apps.api.v2.parse import HEAD_BYTES, check_type, document_at_url, named_document, options_of
from apps.documents import storage
from apps.documents.services import clean_name
from apps.jobs import option_schemas as schemas
from apps.jobs.commands import estimate
from apps.jobs.commands.cost_and_time import Range
from apps.jobs.commands.submit import JobRequest

FORM = "multipart/form-data"


_WITHOUT_TIER: schemas.Schema = {"properties": {"tier": schemas.NULL, "version": {"enum": [None, "latest"]}}}
_OPTIONAL_TIER: Any = {"anyOf": [_WITHOUT_TIER, *schemas.tiers_with_versions()]}


class EstimateRequest(ParseRequest):
    """A request like that of ``POST /api/v2/parse``; ``tier`` is optional."""

    model_config = ConfigDict(json_schema_extra={"allOf": [_OPTIONAL_TIER, WITH_SOURCE]})


class LowHigh(BaseModel):
    low: float
    high: float


class ModeEstimateResponse(BaseModel):
    """The estimate for one mode. ``requests`` and tokens are expected values without retries.

    ``cost_usd`` is null if a price is unknown or no provider serves the mode. ``pages`` counts the pages by the mode
    that parses them according to the rules of the request.
    """

    available: bool
    why_not: Annotated[str | None, Field(description="why the mode is not available now")] = None
    pages: dict[str, int]
    requests: int
    input_tokens: int
    output_tokens: int
    cost_usd: LowHigh | None
    without_price: Annotated[list[str], Field(description="deployments without a price; the cost is unknown")]
    seconds: LowHigh


class ModeEstimates(BaseModel):
    fast: ModeEstimateResponse
    balanced: ModeEstimateResponse
    multimodal: ModeEstimateResponse
    agentic: ModeEstimateResponse


class EstimateResponse(BaseModel):
    """``exact``: all pages were examined, not a sample of 32. ``asked``: the mode of the request's tier."""

    pages: Annotated[int, Field(description="pages that would be parsed")]
    pages_needing_ocr: int
    exact: bool
    asked: str | None
    modes: ModeEstimates
    warnings: list[dict[str, Any]]


class ParseEstimate(ApiView):
    refuses_unknown_parameters = True
    scopes = READS_BY_POST

    @extend_schema(
        operation_id="estimate_parse",
        tags=["parse"],
        request={
            JSON: EstimateRequest,
            FORM: PARSE_FORM[FORM] | {"required": ["file"]},
        },
        responses={200: EstimateResponse, **PROBLEMS},
    )
    def post(self, request: Request) -> HttpResponse:
        """Estimate pages, requests, tokens, cost and time of a request in each mode. No job is created.

        The document is an uploaded file or one at a URL (JSON), or part of the request (form). It is neither stored nor
        sent to a provider.
        """
        project = project_of(request)
        if content_type(request) == FORM:
            with read_upload(request) as upload:
                job_request = request_to_estimate(options_of(project, upload))
                check_type(upload.content.read(HEAD_BYTES))
                return _estimate_upload(project, upload, job_request)
        options = request_options(EstimateRequest, project, read_json(request))
        job_request = request_to_estimate(options)
        if options.source_url:
            with document_at_url(options) as upload:
                return _estimate_upload(project, upload, job_request)
        document = named_document(project, options)
        with storage.local_original(document.pk) as path:
            return _estimate(project, path, document.name, job_request)


def _estimate_upload(project: Project, upload: Upload, job_request: JobRequest) -> HttpResponse:
    """Estimate a document that is not stored. Readers open it by path."""
    with storage.storage_errors(), tempfile.NamedTemporaryFile(prefix="leafmill-") as copy:
        upload.content.seek(0)
        shutil.copyfileobj(upload.content, copy, 1024 * 1024)
        copy.flush()
        return _estimate(project, Path(copy.name), clean_name(upload.name), job_request)


def _estimate(project: Project, path: Path, name: str, job_request: JobRequest) -> HttpResponse:
    estimated = estimate.estimate_parse(project=project, path=path, name=name, request=job_request)
    modes = {
        name: ModeEstimateResponse(
            available=not mode.why_not,
            why_not=mode.why_not or None,
            pages=dict(mode.pages),
            requests=mode.requests,
            input_tokens=mode.input_tokens,
            output_tokens=mode.output_tokens,
            cost_usd=_rounded(mode.cost, 6) if mode.cost else None,
            without_price=list(mode.without_price),
            seconds=_rounded(mode.seconds, 2),
        )
        for name, mode in estimated.modes.items()
    }
    return json_response(
        EstimateResponse(
            pages=estimated.pages,
            pages_needing_ocr=estimated.pages_needing_ocr,
            exact=estimated.exact,
            asked=job_request.mode or None,
            modes=ModeEstimates(**modes),
            warnings=list(job_request.warnings),
        )
    )


def _rounded(value: Range, digits: int) -> LowHigh:
    return LowHigh(low=round(value.low, digits), high=round(value.high, digits))
