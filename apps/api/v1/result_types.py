"""The types of the first API's results, for the OpenAPI description: results.py and page_json.py write them."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict


class ParsingJobMetadata(BaseModel):
    model_config = ConfigDict(extra="allow")

    job_pages: int
    job_auto_mode_triggered_pages: int
    job_is_cache_hit: bool
    credits_used: float | None
    warnings: list[dict[str, Any]]


class ParsingTextResult(BaseModel):
    """``text`` or ``markdown``, as the address says."""

    model_config = ConfigDict(extra="allow")

    text: str | None = None
    markdown: str | None = None
    job_metadata: ParsingJobMetadata


class ParsingBox(BaseModel):
    x: float
    y: float
    w: float
    h: float
    confidence: float | None = None


class ParsingImage(BaseModel):
    """Pages that were printed have no size here: they are rendered when they are fetched."""

    name: str
    x: float | None
    y: float | None
    width: float | None
    height: float | None
    original_width: int | None
    original_height: int | None
    type: Literal["full_page_screenshot", "object"]


class ParsingLine(BaseModel):
    md: str
    text: str
    bBox: ParsingBox
    startIndex: int
    endIndex: int


class ParsingItem(BaseModel):
    """``value`` is null for a table, which has ``rows``."""

    type: str
    md: str
    value: str | None
    lvl: int | None = None
    rows: list[list[str]] | None = None
    html: str | None = None
    csv: str | None = None
    isPerfectTable: bool | None = None
    url: str | None = None
    bBox: ParsingBox | None = None
    lines: list[ParsingLine] | None = None


class ParsingChart(BaseModel):
    """A drawn chart. It is also one of the images, with this name."""

    name: str
    x: float
    y: float
    width: float
    height: float


class ParsingLayout(BaseModel):
    """``bbox`` is in parts of the page."""

    label: str
    bbox: ParsingBox
    confidence: float
    image: str
    isLikelyNoise: bool


class ParsingLink(BaseModel):
    url: str
    text: str


class ParsingPage(BaseModel):
    model_config = ConfigDict(extra="allow")

    page: int
    text: str
    md: str
    images: list[ParsingImage]
    charts: list[ParsingChart]
    tables: list[dict[str, Any]]
    layout: list[ParsingLayout]
    items: list[ParsingItem]
    status: Literal["OK", "ERROR"]
    links: list[ParsingLink]
    width: float
    height: float
    triggeredAutoMode: bool
    costOptimized: bool
    parsingMode: str
    structuredData: dict[str, Any] | None
    noStructuredContent: bool
    noTextContent: bool
    isAudioTranscript: bool
    pageHeaderMarkdown: str | None
    pageFooterMarkdown: str | None
    printedPageNumber: str | None
    originalOrientationAngle: int
    confidence: float | None
    slideSpeakerNotes: str | None
    error: str | None = None


class ParsingJsonResult(BaseModel):
    model_config = ConfigDict(extra="allow")

    pages: list[ParsingPage]
    job_metadata: ParsingJobMetadata
