"""/api/ocr-exchange/TOKEN: where OCR workers fetch page images and leave answers. The token is all the permission
there is, for one key and one direction; OCR workers have no key of their own."""

from __future__ import annotations

from django.http import FileResponse, HttpResponse
from django.http.response import HttpResponseBase
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from apps.api.base import PublicView
from apps.api.request_errors import NotFound
from apps.api.v2.files import storage_errors
from apps.documents import storage
from apps.jobs import ocr_exchange
from apps.jobs.errors import InvalidOption

_GONE = "This link is not valid any more; the page is rendered again."


class OcrExchange(PublicView):
    http_method_names = ["get", "put"]  # noqa: RUF012

    @extend_schema(exclude=True)
    def get(self, request: Request, token: str) -> HttpResponseBase:
        """The page image, as apps/pages/model/ocr_image.py spells it."""
        key = _key(token, ocr_exchange.READ)
        try:
            with storage_errors():
                content = storage.open_for_reading(key) if storage.exists(key) else None
        except FileNotFoundError:
            content = None
        if content is None:
            raise NotFound(_GONE)
        return FileResponse(content, content_type="application/octet-stream")

    @extend_schema(exclude=True)
    def put(self, request: Request, token: str) -> HttpResponse:
        """The answer; the same link takes one again, so that a worker may repeat what it is not sure of."""
        key = _key(token, ocr_exchange.WRITE)
        answer = request._request.read(ocr_exchange.MAX_ANSWER_BYTES + 1)  # noqa: SLF001 (unparsed: it is no form)
        if len(answer) > ocr_exchange.MAX_ANSWER_BYTES:
            raise InvalidOption("The answer is larger than any page's text may be.", location=("body",), value=None)
        with storage_errors():
            storage.write(key, answer)
        return HttpResponse(status=204)


def _key(token: str, direction: str) -> str:
    grant = ocr_exchange.grant_of(token)
    if grant is None or grant.direction != direction:
        raise NotFound(_GONE)
    return grant.key
