"""/api/ocr-exchange/TOKEN: OCR workers fetch page images and upload recognition results here.

The token is the only permission: it is valid for one storage key and one direction. OCR workers have no API key.
"""

from __future__ import annotations

from django.http import FileResponse, HttpResponse
from django.http.response import HttpResponseBase
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from apps.api.base import PublicView
from apps.api.request_errors import NotFound
from apps.documents import storage
from apps.jobs import ocr_exchange
from apps.jobs.errors import InvalidOption

_EXPIRED = "This link is no longer valid. The service renders the page again and sends a new link."


class OcrExchange(PublicView):
    http_method_names = ["get", "put"]  # noqa: RUF012

    @extend_schema(exclude=True)
    def get(self, request: Request, token: str) -> HttpResponseBase:
        """Return the page image in the format of apps/pages/model/page_images/ocr_image.py."""
        key = _key(token, ocr_exchange.READ)
        try:
            content = storage.open_for_reading(key) if storage.exists(key) else None
        except FileNotFoundError:
            content = None
        if content is None:
            raise NotFound(_EXPIRED)
        return FileResponse(content, content_type="application/octet-stream")

    @extend_schema(exclude=True)
    def put(self, request: Request, token: str) -> HttpResponse:
        """Store a recognition result. The link accepts it again, so a worker can repeat a failed upload."""
        key = _key(token, ocr_exchange.WRITE)
        result = request._request.read(ocr_exchange.MAX_ANSWER_BYTES + 1)  # noqa: SLF001 (raw bytes, not a form)
        if len(result) > ocr_exchange.MAX_ANSWER_BYTES:
            raise InvalidOption(
                f"The result is larger than {ocr_exchange.MAX_ANSWER_BYTES >> 20} MB. Send the text of one page only.",
                location=("body",),
            )
        storage.write(key, result)
        return HttpResponse(status=204)


def _key(token: str, direction: str) -> str:
    grant = ocr_exchange.grant_of(token)
    if grant is None or grant.direction != direction:
        raise NotFound(_EXPIRED)
    return grant.key
