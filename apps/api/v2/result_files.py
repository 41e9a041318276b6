"""Files of a result that are fetched by links of their own: ``result_content_metadata``."""

from __future__ import annotations

from collections.abc import Sequence

from django.conf import settings
from django.http import FileResponse
from django.http.response import HttpResponseBase
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from apps.api import links
from apps.api.base import PublicView
from apps.api.request_errors import NotFound
from apps.api.v2.files import storage_errors
from apps.api.v2.representations import ResultContentMetadata
from apps.api.v2.results import JOINED, SECTIONS
from apps.jobs import queries
from apps.jobs.models import ParseJob
from apps.pages.output.assembly import GROUNDED_ITEMS

_GROUNDED = "grounded_items"
_FILES = {**SECTIONS, **JOINED, _GROUNDED: GROUNDED_ITEMS}
_SUFFIX = "_content_metadata"
_TYPES = {"json": "application/json", "jsonl": "application/x-ndjson", "md": "text/markdown", "txt": "text/plain"}


def content_metadata(request: Request, job: ParseJob, expand: Sequence[str]) -> dict[str, ResultContentMetadata]:
    """Return size and link of each file that ``expand`` names, and of the granular boxes, which are never inline."""
    if not job.result_folder:
        return {}
    names = [name.removesuffix(_SUFFIX) for name in expand if name.endswith(_SUFFIX)]
    if job.parsed_options.granular_boxes:
        names.append(_GROUNDED)
    found = {}
    for name in dict.fromkeys(names):
        size = queries.result_size(job, _FILES[name]) if name in _FILES else None
        if size is not None:
            path = links.signed_result_path(job.pk, _FILES[name], seconds=settings.SIGNED_URL_SECONDS)
            found[name] = ResultContentMetadata(size_bytes=size, presigned_url=links.origin(request) + path)
    return found


class SignedResult(PublicView):
    @extend_schema(exclude=True)
    def get(self, request: Request, token: str) -> HttpResponseBase:
        """Return a file of the present result of a job, always as a download."""
        named = links.result_of(token)
        job = queries.find_job_of_link(named[0]) if named else None
        with storage_errors():
            content = queries.open_result(job, named[1]) if job and named else None
        if content is None or named is None:
            raise NotFound("This link is no longer valid. Request a new one: GET /api/v2/parse/{job_id}.")
        kind = _TYPES[named[1].rpartition(".")[2]]
        response = FileResponse(content, as_attachment=True, filename=named[1], content_type=f"{kind}; charset=utf-8")
        response["X-Content-Type-Options"] = "nosniff"
        response["Cache-Control"] = "private, no-store"
        return response
