"""The base class of the first API's views."""

from __future__ import annotations

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from apps.api.base import ApiView


class FirstApiView(ApiView):
    """A view that ends the connection with its response.

    The synchronous methods of LlamaParse's Python client start a new event loop for each call, and keep one HTTP client
    for all of them. A connection kept from an earlier loop makes the next call fail.
    """

    def finalize_response(self, request: Request, response: Response, *args: Any, **kwargs: Any) -> Response:
        finished = super().finalize_response(request, response, *args, **kwargs)
        finished["Connection"] = "close"
        return finished
