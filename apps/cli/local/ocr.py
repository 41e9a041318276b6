"""OCR for ``manage.py parse`` with engine processes of this command. The steps are those of a job's pages."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

import msgspec

from apps.cli.progress import write_line
from apps.pages.model.blocks import Page, PageFailure
from apps.pages.model.errors import PageError
from apps.pages.model.geometry import Margins
from apps.pages.model.ocr_reasons import NO_TEXT_LAYER
from apps.pages.sandbox.client import Limits, Reader

if TYPE_CHECKING:
    from ocr_worker.engine import EngineProcess

Result = Page | PageFailure


class LocalOcr:
    """Read pages without a usable text layer. The first such page starts the engine processes."""

    def __init__(
        self,
        reader: Reader,
        *,
        languages: tuple[str, ...],
        high_resolution: bool,
        barcodes: bool = False,
        processes: int,
        dpi: float,
        quiet: bool,
        word_boxes: bool = False,
        margins: Margins | None = None,
    ) -> None:
        self._reader = reader
        self._languages = languages
        self._high_resolution = high_resolution
        self._barcodes = barcodes
        self._processes = processes
        self._dpi = dpi * (1.5 if high_resolution else 1.0)
        self._quiet = quiet
        self._word_boxes = word_boxes
        self._margins = margins
        self._free: list[EngineProcess] = []
        self._rendering = threading.Lock()

    def pages(
        self, results: Sequence[Result], document: Path, *, password: str | None, media_type: str, limits: Limits
    ) -> list[Result]:
        """Return the pages in the same order, with recognised text on those that need OCR."""
        to_recognize = [page for page in results if isinstance(page, Page) and self._is_read(page)]
        if not to_recognize:
            return list(results)
        from apps.pages.layout.picture_sheet import sheet_of
        from apps.pages.layout.recognized_page import apply_recognition
        from apps.pages.model.recognition import decode_recognition
        from ocr_worker.engine import EngineProcess, OcrRequest
        from ocr_worker.settings import settings

        if not self._quiet:
            write_line(f"running OCR on {len(to_recognize)} page{'s' if len(to_recognize) > 1 else ''} ...")

        def read(page: Page) -> Result:
            try:
                sheet = sheet_of(page) if page.structured else ()
                with self._rendering:
                    image = self._reader.render(
                        document,
                        page.number,
                        dpi=self._dpi,
                        margins=self._margins,
                        embedded=sheet,
                        password=password,
                        media_type=media_type,
                        limits=limits,
                    )
                try:
                    engine = self._free.pop()
                except IndexError:
                    engine = EngineProcess(settings())
                try:
                    parts = tuple((each.width, each.height) for each in sheet)
                    request = OcrRequest(self._languages, self._high_resolution, parts, not page.needs_ocr)
                    raw = engine.recognize(image, request)
                finally:
                    self._free.append(engine)
                return apply_recognition(page, decode_recognition(raw), word_boxes=self._word_boxes)
            except PageError as error:
                if page.needs_ocr != NO_TEXT_LAYER:
                    write_line(f"page {page.number}: {error.code}: {error.detail}")
                    code = "text_layer_only" if page.needs_ocr else "barcodes_not_read"
                    return msgspec.structs.replace(page, warnings=(*page.warnings, code))
                return PageFailure(number=page.number, code=error.code, detail=error.detail)

        with ThreadPoolExecutor(min(self._processes, len(to_recognize)), thread_name_prefix="ocr") as pool:
            recognized = {page.number: page for page in pool.map(read, to_recognize)}
        return [recognized.get(page.number, page) for page in results]

    def _is_read(self, page: Page) -> bool:
        return bool(page.needs_ocr) or (self._barcodes and not page.structured)

    def __enter__(self) -> LocalOcr:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the engine processes."""
        while self._free:
            self._free.pop().close()
