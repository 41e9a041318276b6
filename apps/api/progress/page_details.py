"""/api/v2/parse/{job_id}/pages/{page_number}: one page, how it was parsed, and its result."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.conf import settings
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from drf_spectacular.utils import OpenApiParameter, extend_schema
from pydantic import BaseModel
from rest_framework.request import Request

from apps.api import delivery, links
from apps.api.base import ApiView, json_response, project_of
from apps.api.request_errors import NotFound
from apps.api.requests.scopes import READS
from apps.api.schema import PROBLEMS, query
from apps.api.v1.stored_pages import StoredPage, stored_pages
from apps.api.v2.find_jobs import find_job
from apps.api.v2.images import IMAGES
from apps.api.v2.representations import JobPageState, represent_page
from apps.api.v2.result_types import FailedPage, ItemsOfPage, MarkdownOfPage, MetadataOfPage, TextOfPage
from apps.jobs import queries
from apps.jobs.models import JobPage, ParseJob
from apps.pages.model.warnings import describe
from apps.providers import ledger


class PageWarning(BaseModel):
    code: str
    detail: str


class PageTry(BaseModel):
    """An attempt at a stage of the page. Those of fast mode are attempts at a range of pages."""

    stage: str
    first_page: int
    last_page: int
    outcome: str
    error_code: str | None
    detail: str | None
    started_at: datetime
    ended_at: datetime | None


class PageCall(BaseModel):
    """A call to a provider for the page. ``cost_usd`` is null if the price is unknown."""

    page_parser: str
    provider: str
    model: str
    outcome: str
    error_code: str | None
    http_status: int | None
    input_tokens: int
    output_tokens: int
    cost_usd: float | None
    started_at: datetime
    seconds: float | None


class JobPageDetails(JobPageState):
    """The page, its attempts and calls, the newest last, and its result. Links need no key and expire."""

    warnings: list[PageWarning]
    tries: list[PageTry]
    calls: list[PageCall]
    text: TextOfPage | None = None
    markdown: MarkdownOfPage | FailedPage | None = None
    items: ItemsOfPage | FailedPage | None = None
    metadata: MetadataOfPage | None = None
    image_url: str | None = None
    overlay_url: str | None = None


class ParsePage(ApiView):
    refuses_unknown_parameters = True
    scopes = READS

    @extend_schema(
        operation_id="get_parse_page",
        tags=["parse"],
        parameters=[
            OpenApiParameter("page_number", {"type": "integer", "minimum": 1}, OpenApiParameter.PATH),
            *query(),
        ],
        responses={200: JobPageDetails, **PROBLEMS},
    )
    def get(self, request: Request, job_id: str, page_number: str) -> HttpResponseBase:
        """Return a page with its state, its attempts, the calls to providers for it, and its result if it has one."""
        job = find_job(project_of(request), job_id)
        is_number = page_number.isascii() and page_number.isdigit() and len(page_number) < 10
        page = queries.list_pages(job.pk).filter(number=int(page_number)).first() if is_number else None
        if page is None:
            raise NotFound("The job has no such page. List its pages: GET /api/v2/parse/{job_id}/pages.")
        stored = next((each for each in stored_pages(job) or () if each.number == page.number), None)
        return delivery.compressed(request, delivery.private(_represent(request, job, page, stored)))


def _represent(request: Request, job: ParseJob, page: JobPage, stored: StoredPage | None) -> HttpResponse:
    content: dict[str, Any] = represent_page(page).model_dump()
    content["warnings"] = [
        {"code": code, "detail": describe(code)} for code in (stored.metadata.get("warnings", ()) if stored else ())
    ]
    content["tries"] = [
        PageTry(
            stage=attempt.stage,
            first_page=attempt.first_page,
            last_page=attempt.last_page,
            outcome=attempt.outcome,
            error_code=attempt.error_code or None,
            detail=attempt.detail or None,
            started_at=attempt.started_at,
            ended_at=attempt.ended_at,
        ).model_dump()
        for attempt in queries.attempts_at_page(job.pk, page.number)
    ]
    content["calls"] = [
        PageCall(
            page_parser=call.page_parser,
            provider=call.provider_name,
            model=call.model,
            outcome=call.outcome,
            error_code=call.error_code or None,
            http_status=call.http_status,
            input_tokens=call.input_tokens,
            output_tokens=call.output_tokens,
            cost_usd=None if call.cost_nanos is None else call.cost_nanos / 1e9,
            started_at=call.started_at,
            seconds=call.seconds,
        ).model_dump()
        for call in ledger.calls_of_page(job_id=job.pk, page_number=page.number)
    ]
    if stored is not None:
        content["text"] = {"page_number": stored.number, "text": stored.text}
        content |= {"markdown": stored.markdown, "items": stored.items, "metadata": stored.metadata}
        if not stored.has_failed and job.document_id and job.has_page_pictures:
            content |= {
                f"{kind}_url": _link(request, job, f"page_{stored.number}{suffix}.jpg")
                for kind, suffix in (("image", ""), ("overlay", "_overlay"))
            }
    return json_response(content)


def _link(request: Request, job: ParseJob, name: str) -> str:
    path = links.signed_result_path(job.pk, IMAGES + name, seconds=settings.SIGNED_URL_SECONDS)
    return links.origin(request) + path
