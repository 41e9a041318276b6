"""Pictures of a result: pages and the pictures on them, rendered from the document when they are fetched."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any, Literal, NamedTuple

import msgspec
from django.conf import settings
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from drf_spectacular.utils import OpenApiResponse, extend_schema
from pydantic import BaseModel
from rest_framework.request import Request

from apps.api import delivery, links
from apps.api.base import ApiView, project_of
from apps.api.progress.overlay import drawn_boxes
from apps.api.request_errors import NotFound
from apps.api.requests.scopes import READS
from apps.api.schema import PROBLEMS
from apps.api.v2.find_jobs import find_job
from apps.jobs import queries
from apps.jobs.models import ParseJob
from apps.jobs.stages.pictures import rendered_picture
from apps.pages.model.blocks import EmbeddedImage
from apps.pages.model.geometry import Box

IMAGES = "images/"
JPEG = "image/jpeg"
_NAME = re.compile(r"page_(\d{1,9})(?:_picture_(\d{1,9})|(_overlay))?\.jpg", re.ASCII)


class ImageBox(BaseModel):
    x: int
    y: int
    w: int
    h: int


class ResultImage(BaseModel):
    """``category``: screenshot (a whole page), layout (a picture on a page) or embedded (an image file of an office
    document, which may have no known place). The link needs no key and expires.
    """

    index: int
    filename: str
    content_type: str = JPEG
    category: Literal["screenshot", "embedded", "layout"]
    bbox: ImageBox | None = None
    presigned_url: str


class ImagesContentMetadata(BaseModel):
    total_count: int
    images: list[ResultImage]


class JobImage(ApiView):
    scopes = READS

    @extend_schema(
        operation_id="get_parse_image",
        tags=["parse"],
        responses={(200, JPEG): OpenApiResponse(bytes, "The picture"), **PROBLEMS},
    )
    def get(self, request: Request, job_id: str, name: str) -> HttpResponseBase:
        """Return a page (``page_3.jpg``) or a picture on it (``page_3_picture_1.jpg``), as the document shows it.

        ``page_3_overlay.jpg`` is the page with the boxes of its items and their numbers in reading order.
        """
        return image_response(request, find_job(project_of(request), job_id), name)


def image_response(request: Request, job: ParseJob, name: str) -> HttpResponseBase:
    """Raise NotFound for a picture that the result does not have, and when the document was deleted."""
    found = _NAME.fullmatch(name)
    number = int(found[1]) if found else 0
    page: dict[str, Any] | None = None
    if found and job.print_has_other_pages and not found[2]:
        if number in printed_numbers(job) and not found[3]:  # the result has no boxes on these pages
            page = {"page_number": number, "page_width": 0.0, "page_height": 0.0}  # the render finds the size
    elif found:
        page = next((page for page in pages_of(job) if page["page_number"] == number and page["success"]), None)
    if found is None or page is None:
        raise NotFound("The result has no such picture. Request the list: expand=images_content_metadata.")
    tag = delivery.entity_tag(job.pk, job.result_folder, name)
    if delivery.is_current(request, tag):
        return delivery.not_modified(tag)
    box = embedded = None
    if found[2]:
        picture = next((picture for picture in pictures_on(page) if picture.name == name), None)
        if picture is None:
            raise NotFound("The page has no such picture. Request the list: expand=images_content_metadata.")
        box, embedded = picture.box, picture.embedded
    jpeg = rendered_picture(job, page["page_number"], page["page_width"], page["page_height"], box, embedded)
    if found[3]:
        jpeg = drawn_boxes(jpeg, page)
    response = HttpResponse(jpeg, content_type=JPEG)
    response["X-Content-Type-Options"] = "nosniff"
    return delivery.private(response, tag)


def images_content_metadata(request: Request, job: ParseJob, names: Collection[str]) -> ImagesContentMetadata:
    """List the pictures that the job's ``images_to_save`` asks for; ``names``: only these, all if there are none."""
    wanted = job.parsed_options.images_to_save
    images: list[ResultImage] = []

    def add(name: str, category: Any, box: Box | None = None) -> None:
        if names and name not in names:
            return
        path = links.signed_result_path(job.pk, IMAGES + name, seconds=settings.SIGNED_URL_SECONDS)
        images.append(
            ResultImage(
                index=len(images),
                filename=name,
                category=category,
                bbox=image_box(box) if box else None,
                presigned_url=links.origin(request) + path,
            )
        )

    if "screenshot" in wanted and job.document_id:
        for number in printed_numbers(job):
            add(f"page_{number}.jpg", "screenshot")
    for page in pages_of(job) if job.document_id else ():
        number = page["page_number"]
        if "screenshot" in wanted and page["success"] and job.has_page_pictures:
            add(f"page_{number}.jpg", "screenshot")
        if wanted - {"screenshot"}:
            for picture in pictures_on(page):
                category = "layout" if "layout" in wanted and picture.embedded is None else "embedded"
                add(picture.name, category, picture.box)
    return ImagesContentMetadata(total_count=len(images), images=images)


def image_box(box: Box) -> ImageBox:
    return ImageBox(x=int(box.x0), y=int(box.top), w=round(box.x1 - box.x0), h=round(box.bottom - box.top))


def pages_of(job: ParseJob) -> list[dict[str, Any]]:
    """Return the pages of the job's result with their items; [] if there is none."""
    content = queries.open_result(job, "items.json")
    if content is None:
        return []
    with content:
        return list(msgspec.json.decode(content.read())["pages"])


def printed_numbers(job: ParseJob) -> range:
    """Return the numbers of the printed pages of a document whose result has other pages; empty for all others."""
    return range(1, (job.printed_pages or 0) + 1 if job.result_folder and job.print_has_other_pages else 1)


class PictureOnPage(NamedTuple):
    """``box``: in points, None without a known place; ``embedded``: its file in an office document."""

    name: str
    box: Box | None
    embedded: EmbeddedImage | None


def pictures_on(page: dict[str, Any]) -> list[PictureOnPage]:
    """Return the pictures on a page that can be fetched, in reading order."""
    found = []
    for item in page.get("items", ()):
        if item["type"] == "image" and item["url"]:
            place, embedded = (item.get("bbox") or [None])[0], item.get("embedded")
            box = Box(place["x"], place["y"], place["x"] + place["w"], place["y"] + place["h"]) if place else None
            image = msgspec.convert(embedded, EmbeddedImage) if embedded else None
            found.append(PictureOnPage(item["url"].rpartition("/")[2], box, image))
    return found
