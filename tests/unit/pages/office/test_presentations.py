"""Presentations: a page for each slide, its shapes where they are."""

from __future__ import annotations

from pathlib import Path

import pytest

from apps.pages.model.blocks import BlockType
from apps.pages.model.geometry import Box
from apps.pages.office.slides.numbering import written
from tests.unit.pages.office.office_files import NAMES, markdown, open_xml, read

POINT = 12_700
PRESENTATION = "presentationml.presentation"


def shape(text: str, place: str = "", kind: str = "", hidden: str = "") -> str:
    """Return a shape of paragraphs, one a line. ``place``: "x y width height" in points."""
    mark = f'<p:ph type="{kind}"/>' if kind else ""
    paragraphs = "".join(
        line if line.startswith("<") else f"<a:p><a:r><a:t>{line}</a:t></a:r></a:p>" for line in text.split("\n")
    )
    return (
        f'<p:sp><p:nvSpPr><p:cNvPr id="2" name="x" {hidden}/><p:nvPr>{mark}</p:nvPr></p:nvSpPr>'
        f"<p:spPr>{transform(place)}</p:spPr><p:txBody>{paragraphs}</p:txBody></p:sp>"
    )


def transform(place: str, inner: str = "", name: str = "a:xfrm") -> str:
    if not place:
        return ""
    x, y, width, height = (int(float(number) * POINT) for number in place.split())
    return f'<{name}><a:off x="{x}" y="{y}"/><a:ext cx="{width}" cy="{height}"/>{inner}</{name}>'


def item(text: str, bullet: str, level: int = 0) -> str:
    return f'<a:p><a:pPr lvl="{level}">{bullet}</a:pPr><a:r><a:t>{text}</a:t></a:r></a:p>'


def slide(*shapes: str, attributes: str = "") -> str:
    return f"<p:sld {NAMES} {attributes}><p:cSld><p:spTree>{''.join(shapes)}</p:spTree></p:cSld></p:sld>"


def deck(
    path: Path, *slides: str, parts: dict[str, str] | None = None, links: dict[str, str] | None = None, more: str = ""
) -> Path:
    """Write a presentation of 720 x 540 points. ``links``: the relationships of the first slide."""
    names = [f"ppt/slide{number}.xml" for number in range(1, len(slides) + 1)]
    ids = "".join(f'<p:sldId id="{255 + number}" r:id="s{number}"/>' for number in range(1, len(slides) + 1))
    size = '<p:sldSz cx="9144000" cy="6858000"/>'
    main = f"<p:presentation {NAMES}><p:sldIdLst>{ids}</p:sldIdLst>{size}{more}</p:presentation>"
    relations = {f"s{number}": f"slide {name}" for number, name in enumerate(names, 1)}
    return open_xml(
        path,
        PRESENTATION,
        "ppt/presentation.xml",
        {"ppt/presentation.xml": main, **dict(zip(names, slides, strict=True)), **(parts or {})},
        {
            "ppt/presentation.xml": {**relations, "a1": "commentAuthors ppt/authors.xml"},
            "ppt/slide1.xml": links or {},
        },
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "deck.pptx"


def test_a_slide_has_its_title_first_and_its_shapes_at_their_places(path: Path) -> None:
    body = shape("Some text", "36 100 400 200")
    lines = "<a:p><a:r><a:t>Results</a:t></a:r><a:br/><a:r><a:t>of May</a:t></a:r></a:p>"
    _facts, [page] = read(deck(path, slide(body, shape(lines, "36 20 640 60", "title"))))

    assert (page.width, page.height) == (720.0, 540.0)
    assert markdown(page) == "# Results of May\n\nSome text"
    assert [block.box for block in page.blocks] == [Box(36, 20, 676, 80), Box(36, 100, 436, 300)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Trade of the harbours", "## Trade of the harbours"),
        ("Version 2.0, final.", "## Version 2.0, final."),
        ("The brig left again before the tide turned.", "The brig left again before the tide turned."),
    ],
)
def test_a_subtitle_is_a_heading_unless_it_is_a_sentence(path: Path, text: str, expected: str) -> None:
    [page] = read(deck(path, slide(shape("Results", kind="ctrTitle"), shape(text, kind="subTitle"))))[1]
    assert markdown(page) == f"# Results\n\n{expected}"


