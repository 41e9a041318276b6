"""A docx becomes the blocks that its styles, lists, tables and notes say."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from apps.pages.model.blocks import BlockType, Page, Revision
from apps.pages.model.document_facts import DocumentFacts
from apps.pages.model.errors import DamagedDocument, EncryptedDocument
from apps.pages.model.office_options import OfficeOptions
from apps.pages.output.render import RenderOptions, grid_of, page_markdown
from apps.pages.reading.page_reading import inspect_document, read_pages
from tests.unit.pages.office.office_files import WORD_TYPES, docx, encrypted, p


def read(path: Path, password: str | None = None, *, revisions: bool = False) -> tuple[DocumentFacts, list[Page]]:
    office = OfficeOptions(suffix=".docx", revisions=revisions)
    facts = inspect_document(str(path), password=password, max_pages=1_000, office=office)
    numbers = range(1, facts.page_count + 1)
    found = read_pages(str(path), numbers, password=password, media_type=facts.media_type, office=office)
    pages = [page for page in found if isinstance(page, Page)]
    assert len(pages) == facts.page_count
    return facts, pages


def markdown(path: Path) -> str:
    _facts, pages = read(path)
    options = RenderOptions(links=True, table_format="pipe")
    return "\n\n".join(page_markdown(page.blocks, options) for page in pages)


def style(identity: str, name: str, inside: str = "", kind: str = "paragraph") -> str:
    return f'<w:style w:type="{kind}" w:styleId="{identity}"><w:name w:val="{name}"/>{inside}</w:style>'


def item(text: str, number: int, level: int = 0) -> str:
    return p(text, f'<w:numPr><w:ilvl w:val="{level}"/><w:numId w:val="{number}"/></w:numPr>')


def table(*rows: str, properties: str = "") -> str:
    return f"<w:tbl>{properties}" + "".join(f"<w:tr>{row}</w:tr>" for row in rows) + "</w:tbl>"


def cell(inside: str, properties: str = "") -> str:
    return f"<w:tc><w:tcPr>{properties}</w:tcPr>{inside}</w:tc>"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "letter.docx"


def test_headings_are_known_by_style_by_outline_and_by_what_a_style_is_based_on(path: Path) -> None:
    styles = (
        style("berschrift1", "heading 1")
        + style("Own", "Chapter", '<w:basedOn w:val="berschrift1"/>')
        + style("Outline", "Part", '<w:pPr><w:outlineLvl w:val="1"/></w:pPr>')
    )
    body = "".join(p(name, f'<w:pStyle w:val="{name}"/>') for name in ("berschrift1", "Own", "Outline"))
    docx(path, body + p("Body", '<w:outlineLvl w:val="9"/>') + p("Deep", '<w:outlineLvl w:val="7"/>'), styles=styles)

    _facts, [page] = read(path)
    assert [(block.type, block.level) for block in page.blocks] == [
        (BlockType.HEADING, 1),
        (BlockType.HEADING, 1),
        (BlockType.HEADING, 2),
        (BlockType.PARAGRAPH, 0),
        (BlockType.HEADING, 6),
    ]


def test_headings_are_below_the_title(path: Path) -> None:
    styles = style("T", "Title") + style("H", "heading 1")
    docx(path, p("Report", '<w:pStyle w:val="T"/>') + p("Scope", '<w:pStyle w:val="H"/>'), styles=styles)
    assert markdown(path) == "# Report\n\n## Scope"


def test_lists_have_their_numbers_also_when_they_are_resumed(path: Path) -> None:
    levels = (
        '<w:lvl w:ilvl="0"><w:start w:val="1"/><w:numFmt w:val="decimal"/><w:lvlText w:val="%1."/></w:lvl>'
        '<w:lvl w:ilvl="1"><w:start w:val="1"/><w:numFmt w:val="lowerLetter"/><w:lvlText w:val="%1.%2)"/></w:lvl>'
    )
    bullets = '<w:lvl w:ilvl="0"><w:numFmt w:val="bullet"/><w:lvlText w:val="\uf0b7"/></w:lvl>'
    numbering = (
        f'<w:abstractNum w:abstractNumId="0">{levels}</w:abstractNum>'
        f'<w:abstractNum w:abstractNumId="1">{bullets}</w:abstractNum>'
        '<w:num w:numId="1"><w:abstractNumId w:val="0"/></w:num><w:num w:numId="2"><w:abstractNumId w:val="1"/></w:num>'
        '<w:num w:numId="3"><w:abstractNumId w:val="0"/><w:lvlOverride w:ilvl="0"><w:startOverride w:val="7"/>'
        "</w:lvlOverride></w:num>"
    )
    body = item("one", 1) + item("inner", 1, 1) + item("next", 1, 1) + item("dot", 2) + item("two", 1)
    body += item("again", 1, 1) + p("Between") + item("three", 1) + item("seven", 3)
    docx(path, body, numbering=numbering)

    _facts, [page] = read(path)
    markers = [block.marker for block in page.blocks if block.type is BlockType.LIST_ITEM]
    assert markers == ["1.", "1.a)", "1.b)", "-", "2.", "2.a)", "3.", "7."]
    assert [block.level for block in page.blocks if block.marker][:3] == [1, 2, 2]


def test_tables_have_merged_cells_header_rows_and_the_text_of_tables_in_them(path: Path) -> None:
    inner = table(cell(p("x")) + cell(p("y")), cell(p("z")) + cell(p("w")))
    rows = (
        cell(p("Wide"), '<w:gridSpan w:val="2"/>') + cell(p("C")),
        cell(p("Tall"), '<w:vMerge w:val="restart"/>') + cell(p("b") + p("second line")) + cell(inner + p("")),
        cell(p(""), "<w:vMerge/>") + cell(p("e")) + cell(p("f")),
    )
    look = '<w:tblPr><w:tblLook w:val="0020"/></w:tblPr>'
    docx(path, table(*rows, properties=look))

    _facts, [page] = read(path)
    cells = {cell.text: cell for cell in page.blocks[0].cells}
    assert (cells["Wide"].column_span, cells["Tall"].row_span) == (2, 2)
    assert [cell.header for cell in page.blocks[0].cells] == [True] * 2 + [False] * 5
    assert grid_of(page.blocks[0].cells)[1:] == [["Tall", "b\nsecond line", "x | y\nz | w"], ["", "e", "f"]]


def test_a_table_of_one_cell_is_its_content(path: Path) -> None:
    docx(path, table(cell(p("In a frame"))))
    assert markdown(path) == "In a frame"


def test_text_is_set_apart_and_links_lead_where_they_should(path: Path) -> None:
    field = (
        '<w:r><w:fldChar w:fldCharType="begin"/></w:r><w:r>'
        '<w:instrText> HYPERLINK "https://example.com/x" </w:instrText>'
        '</w:r><w:r><w:fldChar w:fldCharType="separate"/></w:r><w:r><w:t>field</w:t></w:r>'
        '<w:r><w:fldChar w:fldCharType="end"/></w:r>'
    )
    runs = (
        '<w:r><w:rPr><w:b/></w:rPr><w:t xml:space="preserve">bold </w:t></w:r>'
        '<w:r><w:rPr><w:i/><w:strike/></w:rPr><w:t>gone</w:t></w:r><w:r><w:t xml:space="preserve"> H</w:t></w:r>'
        '<w:r><w:rPr><w:vertAlign w:val="subscript"/></w:rPr><w:t>2</w:t></w:r>'
        '<w:r><w:t xml:space="preserve">O </w:t></w:r>'
        '<w:hyperlink r:id="link"><w:r><w:t>link</w:t></w:r></w:hyperlink><w:r><w:t xml:space="preserve"> </w:t></w:r>'
    )
    docx(path, f"<w:p>{runs}{field}</w:p>")
    expected = "**bold** ~~*gone*~~ H<sub>2</sub>O [link](https://example.org/) [field](https://example.com/x)"
    assert markdown(path) == expected


def test_a_link_that_runs_a_program_is_text(path: Path) -> None:
    docx(path, '<w:p><w:hyperlink r:id="link"><w:r><w:t>a</w:t></w:r></w:hyperlink></w:p>', link="javascript:alert(1)")
    assert markdown(path) == "a"


def test_tracked_changes_give_the_final_text_and_are_listed_when_asked_for(path: Path) -> None:
    comments = '<w:comment w:id="0" w:author="Bo"><w:p><w:r><w:t>Why?</w:t></w:r></w:p></w:comment>'
    body = (
        '<w:p><w:r><w:t xml:space="preserve">We </w:t></w:r>'
        '<w:del w:author="Ann"><w:r><w:delText>may</w:delText></w:r></w:del>'
        '<w:ins w:author="Ann"><w:r><w:t>must</w:t></w:r></w:ins><w:r><w:t xml:space="preserve"> </w:t></w:r>'
        '<w:commentRangeStart w:id="0"/><w:r><w:t>pay</w:t></w:r><w:commentRangeEnd w:id="0"/>'
        '<w:r><w:commentReference w:id="0"/></w:r></w:p>'
    )
    docx(path, body, comments=comments)

    facts, [page] = read(path)
    assert (page.blocks[0].text, page.revisions, facts.warnings) == ("We must pay", (), ("comments_left_out",))
    facts, [page] = read(path, revisions=True)
    assert page.revisions == (
        Revision("deleted", "may", author="Ann"),
        Revision("inserted", "must", author="Ann"),
        Revision("comment", "Why?", "pay", "Bo"),
    )
    assert facts.warnings == ()


def test_notes_are_on_the_page_that_refers_to_them(path: Path) -> None:
    body = (
        '<w:p><w:r><w:t>Fact</w:t></w:r><w:r><w:footnoteReference w:id="5"/></w:r>'
        '<w:r><w:br w:type="page"/></w:r></w:p>'
        '<w:p><w:r><w:t>More</w:t></w:r><w:r><w:endnoteReference w:id="2"/></w:r></w:p>'
    )
    note = '<w:{kind} w:id="{number}"><w:p><w:r><w:t>{text}</w:t></w:r></w:p></w:{kind}>'
    docx(
        path,
        body,
        footnotes=note.format(kind="footnote", number=5, text="Source"),
        endnotes=note.format(kind="endnote", number=2, text="Thanks"),
    )

    _facts, [first, second] = read(path)
    assert [(block.type, block.text) for block in first.blocks] == [("paragraph", "Fact1"), ("footnote", "1 Source")]
    assert [block.text for block in second.blocks] == ["Morei", "i Thanks"]
    assert first.blocks[0].spans[0].level == 1


def test_pages_end_where_the_program_broke_them(path: Path) -> None:
    body = (
        p("One")
        + '<w:p><w:r><w:br w:type="page"/></w:r></w:p><w:p/>'
        + "<w:p><w:r><w:lastRenderedPageBreak/><w:t>Two</w:t></w:r></w:p>"
        + p("Three", "<w:pageBreakBefore/>")
        + '<w:p><w:pPr><w:sectPr><w:pgSz w:w="12240" w:h="15840"/></w:sectPr></w:pPr></w:p>'
        + p("Four")
        + '<w:sectPr><w:pgSz w:w="16838" w:h="11906"/></w:sectPr>'
    )
    docx(path, body)

    _facts, pages = read(path)
    assert [[block.text for block in page.blocks] for page in pages] == [["One"], ["Two"], ["Three"], ["Four"]]
    assert [(page.width, page.height) for page in pages[2:]] == [(612.0, 792.0), (841.9, 595.3)]


def test_a_long_text_without_pages_is_divided(path: Path) -> None:
    docx(path, "".join(p(f"{number} " + "word " * 100) for number in range(30)))
    _facts, pages = read(path)
    assert 4 <= len(pages) <= 6
    assert [block.text.split()[0] for page in pages for block in page.blocks] == list(map(str, range(30)))


def test_headers_and_footers_are_those_of_the_page(path: Path) -> None:
    section = '<w:sectPr><w:headerReference w:type="first" r:id="header"/>'
    section += '<w:footerReference w:type="default" r:id="footer"/><w:titlePg/></w:sectPr>'
    body = p("One") + p("Two", "<w:pageBreakBefore/>") + section
    docx(path, body, header=p("Confidential"), footer=p("Page x"))

    _facts, pages = read(path)
    assert [[(block.type, block.text) for block in page.blocks] for page in pages] == [
        [("page_header", "Confidential"), ("paragraph", "One")],
        [("paragraph", "Two"), ("page_footer", "Page x")],
    ]


def test_text_boxes_of_either_kind_are_read_once(path: Path) -> None:
    box = f"<w:txbxContent>{p('In the box')}</w:txbxContent>"
    both = (
        f"<mc:AlternateContent><mc:Choice><w:drawing><wp:anchor>{box}</wp:anchor></w:drawing></mc:Choice>"
        f"<mc:Fallback><w:pict><v:textbox>{box}</v:textbox></w:pict></mc:Fallback></mc:AlternateContent>"
    )
    old = f"<w:pict><v:shape><v:textbox>{box.replace('the', 'the old')}</v:textbox></v:shape></w:pict>"
    docx(path, f"<w:p><w:r><w:t>Beside</w:t>{both}{old}</w:r></w:p>")
    assert markdown(path) == "Beside\n\nIn the box\n\nIn the old box"


def test_a_picture_has_its_description_and_a_warning_that_it_is_not_read(path: Path) -> None:
    drawing = (
        '<w:drawing><wp:inline><wp:docPr id="1" name="x" descr="A red bird"/><a:blip/><pic/></wp:inline></w:drawing>'
    )
    docx(path, f"<w:p><w:r>{drawing}</w:r></w:p>")

    _facts, [page] = read(path)
    assert (page.blocks[0].type, page.blocks[0].description) == (BlockType.PICTURE, "A red bird")
    assert page.warnings == ("pictures_not_read",)


def test_content_controls_and_hidden_text(path: Path) -> None:
    hidden = "<w:p><w:r><w:rPr><w:vanish/></w:rPr><w:t>secret</w:t></w:r><w:r><w:t>shown</w:t></w:r></w:p>"
    docx(path, f"<w:sdt><w:sdtContent>{p('Inside')}</w:sdtContent></w:sdt>{hidden}")

    _facts, [page] = read(path)
    assert [block.text for block in page.blocks] == ["Inside", "shown"]
    assert (page.hidden, page.warnings) == (("secret",), ("hidden_text",))


def test_lines_in_a_font_of_typewriters_are_one_block_of_code(path: Path) -> None:
    font = '<w:rPr><w:rFonts w:ascii="Courier New"/></w:rPr>'
    lines = "".join(
        f'<w:p><w:r>{font}<w:t xml:space="preserve">{line}</w:t></w:r></w:p>' for line in ("if x:", "    y(1)")
    )
    docx(path, lines.replace("if x:", "if x == 1:") + p("Prose"))
    assert markdown(path) == "```\nif x == 1:\n    y(1)\n```\n\nProse"


def run(text: str) -> str:
    return f"<m:r><m:t>{text}</m:t></m:r>"


@pytest.mark.parametrize(
    ("equation", "latex"),
    [
        (f"<m:f><m:num>{run('a')}</m:num><m:den>{run('π')}</m:den></m:f>", r"\frac{a}{\pi }"),
        (f"<m:sSup><m:e>{run('x+y')}</m:e><m:sup>{run('2')}</m:sup></m:sSup>", "{x+y}^{2}"),
        (f'<m:rad><m:radPr><m:degHide m:val="1"/></m:radPr><m:deg/><m:e>{run("2")}</m:e></m:rad>', r"\sqrt{2}"),
        (
            (
                f'<m:nary><m:naryPr><m:chr m:val="∑"/></m:naryPr><m:sub>{run("i=1")}</m:sub><m:sup>{run("n")}</m:sup>'
                f"<m:e>{run('i')}</m:e></m:nary>"
            ),
            r"\sum_{i=1}^{n}{i}",
        ),
        (
            (
                f'<m:d><m:dPr><m:begChr m:val="["/><m:endChr m:val="]"/></m:dPr><m:e><m:m><m:mr><m:e>{run("a")}</m:e>'
                f"<m:e>{run('b')}</m:e></m:mr></m:m></m:e></m:d>"
            ),
            r"\left[ \begin{matrix}a & b\end{matrix}\right]",
        ),
        (f"<m:func><m:fName>{run('sin')}</m:fName><m:e>{run('𝑥')}</m:e></m:func>", r"\sin{x}"),
        (run("50% of {x}"), r"50\% of \{x\}"),
    ],
)
def test_equations_are_latex(path: Path, equation: str, latex: str) -> None:
    docx(path, f"<w:p><m:oMathPara><m:oMath>{equation}</m:oMath></m:oMathPara></w:p>")
    _facts, [page] = read(path)
    assert page.blocks[0].latex == latex


def test_an_equation_in_a_sentence_stays_in_it(path: Path) -> None:
    docx(path, f"<w:p><w:r><w:t>So </w:t></w:r><m:oMath>{run('x≤1')}</m:oMath><w:r><w:t> holds</w:t></w:r></w:p>")
    assert markdown(path) == r"So $x\le 1$ holds"


def test_a_strict_document_is_read_like_others(path: Path) -> None:
    docx(path, p("Strict", '<w:pStyle w:val="H"/>'), styles=style("H", "heading 2"))
    strict = path.with_name("strict.docx")
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(strict, "w") as new:
        for name in old.namelist():
            content = old.read(name).replace(
                b"http://schemas.openxmlformats.org/wordprocessingml/2006/main",
                b"http://purl.oclc.org/ooxml/wordprocessingml/main",
            )
            new.writestr(name, content)
    assert markdown(strict) == "## Strict"


def test_a_document_with_a_password_opens_with_it(path: Path) -> None:
    path.write_bytes(encrypted("".join(p(str(number * 7919)) for number in range(3_000)), path))

    with pytest.raises(EncryptedDocument):
        read(path)
    _facts, pages = read(path, "right")
    assert pages[0].blocks[1].text == "7919"


def test_lines_of_a_paragraph_are_no_markup(path: Path) -> None:
    docx(path, "<w:p><w:r><w:t>One</w:t><w:br/><w:t># two</w:t></w:r></w:p>")
    assert markdown(path) == "One\n\\# two"


def test_an_empty_document_has_one_empty_page(path: Path) -> None:
    _facts, [page] = read(docx(path, "<w:p/>"))
    assert page.blocks == ()


def test_a_document_without_its_text_is_damaged(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("[Content_Types].xml", WORD_TYPES)
    with pytest.raises(DamagedDocument, match="no text part"):
        read(path)


def test_what_is_nested_too_deeply_is_cut_with_a_warning(path: Path) -> None:
    inside = p("innermost")
    for _ in range(10):
        inside = table(cell(inside) + cell(p("x")))
    _facts, [page] = read(docx(path, inside))

    assert "innermost" not in str(page.blocks)
    assert page.warnings == ("text_truncated",)


def test_text_in_symbol_fonts_is_written_in_unicode(path: Path) -> None:
    def run(text: str, font: str) -> str:
        fonts = f'<w:rPr><w:rFonts w:ascii="{font}" w:hAnsi="{font}"/></w:rPr>'
        return f'<w:r>{fonts}<w:t xml:space="preserve">{text}</w:t></w:r>'

    runs = run("10 ", "Arial") + run("m", "Symbol") + run("g \uf0b3 ", "Symbola") + run("\uf0b3\uf061", "Symbol")
    runs += run(" J", "Wingdings") + '<w:r><w:sym w:font="Wingdings 2" w:char="F050"/></w:r>'

    assert markdown(docx(path, f"<w:p>{runs}</w:p>")) == "10 μg \uf0b3 ≥α ☺✓"
