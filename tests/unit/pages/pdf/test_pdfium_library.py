"""The library of the process is one whose batch call agrees with its plain calls, or one without that call."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from pathlib import Path

import pytest

from apps.pages.model.blocks import Page
from apps.pages.pdf import pdfium_library
from apps.pages.pdf.text import character_records
from apps.pages.reading import page_reading
from tests.unit.pages.tiny_pdf import Sheet, write_pdf


@pytest.fixture
def fresh() -> Iterator[None]:
    pdfium_library.pdfium.cache_clear()
    yield
    pdfium_library.pdfium.cache_clear()


def test_the_batch_call_passes_its_self_check() -> None:
    assert pdfium_library.pdfium().has_batch
    assert character_records.batch_agrees(pdfium_library.pdfium())


def test_a_batch_call_with_records_of_another_size_does_not_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    library = pdfium_library.pdfium()
    right = library.FPDFText_GetCharInfoBatch

    def longer(text_page: int, start: int, count: int, buffer: int) -> int:
        ctypes.memset(buffer, 0, count * (character_records.RECORD.itemsize + 8))
        return int(right(text_page, start, count, buffer))

    monkeypatch.setattr(library, "FPDFText_GetCharInfoBatch", longer)

    assert not character_records.batch_agrees(library)


@pytest.mark.usefixtures("fresh")
def test_a_library_that_does_not_pass_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pdfium_library, "batch_agrees", lambda library: False)
    path = write_pdf(tmp_path / "a.pdf", Sheet().text(72, 72, "Read without the batch call – slowly"))

    (page,) = page_reading.read_pages(path, [1])

    assert "pypdfium2" in pdfium_library.pdfium().path
    assert isinstance(page, Page)
    assert [block.text for block in page.blocks] == ["Read without the batch call – slowly"]