def test_places_in_groups_are_places_on_the_slide(path: Path) -> None:
    inner = '<a:chOff x="0" y="0"/><a:chExt cx="1270000" cy="1270000"/>'
    group = f"<p:grpSp><p:grpSpPr>{transform('100 200 50 50', inner)}</p:grpSpPr>{shape('In', '20 40 20 20')}</p:grpSp>"
    _facts, [page] = read(deck(path, slide(group)))

    assert page.blocks[0].box == Box(110, 220, 120, 230)


def test_lists_have_levels_bullets_and_numbers(path: Path) -> None:
    number = '<a:buAutoNum type="arabicPeriod"/>'
    lines = [item("First", number), item("Detail", '<a:buChar char="•"/>', 1), item("Second", number)]
    _facts, [page] = read(deck(path, slide(shape("\n".join(lines)))))

    assert markdown(page) == "1. First\n    - Detail\n2. Second"


def test_text_in_symbol_fonts_is_written_in_unicode(path: Path) -> None:
    def run(text: str, fonts: str) -> str:
        return f"<a:r><a:rPr>{fonts}</a:rPr><a:t>{text}</a:t></a:r>"

    runs = run("ab", '<a:latin typeface="Symbol"/>')
    runs += run(" c\uf0ae", '<a:latin typeface="Arial"/><a:sym typeface="Symbol"/>')

    assert markdown(read(deck(path, slide(shape(f"<a:p>{runs}</a:p>"))))[1][0]) == "αβ c→"


def test_bullets_and_places_come_from_the_layout_and_the_master(path: Path) -> None:
    tree = f"<p:cSld><p:spTree>{shape('Click', '10 20 30 40', 'body')}</p:spTree></p:cSld>"
    styles = '<p:txStyles><p:bodyStyle><a:lvl1pPr><a:buChar char="•"/></a:lvl1pPr></p:bodyStyle></p:txStyles>'
    file = deck(
        path,
        slide(shape("Point", kind="body"), shape(item("None", "<a:buNone/>"), kind="body")),
        parts={
            "ppt/layout.xml": f"<p:sldLayout {NAMES}>{tree}</p:sldLayout>",
            "ppt/_rels/layout.xml.rels": (
                '<Relationships><Relationship Id="r" Type="x/slideMaster" Target="master.xml"/></Relationships>'
            ),
            "ppt/master.xml": f"<p:sldMaster {NAMES}><p:cSld><p:spTree/></p:cSld>{styles}</p:sldMaster>",
        },
        links={"l": "slideLayout ppt/layout.xml"},
    )
    _facts, [page] = read(file)

    assert markdown(page) == "- Point\n\nNone"
    assert page.blocks[0].box == Box(10, 20, 40, 60)


def test_hidden_slides_are_pages_if_they_are_asked_for(path: Path) -> None:
    file = deck(path, slide(shape("One")), slide(shape("Two"), attributes='show="0"'))

    facts, pages = read(file)
    assert (facts.warnings, [markdown(page) for page in pages]) == (("hidden_slides_left_out",), ["One"])
    facts, pages = read(file, hidden_slides=True)
    assert (facts.warnings, [markdown(page) for page in pages]) == ((), ["One", "Two"])


def test_what_is_outside_of_a_slide_or_hidden_is_left_out_with_a_warning(path: Path) -> None:
    outside = shape("Old", "800 10 50 50")
    file = deck(path, slide(shape("In", "10 10 50 50"), outside, shape("Secret", "9 9 9 9", hidden='hidden="1"')))

    [page] = read(file)[1]
    assert markdown(page) == "In"
    assert page.warnings == ("outside_content_left_out", "hidden_text")
    assert page.hidden == ("Secret",)
    assert markdown(read(file, outside_content=True)[1][0]) == "In\n\nOld"


