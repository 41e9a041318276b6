"""An OpenDocument text becomes the blocks that its styles, lists, tables and notes say."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from apps.pages.model.blocks import BlockType, Page, Revision
from apps.pages.model.document_facts import DocumentFacts
from apps.pages.model.office_options import OfficeOptions
from apps.pages.output.render import RenderOptions, page_markdown
from apps.pages.reading.page_reading import inspect_document, read_pages

SPACE = "urn:oasis:names:tc:opendocument:xmlns"
SPACES = " ".join(
    f'xmlns:{name}="{SPACE}:{path}:1.0"'
    for name, path in (
        ("office", "office"),
        ("text", "text"),
        ("table", "table"),
        ("style", "style"),
        ("draw", "drawing"),
        ("fo", "xsl-fo-compatible"),
        ("svg", "svg-compatible"),
    )
)
SPACES += ' xmlns:xlink="http://www.w3.org/1999/xlink" xmlns:dc="http://purl.org/dc/elements/1.1/"'


def odt(path: Path, body: str, styles: str = "", manifest: str = "", shared: str = "") -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.text")
        content = f"<office:automatic-styles>{styles}</office:automatic-styles><office:body><office:text>{body}"
        archive.writestr(
            "content.xml",
            f"<office:document-content {SPACES}>{content}</office:text></office:body></office:document-content>",
        )
        archive.writestr("styles.xml", f"<office:document-styles {SPACES}>{shared}</office:document-styles>")
        archive.writestr("META-INF/manifest.xml", f"<manifest>{manifest}</manifest>")
    return path


def read(path: Path, password: str | None = None, *, revisions: bool = False) -> tuple[DocumentFacts, list[Page]]:
    office = OfficeOptions(suffix=".odt", revisions=revisions)
    facts = inspect_document(str(path), password=password, max_pages=100, office=office)
    numbers = range(1, facts.page_count + 1)
    found = read_pages(str(path), numbers, password=password, media_type=facts.media_type, office=office)
    return facts, [page for page in found if isinstance(page, Page)]


def markdown(path: Path) -> str:
    _facts, pages = read(path)
    options = RenderOptions(links=True, table_format="pipe")
    return "\n\n".join(page_markdown(page.blocks, options) for page in pages)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "letter.odt"


def test_headings_formats_links_and_blanks(path: Path) -> None:
    styles = (
        '<style:style style:name="T1" style:family="text"><style:text-properties fo:font-weight="bold"/></style:style>'
    )
    body = (
        '<text:h text:outline-level="2">Scope</text:h><text:p>A <text:span text:style-name="T1">bold</text:span>'
        '<text:s text:c="3"/><text:a xlink:href="https://example.org/">link</text:a>'
        "<text:line-break/># no heading</text:p>"
    )
    odt(path, body, styles)
    assert markdown(path) == "## Scope\n\nA **bold** [link](https://example.org/)\n\\# no heading"


def test_nested_and_continued_lists_have_their_numbers(path: Path) -> None:
    styles = (
        '<text:list-style style:name="L"><text:list-level-style-number text:level="1" style:num-format="1" '
        'style:num-suffix="."/><text:list-level-style-number text:level="2" style:num-format="a" style:num-suffix=")"/>'
        "</text:list-style>"
    )
    inner = "<text:list><text:list-item><text:p>inner</text:p></text:list-item></text:list>"
    item = "<text:list-item><text:p>{}</text:p>{}</text:list-item>"
    body = f'<text:list text:style-name="L">{item.format("one", inner)}{item.format("two", "")}</text:list>'
    body += "<text:p>Between</text:p>"
    body += f'<text:list text:style-name="L" text:continue-numbering="true">{item.format("three", "")}</text:list>'
    body += f'<text:list text:style-name="L">{item.format("new", "")}</text:list>'
    odt(path, body, styles)
    assert markdown(path) == "1. one\n    - a) inner\n2. two\n\nBetween\n\n3. three\n1. new"


def test_tables_have_header_rows_and_merged_cells(path: Path) -> None:
    body = (
        "<table:table><table:table-header-rows><table:table-row>"
        '<table:table-cell table:number-columns-spanned="2"><text:p>Wide</text:p></table:table-cell>'
        "<table:covered-table-cell/></table:table-row></table:table-header-rows><table:table-row>"
        '<table:table-cell table:number-columns-repeated="1"><text:p>a</text:p><text:p>b</text:p></table:table-cell>'
        "<table:table-cell><text:p>c</text:p></table:table-cell></table:table-row></table:table>"
    )
    _facts, [page] = read(odt(path, body))
    cells = page.blocks[0].cells
    assert [(cell.text, cell.row, cell.column, cell.column_span, cell.header) for cell in cells] == [
        ("Wide", 0, 0, 2, True),
        ("a\nb", 1, 0, 1, False),
        ("c", 1, 1, 1, False),
    ]


def test_notes_comments_and_pictures(path: Path) -> None:
    body = (
        '<text:p>Fact<text:note text:note-class="footnote"><text:note-citation>1</text:note-citation><text:note-body>'
        "<text:p>Source</text:p></text:note-body></text:note><office:annotation><dc:creator>Bo</dc:creator>"
        "<text:p>Why?</text:p></office:annotation><draw:frame><draw:image/>"
        "<svg:desc>A bird</svg:desc></draw:frame></text:p>"
    )
    facts, [page] = read(odt(path, body))
    assert [(block.type, block.text or block.description) for block in page.blocks] == [
        (BlockType.PICTURE, "A bird"),
        (BlockType.PARAGRAPH, "Fact1"),
        (BlockType.FOOTNOTE, "1 Source"),
    ]
    assert (facts.warnings, page.warnings) == (("comments_left_out",), ("pictures_not_read",))
    _facts, [page] = read(path, revisions=True)
    assert page.revisions == (Revision("comment", "Why?", author="Bo"),)


def test_deleted_text_is_left_out_and_listed_when_asked_for(path: Path) -> None:
    body = (
        '<text:tracked-changes><text:changed-region text:id="c1"><text:deletion><office:change-info><dc:creator>Ann'
        "</dc:creator></office:change-info><text:p>may</text:p></text:deletion></text:changed-region>"
        '</text:tracked-changes><text:p>We <text:change text:change-id="c1"/>must</text:p>'
    )
    _facts, [page] = read(odt(path, body), revisions=True)
    assert [block.text for block in page.blocks] == ["We must"]
    assert page.revisions == (Revision("deleted", "may", author="Ann"),)


def test_pages_begin_where_a_style_says_so_and_have_headers(path: Path) -> None:
    styles = (
        '<style:style style:name="P1" style:family="paragraph"><style:paragraph-properties fo:break-before="page"/>'
        "</style:style>"
    )
    shared = "<office:master-styles><style:master-page><style:header><text:p>Top</text:p></style:header>"
    shared += "</style:master-page></office:master-styles>"
    odt(path, '<text:p>One</text:p><text:p text:style-name="P1">Two</text:p>', styles, shared=shared)

    _facts, pages = read(path)
    assert [[block.text for block in page.blocks] for page in pages] == [["Top", "One"], ["Top", "Two"]]


def test_a_repeated_cell_has_its_text_each_time(path: Path) -> None:
    cell = '<table:table-cell table:number-columns-repeated="3"><text:p>a</text:p></table:table-cell>'
    _facts, [page] = read(odt(path, f"<table:table><table:table-row>{cell}</table:table-row></table:table>"))

    assert [(cell.column, cell.text) for cell in page.blocks[0].cells] == [(0, "a"), (1, "a"), (2, "a")]


def test_a_table_that_is_too_wide_is_cut_with_a_warning(path: Path) -> None:
    row = "<table:table-cell><text:p>a</text:p></table:table-cell>" * 501
    _facts, [page] = read(odt(path, f"<table:table><table:table-row>{row}</table:table-row></table:table>"))

    assert len(page.blocks[0].cells) == 500
    assert page.warnings == ("text_truncated",)


def test_text_boxes_inside_text_boxes_are_read(path: Path) -> None:
    inner = "<draw:frame><draw:text-box><text:p>Figure 1: Ducks</text:p></draw:text-box></draw:frame>"
    outer = f"<draw:frame><draw:text-box><text:p>{inner}</text:p></draw:text-box></draw:frame>"

    assert markdown(odt(path, f"<text:p>Before{outer}</text:p>")) == "Before\n\nFigure 1: Ducks"
