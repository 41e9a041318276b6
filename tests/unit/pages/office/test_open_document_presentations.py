"""OpenDocument presentations give what Open XML ones give."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from apps.pages.model.blocks import BlockType
from apps.pages.model.errors import DamagedDocument
from apps.pages.model.geometry import Box
from tests.unit.pages.office.office_files import markdown, read

ODP = "application/vnd.oasis.opendocument.presentation"
NAMES = " ".join(
    f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{space}:1.0"'
    for name, space in (
        ("office", "office"),
        ("table", "table"),
        ("text", "text"),
        ("style", "style"),
        ("draw", "drawing"),
        ("svg", "svg-compatible"),
        ("fo", "xsl-fo-compatible"),
        ("presentation", "presentation"),
    )
)
HIDDEN = '<style:style style:name="dp2"><style:drawing-page-properties presentation:visibility="hidden"/></style:style>'


def deck(path: Path, *slides: str) -> Path:
    layout = '<style:page-layout style:name="notes"><style:page-layout-properties/></style:page-layout>'
    layout += (
        '<style:page-layout style:name="PM1"><style:page-layout-properties fo:page-width="10in" fo:page-height="5in"/>'
        '</style:page-layout><style:master-page style:name="Main" style:page-layout-name="PM1"/>'
    )
    body = f"<office:automatic-styles>{HIDDEN}</office:automatic-styles><office:body><office:presentation>"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("mimetype", ODP)
        archive.writestr(
            "content.xml",
            f"<office:document-content {NAMES}>{body}{''.join(slides)}</office:presentation></office:body>"
            "</office:document-content>",
        )
        archive.writestr("styles.xml", f"<office:document-styles {NAMES}>{layout}</office:document-styles>")
    return path


def slide(*shapes: str, style: str = "dp1") -> str:
    return f'<draw:page draw:style-name="{style}" draw:master-page-name="Main">{"".join(shapes)}</draw:page>'


def frame(content: str, place: str = "1in 1in 2in 1in", kind: str = "") -> str:
    x, y, width, height = place.split()
    mark = f'presentation:class="{kind}"' if kind else ""
    return (
        f'<draw:frame svg:x="{x}" svg:y="{y}" svg:width="{width}" svg:height="{height}" {mark}>{content}</draw:frame>'
    )


def text_box(*lines: str) -> str:
    return f"<draw:text-box>{''.join(f'<text:p>{line}</text:p>' for line in lines)}</draw:text-box>"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "deck.odp"


def test_a_slide_has_its_title_first_its_places_and_its_notes(path: Path) -> None:
    notes = f"<presentation:notes>{frame(text_box('Say hello'), kind='notes')}</presentation:notes>"
    title = frame(text_box("Results", "of May"), "1in 0.5in 8in 1in", "title")
    facts, [page] = read(deck(path, slide(frame(text_box("Some text")), title, notes)))

    assert facts.media_type == ODP
    assert (page.width, page.height) == (720.0, 360.0)
    assert markdown(page) == "# Results of May\n\nSome text"
    assert [block.box for block in page.blocks] == [Box(72, 36, 648, 108), Box(72, 72, 216, 144)]
    assert page.speaker_notes == "Say hello"


def test_a_subtitle_is_a_heading_unless_it_is_a_sentence(path: Path) -> None:
    sentence = "The brig left again before the tide turned."
    shapes = [frame(text_box("Results"), kind="title"), frame(text_box(sentence), kind="subtitle")]
    _facts, pages = read(deck(path, slide(*shapes), slide(frame(text_box("Trade"), kind="subtitle"))))

    assert [markdown(page) for page in pages] == [f"# Results\n\n{sentence}", "## Trade"]


def test_lists_tables_groups_and_shapes_are_read(path: Path) -> None:
    items = "<text:list><text:list-item><text:p>First</text:p></text:list-item></text:list>"
    row = "<table:table-row><table:table-cell><text:p>a</text:p></table:table-cell></table:table-row>"
    group = f"<draw:g>{frame(f'<table:table>{row}</table:table><draw:image/>')}</draw:g>"
    shape = "<draw:custom-shape><text:p>In a shape</text:p></draw:custom-shape>"
    [page] = read(deck(path, slide(frame(f"<draw:text-box>{items}</draw:text-box>"), group, shape)))[1]

    assert [block.type for block in page.blocks] == [BlockType.LIST_ITEM, BlockType.TABLE, BlockType.PARAGRAPH]
    assert page.warnings == ()


def test_hidden_slides_and_what_is_outside_are_left_out_with_a_warning(path: Path) -> None:
    outside = frame(text_box("Old"), "11in 1in 1in 1in")
    file = deck(path, slide(frame(text_box("In")), outside), slide(frame(text_box("Two")), style="dp2"))

    facts, [page] = read(file)
    assert (facts.warnings, page.warnings) == (("hidden_slides_left_out",), ("outside_content_left_out",))
    assert markdown(page) == "In"
    pages = read(file, hidden_slides=True, outside_content=True)[1]
    assert [markdown(page) for page in pages] == ["In\n\nOld", "Two"]


def test_comments_and_pictures_are_kept(path: Path) -> None:
    note = "<office:annotation><dc:creator xmlns:dc='d'>Ann</dc:creator><text:p>Shorter</text:p></office:annotation>"
    picture = frame("<draw:image/><svg:desc>A duck</svg:desc>")
    [page] = read(deck(path, slide(picture, frame("<draw:object-ole/>"), note)), revisions=True)[1]

    assert markdown(page).startswith("![A duck]()")
    assert markdown(page).endswith("Ann: Shorter")
    assert [(one.type, one.content, one.author) for one in page.revisions] == [("comment", "Shorter", "Ann")]
    assert set(page.warnings) == {"pictures_not_read", "embedded_files_not_read"}


def test_a_presentation_without_slides_is_damaged(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("mimetype", ODP)
        archive.writestr("content.xml", "<a/>")
    with pytest.raises(DamagedDocument):
        read(path)