def test_notes_sections_and_comments_are_kept_with_their_slide(path: Path) -> None:
    section = (
        '<p:extLst><p:ext><p14:sectionLst><p14:section name="Start"><p14:sldIdLst><p14:sldId id="256"/>'
        "</p14:sldIdLst></p14:section></p14:sectionLst></p:ext></p:extLst>"
    )
    notes = shape("Say hello", kind="body") + shape("7", kind="sldNum")
    file = deck(
        path,
        slide(shape("One")),
        parts={
            "ppt/notes.xml": f"<p:notes {NAMES}><p:cSld><p:spTree>{notes}</p:spTree></p:cSld></p:notes>",
            "ppt/comments.xml": f'<p:cmLst {NAMES}><p:cm authorId="0"><p:text>Shorter</p:text></p:cm></p:cmLst>',
            "ppt/authors.xml": f'<p:cmAuthorLst {NAMES}><p:cmAuthor id="0" name="Ann"/></p:cmAuthorLst>',
        },
        links={"n": "notesSlide ppt/notes.xml", "c": "comments ppt/comments.xml"},
        more=section,
    )
    [page] = read(file, revisions=True)[1]

    assert (page.speaker_notes, page.slide_section) == ("Say hello", "Start")
    assert markdown(page) == "One\n\nAnn: Shorter"
    assert [(one.type, one.content, one.author) for one in page.revisions] == [("comment", "Shorter", "Ann")]


def test_a_table_has_its_merged_cells_and_its_header(path: Path) -> None:
    def cell(text: str, attributes: str = "") -> str:
        return f"<a:tc {attributes}><a:txBody><a:p><a:r><a:t>{text}</a:t></a:r></a:p></a:txBody></a:tc>"

    both = cell("Both", "gridSpan='2'") + cell("", "hMerge='1'")
    rows = f"<a:tr>{both}</a:tr><a:tr>{cell('1')}{cell('2')}</a:tr>"
    table = f'<a:tbl><a:tblPr firstRow="1"/>{rows}</a:tbl>'
    frame = (
        "<p:graphicFrame><p:nvGraphicFramePr><p:nvPr/></p:nvGraphicFramePr>"
        f"{transform('5 6 7 8', name='p:xfrm')}<a:graphic><a:graphicData>{table}</a:graphicData></a:graphic>"
        "</p:graphicFrame>"
    )
    [page] = read(deck(path, slide(frame)))[1]

    [block] = page.blocks
    assert [(cell.text, cell.column_span, cell.header) for cell in block.cells] == [
        ("Both", 2, True),
        ("1", 1, False),
        ("2", 1, False),
    ]
    assert block.box == Box(5, 6, 12, 14)


def test_the_data_of_charts_is_a_table_unless_it_is_not_wanted(path: Path) -> None:
    series = (
        "<c:ser><c:tx><c:v>Ducks</c:v></c:tx><c:cat><c:strLit><c:pt idx='0'><c:v>2023</c:v></c:pt></c:strLit></c:cat>"
        "<c:val><c:numLit><c:formatCode>0%</c:formatCode><c:pt idx='0'><c:v>0.5</c:v></c:pt></c:numLit></c:val></c:ser>"
    )
    area = f"<c:plotArea><c:barChart>{series}</c:barChart></c:plotArea>"
    chart = f"<c:chartSpace {NAMES}><c:chart>{area}</c:chart></c:chartSpace>"

    assert markdown_of_chart(path, chart) == "Ducks\n\n||Ducks|\n|-|-|\n|2023|50%|"
    [page] = read(path, skips_embedded_data=True)[1]
    assert [(block.type, block.description) for block in page.blocks] == [(BlockType.PICTURE, "Ducks")]


def markdown_of_chart(path: Path, chart: str) -> str:
    frame = '<p:graphicFrame><a:graphic><a:graphicData><c:chart r:id="c"/></a:graphicData></a:graphic></p:graphicFrame>'
    file = deck(path, slide(frame), parts={"ppt/chart.xml": chart}, links={"c": "chart ppt/chart.xml"})
    return markdown(read(file)[1][0])


def test_points_of_a_scatter_chart_keep_their_own_places(path: Path) -> None:
    def dimension(name: str, *values: str) -> str:
        points = "".join(f"<c:pt idx='{place}'><c:v>{value}</c:v></c:pt>" for place, value in enumerate(values))
        return f"<c:{name}><c:numLit>{points}</c:numLit></c:{name}>"

    def one(name: str, x: str, y: str, size: str) -> str:
        values = dimension("xVal", x) + dimension("yVal", y) + dimension("bubbleSize", size)
        return f"<c:ser><c:tx><c:v>{name}</c:v></c:tx>{values}</c:ser>"

    series = one("Ducks", "1", "10", "5") + one("Geese", "2", "20", "6")
    chart = f"<c:chartSpace {NAMES}><c:chart><c:plotArea><c:bubbleChart>{series}</c:bubbleChart></c:plotArea></c:chart>"

    assert markdown_of_chart(path, f"{chart}</c:chartSpace>") == (
        "||Ducks|Ducks (size)|Geese (x)|Geese|Geese (size)|\n|-|-|-|-|-|-|\n|1|10|5|2|20|6|"
    )


