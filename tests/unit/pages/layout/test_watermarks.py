"""A large word across the lines of a page is neither a heading nor a part of them."""

from __future__ import annotations

import pytest

from tests.unit.pages.conftest import Parse
from tests.unit.pages.tiny_pdf import Sheet

TEXT = [f"Line {number} of the report speaks of the mill and of its wheel and of the weir" for number in range(30)]


@pytest.mark.parametrize("first", [True, False])
def test_an_upright_watermark(parse: Parse, first: bool) -> None:
    sheet = Sheet().text(72, 60, "Report of the Mill", size=18, bold=True)
    stamp = b"BT 0.8 g /F1 70 Tf 60 450 Td (CONFIDENTIAL) Tj 0 g ET"
    if first:
        sheet.raw(stamp)
    sheet.lines(72, 100, TEXT)
    if not first:
        sheet.raw(stamp)

    result = parse(sheet)

    assert result.markdown.startswith("# Report of the Mill\n")
    assert " ".join(TEXT) in result.text
    assert "# CONFIDENTIAL" not in result.markdown
    assert result.text.endswith("CONFIDENTIAL\n")


def test_a_headline_above_its_text_is_a_heading(parse: Parse) -> None:
    sheet = Sheet().text(72, 60, "Report of the Mill", size=40, bold=True).lines(72, 104, TEXT)

    assert parse(sheet).markdown.startswith("# Report of the Mill\n")
