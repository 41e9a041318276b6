"""Translate the requests of docling-serve's API into requests of ours."""

from __future__ import annotations

import base64
import binascii
import io
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Annotated, Any, Literal

from django.conf import settings
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from apps.api.request_errors import FileMissing, InvalidOptions, InvalidRequest, OptionProblem, TooManyFiles, printable
from apps.api.requests.bodies import json_or_text, validated
from apps.api.requests.fetched import fetched
from apps.api.requests.uploads import Upload
from apps.api.v1.upload_request import UploadRequest
from apps.pages.model.media_types import PDF, printed_type_of
from apps.pages.office.encryption import COMPOUND
from apps.pages.office.plain import text_types

MAX_BODY_BYTES = 16 * 1024 * 1024
"""Of a JSON body, which may contain a document in base64. A larger document comes as a file."""
MAX_PAGE = 999_999_999
_LISTS = frozenset({"from_formats", "to_formats", "ocr_lang", "page_range"})
# What is done anyway when an option has one of these values.
_DONE_ANYWAY: dict[str, tuple[object, ...]] = {
    "do_table_structure": (True,),
    "do_pdf_heading_hierarchy": (True, False),
    "table_cell_matching": (True,),
    "image_export_mode": ("placeholder",),
    "ocr_engine": ("auto",),
    "ocr_preset": ("auto",),
}
_WHAT_HAPPENS = {
    "force_ocr": "Text layers are used where they can be trusted, and OCR elsewhere.",
    "image_export_mode": "The result names pictures and does not contain them.",
    "include_images": "The result names pictures and does not contain them.",
    "include_page_images": "The result contains no images of pages.",
}
# What the first bytes of an archive contain, which are those of its first entries.
_KINDS_OF_ARCHIVES = {
    b"word/": "docx",
    b"ppt/": "pptx",
    b"xl/": "xlsx",
    b"opendocument.text": "odt",
    b"opendocument.presentation": "odp",
    b"opendocument.spreadsheet": "ods",
    b"epub": "epub",
}
# Open XML with a password is a compound file, too.
_KINDS_OF_COMPOUND_FILES = frozenset({"doc", "docx", "ppt", "pptx", "xls", "xlsx", "msg"})
_KINDS_OF_TEXTS = frozenset({"asciidoc", "csv", "eml", "email", "html", "md", "org", "text", "tsv", "xml"})


def _as_list(value: object) -> object:
    return [value] if isinstance(value, str) else value


Texts = Annotated[list[Annotated[str, Field(max_length=100)]], BeforeValidator(_as_list), Field(max_length=100)]


class ConvertOptions(BaseModel):
    """The options that have an effect. Others are accepted with a warning."""

    model_config = ConfigDict(extra="allow")

    from_formats: Annotated[Texts | None, Field(description="refuses other types of documents")] = None
    to_formats: Annotated[
        list[Literal["md", "json", "html", "text"]], BeforeValidator(_as_list), Field(min_length=1)
    ] = ["md"]
    do_ocr: bool = True
    ocr_lang: Texts | None = None
    page_range: Annotated[list[int], Field(min_length=2, max_length=2, description="first and last page")] | None = None
    document_timeout: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    abort_on_error: bool = False
    md_page_break_placeholder: Annotated[str, Field(max_length=1000)] | None = None
    pipeline: Annotated[Literal["standard", "legacy", "vlm"], Field(description="vlm is the tier agentic")] = "standard"


class FileSource(BaseModel):
    kind: Literal["file"] = "file"
    base64_string: str
    filename: Annotated[str, Field(max_length=4096)]


class HttpSource(BaseModel):
    kind: Literal["http"] = "http"
    url: Annotated[str, Field(max_length=8192)]
    headers: Annotated[dict[str, Any], Field(json_schema_extra={"maxProperties": 0})] = {}


class ConvertTarget(BaseModel):
    model_config = ConfigDict(extra="allow")

    kind: Annotated[str, Field(json_schema_extra={"enum": ["inbody"]})] = "inbody"


class ConvertRequest(BaseModel):
    """``file_sources`` and ``http_sources`` are the older form of ``sources``."""

    options: ConvertOptions = ConvertOptions()
    sources: list[Annotated[FileSource | HttpSource, Field(discriminator="kind")]] = []
    file_sources: list[FileSource] = []
    http_sources: list[HttpSource] = []
    target: ConvertTarget = ConvertTarget()
    callbacks: Annotated[list[Any], Field(json_schema_extra={"maxItems": 0})] = []


def options_of_form(form: Mapping[str, Sequence[str]]) -> tuple[ConvertOptions, str]:
    """Return the options in the fields of a form, and the kind of the target. Raise InvalidOptions."""
    values: dict[str, Any] = {}
    for name, sent in form.items():
        if name in _LISTS:
            values[name] = json_or_text(sent[0]) if len(sent) == 1 else list(sent)
        else:
            values[name] = sent[-1] if name in ConvertOptions.model_fields else json_or_text(sent[-1])
    target = str(values.pop("target_type", "inbody"))
    if values.pop("callbacks", None):
        raise _not_supported("callbacks", _CALLBACKS)
    return validated(ConvertOptions, {name: value for name, value in values.items() if value != ""}), target


