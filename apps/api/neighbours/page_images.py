"""/api/v1/files/{file_id}/page_screenshots and page-figures: pictures of a file's pages, of its newest result.

LlamaCloud's clients count these pages from 0.
"""

from __future__ import annotations

from typing import Annotated, Any

from django.http import HttpResponse
from django.http.response import HttpResponseBase
from drf_spectacular.utils import OpenApiResponse, extend_schema
from pydantic import BaseModel, Field, RootModel
from rest_framework.request import Request

from apps.api.base import ApiView, json_response, project_of
from apps.api.request_errors import NotFound
from apps.api.requests.scopes import READS
from apps.api.schema import PROBLEMS
from apps.api.v2 import images
from apps.api.v2.files import find_file
from apps.jobs import queries
from apps.jobs.models import ParseJob

# Clients require a size. Pictures are rendered when they are fetched, so none is known.
UNKNOWN_SIZE = 0


class PageScreenshot(BaseModel):
    """``image_size`` is 0: the picture is rendered when it is fetched."""

    file_id: str
    page_index: Annotated[int, Field(description="counted from 0")]
    image_size: int = UNKNOWN_SIZE
    metadata: dict[str, Any]


class PageScreenshots(RootModel[list[PageScreenshot]]):
    """The pages of the file's newest result that have pictures."""


class PageFigure(BaseModel):
    """``figure_size`` is 0: the picture is rendered when it is fetched. ``metadata``: its box, in points."""

    file_id: str
    page_index: Annotated[int, Field(description="counted from 0")]
    figure_name: str
    figure_size: int = UNKNOWN_SIZE
    confidence: float = 1.0
    is_likely_noise: bool = False
    metadata: dict[str, Any]


class PageFigures(RootModel[list[PageFigure]]):
    """The pictures on the pages that the file's newest result has."""


class ScreenshotsOfFile(ApiView):
    scopes = READS

    @extend_schema(operation_id="list_page_screenshots", tags=["files"], responses={200: PageScreenshots, **PROBLEMS})
    def get(self, request: Request, file_id: str) -> HttpResponse:
        """List the pages of a file that was parsed; of an office document those of its print, without sizes."""
        job = _newest_result(request, file_id)
        found = [
            PageScreenshot(file_id=file_id, page_index=number - 1, metadata={})
            for number in images.printed_numbers(job)
        ]
        found += [
            PageScreenshot(
                file_id=file_id,
                page_index=page["page_number"] - 1,
                metadata={"page_width": page["page_width"], "page_height": page["page_height"]},
            )
            for page in (images.pages_of(job) if job.has_page_pictures else ())
            if page["success"]
        ]
        return json_response(PageScreenshots(found))


class ScreenshotOfPage(ApiView):
    scopes = READS

    @extend_schema(
        operation_id="get_page_screenshot",
        tags=["files"],
        responses={(200, images.JPEG): OpenApiResponse(bytes, "The page"), **PROBLEMS},
    )
    def get(self, request: Request, file_id: str, page_index: int) -> HttpResponseBase:
        """Return a page of a file that was parsed, counted from 0, as a JPEG."""
        return images.image_response(request, _newest_result(request, file_id), f"page_{page_index + 1}.jpg")


class FiguresOfFile(ApiView):
    scopes = READS

    @extend_schema(operation_id="list_page_figures", tags=["files"], responses={200: PageFigures, **PROBLEMS})
    def get(self, request: Request, file_id: str) -> HttpResponse:
        """List the pictures on the pages of a file that was parsed."""
        found = [
            PageFigure(
                file_id=file_id,
                page_index=page["page_number"] - 1,
                figure_name=picture.name,
                metadata={"bbox": images.image_box(picture.box).model_dump() if picture.box else None},
            )
            for page in images.pages_of(_newest_result(request, file_id))
            for picture in images.pictures_on(page)
        ]
        return json_response(PageFigures(found))


class FigureOfPage(ApiView):
    scopes = READS

    @extend_schema(
        operation_id="get_page_figure",
        tags=["files"],
        responses={(200, images.JPEG): OpenApiResponse(bytes, "The picture"), **PROBLEMS},
    )
    def get(self, request: Request, file_id: str, page_index: int, figure_name: str) -> HttpResponseBase:
        """Return a picture on a page of a file that was parsed, by its name in the list."""
        job = _newest_result(request, file_id)
        if not figure_name.startswith(f"page_{page_index + 1}_picture_"):
            raise NotFound("The page has no such picture. Request the list: GET /api/v1/files/{file_id}/page-figures.")
        return images.image_response(request, job, figure_name)


def _newest_result(request: Request, file_id: str) -> ParseJob:
    job = queries.newest_result_of(find_file(project_of(request), file_id).pk)
    if job is None:
        raise NotFound("The file has no result, so it has no pictures yet. Parse it first: POST /api/v2/parse.")
    return job
