"""Known sentences, cells, notes and headings of the corpus are found on the pages where they belong."""

from __future__ import annotations

from pathlib import Path

import pytest

from apps.pages.model.blocks import Page
from tests.unit.pages.office.office_files import markdown, read

pytestmark = pytest.mark.corpus

# File, page, what its Markdown has.
KNOWN = [
    ("asvs-V02-Authentication.xlsx", 1, "|#|Description|1|2|3|"),
    ("asvs-V03-Session-management.xlsx", 1, "|V3.2|Verify that sessions are invalidated when the user logs out.|"),
    (
        "docling-xlsx-03-chartsheet.xlsx",
        2,
        "## Duck Chart\n\nWild Duck Observations by Year\n\n|Year / Number of Ducks|Freshwater Ducks|",
    ),
    ("docling-xlsx-04-inflated.xlsx", 2, "|8|16|24|32|\n\n|col-1|col-2|col-3|\n|-|-|-|\n|1|2|3|"),
    (
        "docling-xlsx-05-table-with-title.xlsx",
        1,
        "Number of freshwater ducks per year\n\n|Year|Freshwater Ducks|",
    ),
    ("docling-xlsx-06-edge-cases-.xlsx", 3, "|G1|H1|I3|\n|-|-|-|\n|Overview 1|Purpose 1|Extra 1|"),
    ("unst-2023-half-year-analyses-by-segment.xlsx", 1, "|Zone NA|12,553|2,713|2,632|(81)|(29)|(44)|(337)|"),
    ("unst-emoji.xlsx", 1, "|\U0001f920\U0001f605|"),
    ("unst-vodafone.xlsx", 1, "**Disclaimer**"),
    ("tika-testEXCEL-5.xls", 1, "Sample Excel Worksheet - Numbers and their Squares\n\n||Number|Square|"),
    ("tika-testEXCEL-hyperlinks.xls", 1, "[http_tika_link](http://tika.apache.org/)"),
    ("unst-tests-example.xls", 2, "|Abbreviation|Question Type|\n|-|-|\n|MC|Multiple Choice|"),
    ("docling-csv-pipe.csv", 1, "Dominguez\\|Mcmillan and Donovan"),
    ("unst-semicolon-delimited.csv", 1, "|Lorem, ipsum|dolor sit|amet|"),
    ("unst-single-column.csv", 1, "|adipiscing, elit|"),
    ("unst-stanley-cups-with-emoji.csv", 1, "Stanley Cups\n\n|Team|Location|Stanley Cups|"),
    ("docling-powerpoint-comments.pptx", 3, "# Features\n\n- Import many document formats"),
    ("docling-powerpoint-comments.pptx", 1, "John Reviewer: This is a sample reviewer comment"),
    ("docling-powerpoint-issue-2663.pptx", 1, "**Key Benefits:**\n\n- Open-source software is cost-effective"),
    ("docling-powerpoint-malformed-pictures.pptx", 2, "Slide With Dangling Rel"),
    ("docling-powerpoint-unrecognized-shape.pptx", 2, "Text in an unrecognized shape"),
    ("tika-testPPT-groups.pptx", 2, "- smart1\n- smart2"),
    ("tika-testPPT-oleWorkbook.pptx", 2, "# MFL"),
    ("tika-testPPT-various.pptx", 1, "Footnote appears here<sup>\\[1\\]</sup>"),
    ("tika-testPPT.pptx", 1, "# Attachment Test\n\n## Rajiv"),
    (
        "unst-fake-power-point-table.pptx",
        1,
        "# A Slide with a Table\n\n|Column 1|Column 2|Column 3|\n|-|-|-|\n|Red|Green|Blue|",
    ),
]
WARNED = {
    "tika-testPPT-EmbeddedPDF.pptx": "embedded_files_not_read",
    "tika-testPPT-embeddedMP3.pptx": "embedded_files_not_read",
    "tika-testPPT-oleWorkbook.pptx": "embedded_files_not_read",
    "unst-test-image-jpg-mime.pptx": "pictures_not_read",
}


def pages_of(corpus: Path, name: str) -> list[Page]:
    return read(corpus / "office" / name)[1]


@pytest.mark.parametrize(("name", "number", "text"), KNOWN)
def test_a_page_has_what_its_document_says(corpus: Path, name: str, number: int, text: str) -> None:
    assert text in markdown(pages_of(corpus, name)[number - 1])


@pytest.mark.parametrize(("name", "code"), WARNED.items())
def test_what_is_not_read_is_said(corpus: Path, name: str, code: str) -> None:
    assert any(code in page.warnings for page in pages_of(corpus, name))


def test_every_sheet_and_slide_is_read(corpus: Path) -> None:
    kinds = (".xlsx", ".xls", ".pptx", ".csv")
    files = [path for path in sorted((corpus / "office").iterdir()) if path.suffix in kinds]

    assert files
    for path in files:
        facts, pages = read(path)
        assert len(pages) == facts.page_count >= 1, path.name
