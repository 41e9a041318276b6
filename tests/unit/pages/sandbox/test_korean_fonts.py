"""Korean fonts are judged in a reader that cannot import anything any more."""

from __future__ import annotations

from pathlib import Path

from apps.pages.model.blocks import Page
from apps.pages.sandbox.client import Reader
from tests.unit.pages.mapped_pdf import Drawing, mapped_pdf


def test_a_page_of_hangul_is_read(tmp_path: Path) -> None:
    characters = [*"한국어문서"]
    content = Drawing(characters).draw("한국어문서", 72, 100).content()
    path = Path(mapped_pdf(tmp_path / "a.pdf", characters, {}, content))

    with Reader() as reader:
        (page,) = reader.read_range(path, [1])

    assert isinstance(page, Page)
    assert [block.text for block in page.blocks] == ["한국어문서"]