def check_target(kind: str) -> None:
    """Raise InvalidRequest for results elsewhere than in the body.

    docling's client asks for ``presigned_url`` first, and then for ``inbody`` if it finds this sentence.
    """
    if kind == "presigned_url":
        raise InvalidTarget("Presigned URLs require artifact storage to be configured. Send the target inbody.")
    if kind != "inbody":
        raise InvalidTarget(f"The target {printable(kind)!r} is not supported. Send the target inbody.")


class InvalidTarget(InvalidRequest):
    """The target is not supported. Send the target inbody."""


def translate(options: ConvertOptions) -> UploadRequest:
    """Return the request that the options mean. Raise InvalidOptions."""
    request = UploadRequest()
    tier = "agentic" if options.pipeline == "vlm" else settings.COMPATIBLE_API_TIER
    request.set("tier", tier, source="pipeline")
    request.set("client_name", "docling-serve", source="client_name")
    request.set("docling.to_formats", sorted(set(options.to_formats)), source="to_formats")
    page_break = options.md_page_break_placeholder or None
    request.set("docling.md_page_break_placeholder", page_break, source="md_page_break_placeholder")
    ocr = "processing_options.ocr_parameters"
    request.set(f"{ocr}.disable_ocr", None if options.do_ocr else True, source="do_ocr")
    request.set(f"{ocr}.languages", options.ocr_lang or None, source="ocr_lang")
    if options.page_range:
        first, last = options.page_range
        if not (first == 1 and last >= MAX_PAGE):
            pages = f"{first}-{min(last, MAX_PAGE)}"
            request.set("page_ranges.target_pages", pages, source="page_range")
    if options.document_timeout:
        seconds = math.ceil(options.document_timeout)
        request.set("processing_control.timeouts.base_in_seconds", seconds, source="document_timeout")
    if options.abort_on_error:
        ratio = "processing_control.job_failure_conditions.allowed_page_failure_ratio"
        request.set(ratio, 0.0, source="abort_on_error")
    for name, value in (options.model_extra or {}).items():
        if value not in (None, False, "", [], {}, *_DONE_ANYWAY.get(name, ())):
            request.warn(
                "option_without_effect", _WHAT_HAPPENS.get(name, "This option has no effect."), printable(name)
            )
    return request


def check_format(options: ConvertOptions, head: bytes) -> None:
    """Raise InvalidOptions if ``from_formats`` does not allow the type of this document."""
    kinds = _kinds_of(head)
    if options.from_formats is not None and kinds.isdisjoint(options.from_formats):
        found = " or ".join(sorted(kinds)) or "unknown"
        detail = f"The type of the document is {found}, which from_formats does not have. Add it, or leave it out."
        raise InvalidOptions([OptionProblem("value_error", ("body", "from_formats"), detail)])


def _kinds_of(head: bytes) -> frozenset[str]:
    """Return docling's names of the types that a document with these first bytes may have."""
    printed = printed_type_of(head)
    if printed:
        return frozenset({"pdf" if printed == PDF else "image"})
    if head.startswith(b"PK"):
        parts = {part: kind for part, kind in _KINDS_OF_ARCHIVES.items() if part in head}
        return frozenset(parts.values() or _KINDS_OF_ARCHIVES.values())
    if head.startswith(COMPOUND):
        return _KINDS_OF_COMPOUND_FILES
    if head.startswith(b"{\\rt"):
        return frozenset({"rtf"})
    return frozenset({"image"}) if text_types.type_of(head, "") == "image/svg+xml" else _KINDS_OF_TEXTS


@contextmanager
def document_of(request: ConvertRequest) -> Iterator[Upload]:
    """Yield the document of a JSON request. Raise FileMissing, TooManyFiles, InvalidOptions or those of ``fetched``."""
    if request.callbacks:
        raise _not_supported("callbacks", _CALLBACKS)
    sources = [*request.sources, *request.file_sources, *request.http_sources]
    if not sources:
        raise FileMissing("The request contains no document. Send one in sources.")
    if len(sources) > 1:
        raise TooManyFiles("The request contains more than one document. Send one request per document.")
    [source] = sources
    if isinstance(source, HttpSource):
        if source.headers:
            raise _not_supported("sources", "Headers are not sent. Use an address that needs none, or upload the file.")
        with fetched(source.url) as upload:
            yield upload
        return
    try:
        content = base64.b64decode(source.base64_string, validate=True)
    except (binascii.Error, ValueError) as error:
        detail = "The document is not valid base64. Encode it again, or send it to /v1/convert/file."
        raise InvalidOptions([OptionProblem("value_error", ("body", "sources", 0, "base64_string"), detail)]) from error
    yield Upload(source.filename, io.BytesIO(content), len(content))


_CALLBACKS = "Callbacks are not sent for this API. Ask for the status, or use webhooks with POST /api/v2/parse."


def _not_supported(field: str, detail: str) -> InvalidOptions:
    return InvalidOptions([OptionProblem("not_supported", ("body", field), detail)])
