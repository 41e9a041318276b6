"""The addresses of LlamaParse's first API. Its clients use both beginnings of the paths."""

from __future__ import annotations

from typing import Any

from django.urls import URLPattern, path

from apps.api.v1 import jobs, results

PARSING = "api/v1/parsing"
OLD_PARSING = "api/parsing"


def parsing_urls(prefix: str, **settings_of_views: Any) -> list[URLPattern]:
    """Return the addresses below ``prefix``."""
    job = f"{prefix}/job/<str:job_id>"
    addresses: list[tuple[str, Any, dict[str, str]]] = [
        (f"{prefix}/upload", jobs.UploadView, {}),
        (f"{prefix}/screenshot", jobs.Screenshot, {}),
        (f"{prefix}/supported_file_extensions", jobs.SupportedExtensions, {}),
        (f"{prefix}/history", jobs.History, {}),
        (job, jobs.JobById, {}),
        (f"{job}/details", jobs.JobDetails, {}),
        (f"{job}/parameters", jobs.JobParameters, {}),
        (f"{job}/read/<str:name>", jobs.JobFile, {}),
        (f"{job}/result/text", results.TextResult, {"kind": "text"}),
        (f"{job}/result/markdown", results.TextResult, {"kind": "markdown"}),
        (f"{job}/result/json", results.JsonResult, {}),
        (f"{job}/result/structured", results.StructuredResult, {}),
        (f"{job}/result/xlsx", results.SpreadsheetResult, {}),
        (f"{job}/result/pdf", results.PdfResult, {}),
        (f"{job}/result/image/<str:name>", results.ImageResult, {}),
        (f"{job}/result/raw/text", results.RawText, {"kind": "text"}),
        (f"{job}/result/raw/markdown", results.RawText, {"kind": "markdown"}),
        (f"{job}/result/raw/json", results.JsonResult, {}),
        (f"{job}/result/raw/structured", results.StructuredResult, {}),
        (f"{job}/result/raw/xlsx", results.SpreadsheetResult, {}),
        (f"{job}/result/raw/pdf", results.PdfResult, {}),
    ]
    return [path(address, view.as_view(**settings_of_views), named) for address, view, named in addresses]


# The description names each address once.
urlpatterns = [*parsing_urls(PARSING), *parsing_urls(OLD_PARSING, schema=None)]
