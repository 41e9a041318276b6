"""The page agent has the text of a region recognised."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

from apps.pages.model.blocks import Page
from apps.pages.model.geometry import Box
from apps.pages.sandbox.client import Limits
from apps.parsing.page_pictures import DocumentPictures
from tests.documents.scans import DPI, LINES, picture


def test_only_the_text_of_the_region_is_read(tmp_path: Path) -> None:
    scan = picture()
    path = tmp_path / "scan.png"
    scan.save(path, dpi=(DPI, DPI))
    page = Page(1, scan.width * 72 / DPI, scan.height * 72 / DPI)

    def open_scan(document: str) -> nullcontext[Path]:
        return nullcontext(path)

    with DocumentPictures(
        "scan",
        password=None,
        media_type="image/png",
        limits=Limits(),
        should_stop=lambda: False,
        open_document=open_scan,
    ) as pictures:
        whole = pictures.text(page, Box(0, 0, page.width, page.height))
        part = pictures.text(page, Box(0, 0, page.width, page.height / 4))

    assert whole.replace("\n", " ") == " ".join(LINES)
    assert set(part.split("\n")) < set(whole.split("\n"))
