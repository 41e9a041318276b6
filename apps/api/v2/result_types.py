"""The types of a result's sections, for the OpenAPI description: assembly writes them as JSON (apps/pages/output)."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, Union

from pydantic import BaseModel, ConfigDict, Field

from apps.api.v2.images import ImagesContentMetadata
from apps.api.v2.representations import Job, ModelUsage, ResultContentMetadata

Confidence = Annotated[float | None, Field(ge=0, le=1)]
Origin = Annotated[Literal["text_layer", "ocr", "model"], Field(description="where the text comes from")]


class BoundingBox(BaseModel):
    """In points from the top left corner of the page; ``start_index`` to ``end_index`` is its part of ``md``."""

    x: float
    y: float
    w: float
    h: float
    label: str
    confidence: Confidence = None
    start_index: int | None = None
    end_index: int | None = None


class LocatedItem(BaseModel):
    """``bbox`` is missing where the document knows no places.

    ``grounding``: boxes of lines, words and cells, only in ``grounded_items``.
    """

    md: str
    bbox: list[BoundingBox] | None = None
    source: Origin
    grounding: dict[str, Any] | None = None


class TextItem(LocatedItem):
    type: Literal["text"]
    value: str


class HeadingItem(LocatedItem):
    type: Literal["heading"]
    level: Annotated[int, Field(ge=1)]
    value: str


class CodeItem(LocatedItem):
    type: Literal["code"]
    value: str


class LinkItem(LocatedItem):
    type: Literal["link"]
    text: str
    url: str


class EmbeddedFile(BaseModel):
    """An image file inside an office document: its name there, and its size in pixels."""

    name: str
    width: int
    height: int


class ImageItem(LocatedItem):
    """``url``: where the picture can be fetched, "" if it cannot."""

    type: Literal["image"]
    caption: str
    url: str
    embedded: EmbeddedFile | None = None
    barcode: Annotated[str | None, Field(description="the kind of the code that the picture shows")] = None
    signature: Annotated[bool | None, Field(description="whether it is a signature on a scan")] = None


class TableItem(LocatedItem):
    type: Literal["table"]
    rows: list[list[str]]
    html: str
    csv: str


class ListItem(LocatedItem):
    type: Literal["list"]
    ordered: bool
    items: list[Annotated[Union[TextItem, ListItem], Field(discriminator="type")]]  # noqa: UP007 (refers to itself)


class HeaderItem(LocatedItem):
    type: Literal["header"]
    items: list[TextItem]


class FooterItem(LocatedItem):
    type: Literal["footer"]
    items: list[TextItem]


Item = Annotated[
    TextItem | HeadingItem | CodeItem | LinkItem | ImageItem | TableItem | ListItem | HeaderItem | FooterItem,
    Field(discriminator="type"),
]


class TextOfPage(BaseModel):
    page_number: Annotated[int, Field(ge=1)]
    text: str


class MarkdownOfPage(BaseModel):
    """``header`` and ``footer``: what the page repeats, which ``markdown`` leaves out."""

    page_number: Annotated[int, Field(ge=1)]
    success: Literal[True]
    markdown: str
    header: str | None = None
    footer: str | None = None


class PageRevision(BaseModel):
    """A tracked change or a comment."""

    type: Literal["comment", "deleted", "formatted", "inserted", "moved_from", "moved_to"]
    content: str
    target: str | None = None
    author: str | None = None


class ItemsOfPage(BaseModel):
    page_number: Annotated[int, Field(ge=1)]
    success: Literal[True]
    page_width: float
    page_height: float
    items: list[Item]
    revisions: list[PageRevision] | None = None


class FailedPage(BaseModel):
    """``error`` begins with the code."""

    page_number: Annotated[int, Field(ge=1)]
    success: Literal[False]
    error: str


class PlainBox(BaseModel):
    """In points from the top left corner of the page."""

    x: float
    y: float
    w: float
    h: float


class PageBarcode(BaseModel):
    """A bar code or matrix code; ``bbox`` is missing where its place is not known."""

    format: Annotated[str, Field(description="such as QR code, EAN-13, Code 128, Data Matrix")]
    value: str
    bbox: PlainBox | None = None


class PageSignature(BaseModel):
    """A signature field of a PDF, or a signature on a scan, which has a ``confidence``.

    What the file says of it is not verified; ``signed_at`` is as in ISO 8601.
    """

    is_signed: bool
    field: str | None = None
    name: str | None = None
    reason: str | None = None
    signed_at: str | None = None
    confidence: Confidence = None
    bbox: PlainBox


class MetadataOfPage(BaseModel):
    """What is known about a page; a fact that says nothing is left out."""

    model_config = ConfigDict(extra="allow")

    page_number: Annotated[int, Field(ge=1)]
    confidence: Confidence = None
    original_orientation_angle: int | None = None
    needs_ocr: str | None = None
    warnings: list[str] | None = None
    parsing: dict[str, Any] | None = None
    triggered_auto_mode: bool | None = None
    cost_optimized: bool | None = None
    hidden_text: list[str] | None = None
    pictures_left_out: int | None = None
    barcodes: list[PageBarcode] | None = None
    signatures: list[PageSignature] | None = None
    quality: dict[str, str | int] | None = None
    page_label: str | None = None
    printed_page_number: str | None = None
    sheet_name: str | None = None
    speaker_notes: str | None = None
    slide_section_name: str | None = None
    attachment_name: str | None = None


class ConfidenceBreakdown(BaseModel):
    min_page_score: float
    scored_pages: int
    total_pages: int


class MetadataOfDocument(BaseModel):
    confidence: float
    confidence_breakdown: ConfidenceBreakdown


class TextSection(BaseModel):
    pages: list[TextOfPage]


class MarkdownSection(BaseModel):
    pages: list[MarkdownOfPage | FailedPage]


class ItemsSection(BaseModel):
    pages: list[ItemsOfPage | FailedPage]


class MetadataSection(BaseModel):
    pages: list[MetadataOfPage]
    document: MetadataOfDocument | None = None


class JobMetadata(BaseModel):
    """Options, times and facts of the result."""

    model_config = ConfigDict(extra="allow")

    tier: str
    version: str
    parsed_with_version: str
    mode: str
    media_type: Annotated[str | None, Field(description="the type of the uploaded document")]
    converted_to: Annotated[
        str | None, Field(description="the type of the document that was read, if the uploaded one was converted first")
    ]
    document_pages: int | None
    printed_pages: Annotated[
        int | None, Field(description="pages of an office document as it was printed; only slides are the same pages")
    ]
    target_pages: str | None
    max_pages: int | None
    parameters: dict[str, Any]
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    duration_seconds: float | None


class JobResult(BaseModel):
    """``expand`` chooses the sections; those that do not exist are missing."""

    job: Job
    usage: ModelUsage | None = None
    text: TextSection | None = None
    text_full: str | None = None
    markdown: MarkdownSection | None = None
    markdown_full: str | None = None
    items: ItemsSection | None = None
    metadata: MetadataSection | None = None
    job_metadata: JobMetadata | None = None
    result_content_metadata: dict[str, ResultContentMetadata] | None = None
    images_content_metadata: ImagesContentMetadata | None = None
