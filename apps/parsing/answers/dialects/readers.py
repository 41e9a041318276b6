"""The reader of each dialect that has a form of its own, by its name (``apps.providers.model_facts.dialects``)."""

from __future__ import annotations

from collections.abc import Callable

from apps.parsing.answers.dialects import doctags, marked_up, regions
from apps.parsing.answers.dialects.page_scale import PageScale
from apps.parsing.answers.drafts import Draft

READERS: dict[str, Callable[[str, PageScale], list[Draft]]] = {
    "olmocr": marked_up.read_olmocr,
    "nanonets_ocr": marked_up.read_nanonets,
    "paddleocr_vl": marked_up.read_paddleocr,
    "doctags": doctags.read_doctags,
    "dots_ocr": regions.read_dots,
    "deepseek_ocr": regions.read_deepseek,
    "mineru": regions.read_mineru,
}
