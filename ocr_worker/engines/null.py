"""An engine that reads nothing, for pages whose pictures stay unread. It is also the example to copy."""

from __future__ import annotations

from collections.abc import Sequence

from apps.pages.model.text.languages import Language
from ocr_worker.engines.base import FoundLine, Gray, OcrEngine
from ocr_worker.networks.ppocr import Quad


class NullEngine(OcrEngine):
    """Finds no text on any page."""

    name = "null"
    version = "1"

    def knows(self, languages: Sequence[Language]) -> bool:
        return True

    def recognize(self, page: Gray, lines: Sequence[Quad], languages: Sequence[Language]) -> list[FoundLine]:
        return []


def make() -> NullEngine:
    return NullEngine()