def test_the_data_of_charts_of_2016_is_a_table(path: Path) -> None:
    data = (
        '<cx:data id="0"><cx:strDim type="cat"><cx:lvl><cx:pt idx="0">Leaf</cx:pt><cx:pt idx="1"></cx:pt></cx:lvl>'
        '<cx:lvl><cx:pt idx="0">Branch</cx:pt><cx:pt idx="1">Root</cx:pt></cx:lvl></cx:strDim>'
        '<cx:numDim type="size"><cx:lvl formatCode="0%"><cx:pt idx="0">0.5</cx:pt><cx:pt idx="1">0.25</cx:pt></cx:lvl>'
        "</cx:numDim></cx:data>"
    )
    series = "<cx:series><cx:tx><cx:txData><cx:v>Ducks</cx:v></cx:txData></cx:tx><cx:dataId val='0'/></cx:series>"
    title = "<cx:title><cx:tx><cx:txData><cx:v>By place</cx:v></cx:txData></cx:tx></cx:title>"
    chart = f"<cx:chart>{title}<cx:plotArea><cx:plotAreaRegion>{series}</cx:plotAreaRegion></cx:plotArea></cx:chart>"
    name = "http://schemas.microsoft.com/office/drawing/2014/chartex"
    space = f'<cx:chartSpace xmlns:cx="{name}"><cx:chartData>{data}</cx:chartData>{chart}</cx:chartSpace>'

    assert markdown_of_chart(path, space) == "By place\n\n||Ducks|\n|-|-|\n|Branch Leaf|50%|\n|Root|25%|"


def test_pictures_and_embedded_files_are_named_by_warnings(path: Path) -> None:
    picture = '<p:pic><p:nvPicPr><p:cNvPr id="1" name="x" descr="A duck"/><p:nvPr/></p:nvPicPr></p:pic>'
    frame = "<p:graphicFrame><a:graphic><a:graphicData><p:oleObj/></a:graphicData></a:graphic></p:graphicFrame>"
    [page] = read(deck(path, slide(picture, frame)))[1]

    assert [block.description for block in page.blocks] == ["A duck", ""]
    assert set(page.warnings) == {"pictures_not_read", "embedded_files_not_read"}


def test_equations_are_latex(path: Path) -> None:
    fraction = "<m:f><m:num><m:r><m:t>a</m:t></m:r></m:num><m:den><m:r><m:t>b</m:t></m:r></m:den></m:f>"
    name = "http://schemas.openxmlformats.org/officeDocument/2006/math"
    equation = f'<x:m xmlns:x="urn:a14"><m:oMath xmlns:m="{name}">{fraction}</m:oMath></x:m>'
    line = f"<a:p><a:r><a:t>Let </a:t></a:r>{equation}<a:r><a:t> be small</a:t></a:r></a:p>"
    [page] = read(deck(path, slide(shape(line))))[1]
    assert markdown(page) == "Let $\\frac{a}{b}$ be small"


def test_of_alternatives_the_first_that_says_something_is_read(path: Path) -> None:
    both = f"<mc:Choice>{shape('New')}</mc:Choice><mc:Fallback>{shape('Old')}</mc:Fallback>"
    [page] = read(deck(path, slide(f"<mc:AlternateContent>{both}</mc:AlternateContent>")))[1]
    assert markdown(page) == "New"


@pytest.mark.parametrize(
    ("number", "scheme", "text"),
    [
        (3, "arabicPeriod", "3."),
        (28, "alphaLcParenR", "bb)"),
        (14, "romanUcPeriod", "XIV."),
        (2, "arabicParenBoth", "(2)"),
    ],
)
def test_numbers_are_written_in_their_scheme(number: int, scheme: str, text: str) -> None:
    assert written(number, scheme) == text
