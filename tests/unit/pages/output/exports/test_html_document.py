"""The document as one HTML file, read by a parser, as a browser or a screen reader does."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

from lxml import html as lxml_html

from apps.pages.model.blocks import Block, BlockType, Cell, Page, PageFailure, TextSpan
from apps.pages.model.errors import PageTimeout
from apps.pages.model.geometry import NO_BOX, Box
from apps.pages.output.exports import html_document
from apps.pages.output.exports.archive import write_everything, write_tables
from apps.pages.output.exports.html_document import write_html
from tests.unit.pages.drawing import page, text_block

PLACE = Box(72, 100, 400, 300)
ITEM = BlockType.LIST_ITEM


def written(*pages: Page | PageFailure, **options: Any) -> str:
    out = io.BytesIO()
    write_html(pages, out, title="<River>.pdf", **options)
    return out.getvalue().decode()


def read(*blocks: Block, **options: Any) -> Any:
    return lxml_html.document_fromstring(written(page(*blocks), **options))


def item(text: str, marker: str, level: int = 1) -> Block:
    return text_block(text, kind=ITEM, marker=marker, level=level)


def test_blocks_have_their_elements_and_the_anchors_of_their_items() -> None:
    blocks = (
        text_block("Report", kind=BlockType.PAGE_HEADER),
        text_block("Of Leaves", kind=BlockType.HEADING, level=2),
        text_block("Leaves are <b>green</b>."),
        text_block("A quotation", level=1),
        text_block("x < 1", kind=BlockType.CODE),
        text_block("A note", kind=BlockType.FOOTNOTE, marker="1"),
    )
    tree = read(*blocks, language="en")
    assert tree.get("lang") == "en"
    assert tree.findtext(".//title") == "<River>.pdf"
    section = tree.find(".//section")
    assert (section.get("id"), section.get("aria-label")) == ("page-1", "Page 1")
    assert [(each.tag, each.get("id"), each.text_content()) for each in section] == [
        ("header", "page-1-0", "Report"),
        ("h2", "page-1-1", "Of Leaves"),
        ("p", "page-1-2", "Leaves are <b>green</b>."),
        ("blockquote", "page-1-3", "A quotation"),
        ("pre", "page-1-4", "x < 1"),
        ("aside", "page-1-5", "1 A note"),
    ]


def test_lists_are_nested_and_keep_their_numbers_and_checks() -> None:
    tree = read(item("four", "4."), item("inner", "•", 2), item("five", "5."))
    (outer,) = tree.findall(".//section/ol")
    assert [(each.get("value"), each.text) for each in outer] == [("4", "four"), ("5", "five")]
    assert outer[0].find("ul/li").text == "inner"
    assert outer[0].find("ul/li").get("id") == "page-1-0-1-0"
    checks = read(item("done", "☑"), item("open", "☐")).findall(".//input")
    assert [("checked" in each.attrib, "disabled" in each.attrib) for each in checks] == [(True, True), (False, True)]
    assert read(item("letters", "b)")).findtext(".//ul[@class='marked']/li") == "b) letters"


def test_header_cells_say_what_they_are_the_head_of() -> None:
    cells = (
        Cell(0, 0, "", header=True),
        Cell(0, 1, "Tons", column_span=2, header=True),
        Cell(1, 0, "Coal", header=True, row_span=2),
        Cell(1, 1, "1"), Cell(1, 2, "2"), Cell(2, 1, "3"), Cell(2, 2, "4"),
    )  # fmt: skip
    tree = read(Block(BlockType.TABLE, PLACE, cells=cells))
    heads = [(each.text, each.get("scope"), each.get("colspan"), each.get("rowspan")) for each in tree.iter("th")]
    assert heads == [(None, "col", None, None), ("Tons", "colgroup", "2", None), ("Coal", "rowgroup", None, "2")]
    assert [each.text for each in tree.iter("td")] == ["1", "2", "3", "4"]


def test_text_and_links_of_a_document_cannot_become_scripts() -> None:
    text = '"><script>alert(1)</script>'
    link = Block(BlockType.PARAGRAPH, PLACE, "here", spans=(TextSpan(0, 4, url='https://a.example/"onclick="x'),))
    tree = read(text_block(text), link, Block(BlockType.PICTURE, PLACE, description=text), language='en" onload="x')
    assert not list(tree.iter("script"))
    assert not [each for each in tree.iter() if isinstance(each.tag, str) and {"onclick", "onload"} & set(each.attrib)]


def test_pictures_have_a_text_and_are_embedded_as_far_as_they_can_be(monkeypatch: Any) -> None:
    monkeypatch.setattr(html_document, "MAX_EMBEDDED_PICTURES", 2)

    def picture_of(_page: Page, box: Box) -> bytes:
        if box.width < 10:
            raise PageTimeout
        return b"jpeg"

    wide, narrow = Block(BlockType.PICTURE, PLACE, "A ship"), Block(BlockType.PICTURE, Box(0, 0, 5, 5))
    tree = read(wide, narrow, wide, Block(BlockType.PICTURE, NO_BOX), picture_of=picture_of)
    assert [(each.get("alt"), each.get("src")) for each in tree.iter("img")] == [
        ("A ship", "data:image/jpeg;base64,anBlZw==")
    ]
    assert "2 more pictures are not shown." in tree.text_content()
    assert [each.text_content() for each in read(wide).iter("figcaption")] == ["A ship"]  # nothing can be rendered


def test_a_failed_page_says_so() -> None:
    tree = lxml_html.document_fromstring(
        written(page(text_block("one")), PageFailure(2, "page_timeout", "Too <slow>."))
    )
    assert tree.find(".//section[@id='page-2']").text_content().strip() == (
        "Page 2 could not be read: page_timeout. Too <slow>."
    )


def test_each_table_is_a_csv_in_the_archive_of_tables() -> None:
    table = Block(BlockType.TABLE, PLACE, cells=(Cell(0, 0, "=1+1"), Cell(0, 1, "Größe")))
    archives = []
    for _ in range(2):
        out = io.BytesIO()
        write_tables([page(table, text_block("x"), table), PageFailure(2, "page_timeout"), page(table, number=3)], out)
        archives.append(out.getvalue())
    assert archives[0] == archives[1]
    with zipfile.ZipFile(io.BytesIO(archives[0])) as archive:
        names = ["page_1_table_1.csv", "page_1_table_2.csv", "page_3_table_1.csv"]
        assert archive.namelist() == names
        assert archive.read(names[0]).decode("utf-8-sig") == "'=1+1,Größe\n"


def test_the_archive_of_everything_has_what_was_stored_and_what_is_made() -> None:
    out, stored = io.BytesIO(), io.BytesIO(b"{}")
    made = [("made.json", lambda entry: entry.write(json.dumps([1]).encode()))]
    write_everything(out, stored=[("items.json", stored), ("tables.xlsx", None)], made=made, pages=[])
    assert stored.closed
    with zipfile.ZipFile(out) as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == {"items.json": b"{}", "made.json": b"[1]"}
