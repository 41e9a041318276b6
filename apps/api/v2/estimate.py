"""/api/v2/parse/estimate: what a request would come to, before it is sent."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from pydantic import BaseModel, Field
from rest_framework.request import Request

from apps.accounts.models import Project
from apps.api.base import ApiView, json_response, project_of
from apps.api.requests.bodies import content_type, parse_json, read_json, validated
from apps.api.requests.uploads import Upload, read_upload
from apps.api.schema import JSON, PARSE_FORM, PROBLEMS
from apps.api.v2.files import storage_errors
from apps.api.v2.job_request import request_to_estimate
from apps.api.v2.options import ParseOptions, ParseRequest
from apps.api.v2.parse import HEAD_BYTES, check_type, named_document
from apps.documents import storage
from apps.documents.services import clean_name
from apps.jobs.commands import estimate
from apps.jobs.commands.estimate import Range
from apps.jobs.commands.submit import JobRequest

FORM = "multipart/form-data"


class EstimateRequest(ParseRequest):
    """A request as ``POST /api/v2/parse`` takes it; ``tier`` may be left out."""


class LowHigh(BaseModel):
    low: float
    high: float


class ModeEstimateResponse(BaseModel):
    """``requests`` and tokens are the likely ones, without retries. ``cost_usd`` null: a price is not known, or no
    provider serves the mode. ``pages``: how many go through which mode, by the rules of the request."""

    available: bool
    why_not: Annotated[str | None, Field(description="why the mode cannot be had now")] = None
    pages: dict[str, int]
    requests: int
    input_tokens: int
    output_tokens: int
    cost_usd: LowHigh | None
    without_price: Annotated[list[str], Field(description="deployments whose price is not set: the cost is unknown")]
    seconds: LowHigh


class ModeEstimates(BaseModel):
    fast: ModeEstimateResponse
    balanced: ModeEstimateResponse
    multimodal: ModeEstimateResponse
    agentic: ModeEstimateResponse


class EstimateResponse(BaseModel):
    """``exact``: all pages were looked at, not a sample of 32. ``asked``: the mode of the request's tier."""

    pages: Annotated[int, Field(description="that would be parsed")]
    pages_needing_ocr: int
    exact: bool
    asked: str | None
    modes: ModeEstimates
    warnings: list[dict[str, Any]]


class ParseEstimate(ApiView):
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
        """Pages, requests, tokens, money and time of a request in each mode. Nothing is submitted, kept or sent on.

        The document is a file that was uploaded before (JSON) or comes with the request (form).
        """
        project = project_of(request)
        if content_type(request) == FORM:
            with read_upload(request) as upload:
                return json_response(_of_upload(project, upload))
        options = validated(EstimateRequest, read_json(request))
        wanted = request_to_estimate(options)
        document = named_document(project, options)
        with storage_errors(), storage.local_original(document.pk) as path:
            return json_response(_estimate(project, path, document.name, wanted))


def _of_upload(project: Project, upload: Upload) -> EstimateResponse:
    configuration = upload.fields.get("configuration") or "{}"
    wanted = request_to_estimate(validated(ParseOptions, parse_json(configuration.encode("utf-8", "surrogatepass"))))
    check_type(upload.content.read(HEAD_BYTES))
    with _on_disk(upload) as path:
        return _estimate(project, path, clean_name(upload.name), wanted)


@contextmanager
def _on_disk(upload: Upload) -> Iterator[Path]:
    """The upload under a name, for the time: readers open documents by their path."""
    with storage_errors(), tempfile.NamedTemporaryFile(prefix="leafmill-") as copy:
        upload.content.seek(0)
        shutil.copyfileobj(upload.content, copy, 1024 * 1024)
        copy.flush()
        yield Path(copy.name)


def _estimate(project: Project, path: Path, name: str, wanted: JobRequest) -> EstimateResponse:
    found = estimate.estimate_parse(project=project, path=path, name=name, request=wanted)
    return EstimateResponse(
        pages=found.pages,
        pages_needing_ocr=found.pages_needing_ocr,
        exact=found.exact,
        asked=wanted.mode or None,
        modes=ModeEstimates(**{mode: _represent(each) for mode, each in found.modes.items()}),
        warnings=list(wanted.warnings),
    )


def _represent(mode: estimate.ModeEstimate) -> ModeEstimateResponse:
    return ModeEstimateResponse(
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


def _rounded(found: Range, digits: int) -> LowHigh:
    return LowHigh(low=round(found.low, digits), high=round(found.high, digits))
