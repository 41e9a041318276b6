"""Web pages become the blocks that a person sees, and their hidden parts stay out unless they are asked for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from apps.pages.model.blocks import Block, BlockType, Page
from apps.pages.model.document_facts import DocumentFacts
from apps.pages.model.errors import TooManyElements
from apps.pages.model.office_options import OfficeOptions
from apps.pages.model.text.safe_text import MAX_TEXT_CHARACTERS
from apps.pages.output.render import RenderOptions, page_markdown, rows_of
from apps.pages.reading.page_reading import inspect_document, read_pages

Read = Callable[..., tuple[DocumentFacts, list[Page]]]
LINKS = RenderOptions(table_format="pipe", links=True)


@pytest.fixture
def read(tmp_path: Path) -> Read:
    def of(content: str | bytes, suffix: str = ".html", **options: bool) -> tuple[DocumentFacts, list[Page]]:
        path = tmp_path / "document"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        office = OfficeOptions(suffix=suffix, **options)
        facts = inspect_document(str(path), max_pages=100, office=office)
        results = read_pages(str(path), range(1, facts.page_count + 1), media_type=facts.media_type, office=office)
        return facts, [page for page in results if isinstance(page, Page)]

    return of


def texts(page: Page) -> list[str]:
    return [block.text for block in page.blocks]


def table_of(page: Page) -> Block:
    [table] = [block for block in page.blocks if block.type is BlockType.TABLE]
    return table


def test_headings_paragraphs_quotations_and_code_are_blocks_of_their_own(read: Read) -> None:
    facts, [page] = read(
        "<!doctype html><title>A  report</title><h2>One</h2>text<p>more<br>lines<blockquote>said</blockquote>"
        "<pre class=language-py>\nif x:\n    y</pre><figure><img alt='a cat'><figcaption>Cat</figcaption></figure>"
    )

    assert (facts.media_type, facts.title) == ("text/html", "A report")
    assert [(block.type.value, block.text or block.description, block.level) for block in page.blocks] == [
        ("heading", "One", 2),
        ("paragraph", "text", 0),
        ("paragraph", "more\nlines", 0),
        ("paragraph", "said", 1),
        ("code", "if x:\n    y", 0),
        ("picture", "a cat", 0),
        ("caption", "Cat", 0),
    ]
    assert page.warnings == ("pictures_not_read",)


def test_nested_lists_keep_their_levels_and_numbers(read: Read) -> None:
    _facts, [page] = read(
        "<ol start=3><li>c<ul><li><p>x</p><p>y</p></ul><li value=9>i</ol><ol type=i><li>one<li>two</ol>"
        "<dl><dt>term<dd>meaning</dl><ul><li><input type=checkbox checked> done</ul>"
    )

    assert [(block.level, block.marker, block.text) for block in page.blocks] == [
        (1, "3.", "c"),
        (2, "-", "x y"),
        (1, "9.", "i"),
        (1, "i.", "one"),
        (1, "ii.", "two"),
        (1, "-", "term"),
        (2, "-", "meaning"),
        (1, "[x]", "done"),
    ]


def test_emphasis_and_links_are_kept_and_dangerous_addresses_are_not(read: Read) -> None:
    _facts, [page] = read(
        "<base href='https://x.example/a/'><p><b>bold</b> <a href='b'>near</a>, <a href='javascript:run()'>no</a>, "
        "H<sub>2</sub>O, <code>f()</code>, <s>old</s>"
    )

    assert page_markdown(page.blocks, LINKS) == (
        "**bold** [near](https://x.example/a/b), no, H<sub>2</sub>O, `f()`, ~~old~~"
    )


def test_cells_have_the_places_that_spans_give_them(read: Read) -> None:
    _facts, [page] = read(
        "<table><caption>Ducks</caption><tfoot><tr><td>end</tfoot><tr><th rowspan=2>a<th colspan=2>b"
        "<tr><td>c<td><ul><li>d<li>e</ul><tr><td rowspan=0>f</table>"
    )

    assert [(cell.row, cell.column, cell.row_span, cell.column_span, cell.text) for cell in table_of(page).cells] == [
        (0, 0, 2, 1, "a"),
        (0, 1, 1, 2, "b"),
        (1, 1, 1, 1, "c"),
        (1, 2, 1, 1, "- d\n- e"),
        (2, 0, 2, 1, "f"),
        (3, 1, 1, 1, "end"),
    ]
    assert page.blocks[0].text == "Ducks"


def test_a_table_in_a_cell_is_its_lines_and_one_for_layout_is_none(read: Read) -> None:
    _facts, [page] = read(
        "<table role=presentation><tr><td><h1>News</h1><td>Text</table>"
        "<table><tr><td>A<td><table><tr><td>1<td>2<tr><td>3<td>4</table></table>"
    )

    assert texts(page)[:2] == ["News", "Text"]
    assert [[cell.text for cell in row] for row in rows_of(table_of(page).cells)] == [["A", "1 2\n3 4"]]


@pytest.mark.parametrize(
    ("option", "more"),
    [
        ({}, {"menu", "bar"}),
        ({"all_elements_visible": True}, {"menu", "bar", "secret", "gone"}),
        ({"no_navigation": True}, {"bar"}),
        ({"no_fixed_elements": True}, {"menu"}),
    ],
)
def test_what_is_hidden_fixed_or_navigation_follows_the_options(
    read: Read, option: dict[str, bool], more: set[str]
) -> None:
    _facts, [page] = read(
        "<html><script>run()</script><style>p{}</style><nav>menu</nav><div style='position: fixed'>bar</div>"
        "<p hidden>secret</p><p style='color:red;display:none'>gone</p><p>seen</p><noscript>no</noscript>",
        **option,
    )

    assert set(texts(page)) == {"seen"} | more


def test_values_of_forms_are_read(read: Read) -> None:
    _facts, [page] = read(
        "<form><label>Name <input value=Ann></label><input type=hidden value=token>"
        "<input type=password value=pw><select><option>a<option selected>b</select><textarea>note</textarea></form>"
    )

    assert texts(page) == ["Name Ann b", "note"]


@pytest.mark.parametrize(
    ("encoding", "declared"),
    [
        ("utf-16", "<meta charset=utf-8>"),
        ("utf-8", "<meta charset=utf-16>"),
        ("cp1251", "<meta content=text/html; charset = windows-1251 http-equiv=Content-Type>"),
        ("utf-8-sig", ""),
    ],
)
def test_the_encoding_is_found(read: Read, encoding: str, declared: str) -> None:
    facts, [page] = read(f"<html>{declared}<p>Привет, мир</p>".encode(encoding))

    assert (texts(page), facts.warnings) == (["Привет, мир"], ())


def test_a_web_page_is_known_by_its_content(read: Read) -> None:
    facts, [page] = read("<?xml version='1.0'?><!-- x --><!DOCTYPE html><p>Hello", ".txt")

    assert (facts.media_type, texts(page)) == ("text/html", ["Hello"])


def test_a_long_web_page_is_divided_at_headings(read: Read) -> None:
    chapter = "<h1>Chapter</h1>" + "<p>word word word word word</p>" * 3_000
    _facts, pages = read("<html>" + chapter * 6)

    assert len(pages) > 1
    assert all(page.blocks[0].text == "Chapter" for page in pages)
    assert all(sum(map(len, texts(page))) <= MAX_TEXT_CHARACTERS for page in pages)
    assert sum(texts(page).count("word word word word word") for page in pages) == 18_000


def test_elements_nested_deeply_are_read_as_text(read: Read) -> None:
    _facts, [page] = read("<html>" + "<div>" * 1_000 + "deep<script>no</script>" + "</div>" * 1_000)

    assert texts(page) == ["deep"]
    with pytest.raises(TooManyElements, match="deeply"):
        read("<html>" + "<div>" * 5_000 + "deep")


def test_spans_and_rows_without_end_are_bounded(read: Read) -> None:
    _facts, [page] = read("<html><table>" + "<tr><td rowspan=65534 colspan=65534>x" * 50 + "</table>")
    assert max(cell.column + cell.column_span for cell in table_of(page).cells) <= 500
    with pytest.raises(TooManyElements):
        read("<html>" + "<br>" * 2_000_001)


def test_markdown_has_its_blocks(read: Read) -> None:
    facts, [page] = read(
        "---\ntitle: x\n---\n# Head\n\nA *b* [c](https://d.example)\n\n1. one\n   - two\n- [ ] open\n\n"
        "| a | b |\n|---|---|\n| 1 | `2` |\n\n```py\nx = 1\n```\n\n<div>raw</div>\n\n![alt](https://x.example/i.png)\n",
        ".md",
    )

    assert facts.media_type == "text/markdown"
    assert page_markdown(page.blocks, LINKS) == (
        "```\ntitle: x\n```\n\n# Head\n\nA *b* [c](https://d.example)\n\n1. one\n    - two\n- [ ] open\n\n"
        "| a | b |\n| --- | --- |\n| 1 | `2` |\n\n```\nx = 1\n```\n\nraw\n\n![alt]()"
    )


def test_asciidoc_has_its_blocks(read: Read) -> None:
    facts, [page] = read(
        "= Title\n:toc:\n\nSome *bold* text\nhttps://x.example[there].\n\ninclude::other.adoc[]\n\n* one\n"
        "** two\n. 1st\n\n----\nx <- 1\n----\n\n.Ducks\n|===\n|Name |Colour\n\n|Wood\n|brown\n|===\n",
        ".adoc",
    )

    assert facts.media_type == "text/asciidoc"
    assert page_markdown(page.blocks, LINKS) == (
        "# Title\n\nSome **bold** text [there](https://x.example).\n\ninclude::other.adoc[]\n\n- one\n"
        "    - two\n1. 1st\n\n```\nx <- 1\n```\n\nDucks\n\n| Name | Colour |\n| --- | --- |\n| Wood | brown |"
    )


def test_org_has_its_blocks(read: Read) -> None:
    facts, [page] = read(
        '#+TITLE: Plan\n#+INCLUDE: "other.org"\n* TODO Head :tag:\nText /it/ [[https://x.example][there]]\n\n'
        "- one\n  more\n  1. two\n\n| a | b |\n|---+---|\n| 1 | 2 |\n\n#+BEGIN_SRC sh\nls\n#+END_SRC\n",
        ".org",
    )

    assert (facts.media_type, facts.title) == ("text/org", "Plan")
    assert page_markdown(page.blocks, LINKS) == (
        "# Plan\n\n# Head\n\nText *it* [there](https://x.example)\n\n- one more\n    1. two\n\n"
        "| a | b |\n| --- | --- |\n| 1 | 2 |\n\n```\nls\n```"
    )


def test_many_marks_in_a_line_are_read_in_time(read: Read) -> None:
    _facts, [page] = read("~a~ *b* " * 5_000, ".org")

    assert texts(page)[0].startswith("a b a b")


def test_text_in_symbol_fonts_is_written_in_unicode(read: Read) -> None:
    page = (
        "<p>Thanks <span style='font-family:Wingdings'>J<span style='font-family:Arial'>J</span></span>, "
        "<b><font face='Symbol'>D</font>t</b></p>"
    )
    [found] = read(page)[1]

    assert texts(found) == ["Thanks ☺J, Δt"]
    assert [(span.start, span.end) for span in found.blocks[0].spans if span.bold] == [(11, 12), (12, 13)]
