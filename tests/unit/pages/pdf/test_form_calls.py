"""A page is refused for the forms that it draws only if it is suspected, and only if they are too many."""

from __future__ import annotations

from pathlib import Path

import pytest

from apps.pages.model.blocks import Page, PageFailure
from apps.pages.reading import page_reading
from tests.documents import hostile

_FONT = b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>"


def read(path: Path, content: bytes) -> Page | PageFailure:
    path.write_bytes(content)
    (entry,) = page_reading.read_pages(str(path), [1], suspect=True)
    return entry


@pytest.mark.parametrize("make", [hostile.nested_forms, hostile.self_calling_form])
def test_forms_without_end(tmp_path: Path, make: hostile.Make) -> None:
    entry = read(tmp_path / "a.pdf", make())

    assert isinstance(entry, PageFailure)
    assert entry.code == "page_memory_exceeded"
    assert "forms inside of forms" in entry.detail


def test_a_page_of_many_forms_is_read(tmp_path: Path) -> None:
    head = b"/Type/XObject/Subtype/Form/BBox[0 0 600 800]/Resources<</XObject<</X 6 0 R>>/Font<</F 7 0 R>>>>"
    outer = hostile.stream(b"/X Do " * 100 + b"BT /F 20 Tf 72 600 Td (Within a form) Tj ET", head)
    inner = hostile.stream(b"0 0 1 1 re f", b"/Type/XObject/Subtype/Form/BBox[0 0 9 9]")
    content = hostile.one_page(b"/X Do " * 20, outer, inner, _FONT, resources=b"/XObject<</X 5 0 R>>")

    entry = read(tmp_path / "a.pdf", content)

    assert isinstance(entry, Page)
    assert "Within a form" in entry.blocks[0].text
