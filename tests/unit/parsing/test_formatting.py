"""Inline formatting of an answer reaches Markdown, items and JSON; nothing in an answer can run or be fetched."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.pages.model.blocks import Block, BlockType, Line, Page, TextSpan
from apps.pages.model.geometry import Box
from apps.pages.output import items
from apps.pages.output.render import RenderOptions, page_markdown
from apps.parsing.answers.drafts import Draft
from apps.parsing.answers.parse_answer import end_line, parsed_page, read_answer

MARK = "7f3a"
PLACE = Box(50, 250, 300, 262)
WITH_LINKS = RenderOptions(links=True)


def read(markdown: str) -> list[Draft]:
    return read_answer(f"{markdown}\n{end_line(MARK)}", marker=MARK)


def page_of(*blocks: Block) -> Page:
    return Page(1, 400, 600, blocks=blocks)


def line_of(text: str, box: Box = PLACE, **fields: object) -> Block:
    return Block(BlockType.PARAGRAPH, box, text, lines=(Line(text, box),), **fields)  # type: ignore[arg-type]


def parsed(page: Page, markdown: str) -> tuple[Block, ...]:
    return parsed_page(page, f"{markdown}\n{end_line(MARK)}", marker=MARK).blocks


@pytest.mark.parametrize(
    "markdown",
    [
        "The sum is **41.50 EUR** today",
        "*Quercus robur* is an oak",
        "~~old~~ new",
        "**bold and *italic* inside**",
        "Run `make test` first",
        "10<sup>6</sup> of H<sub>2</sub>O",
        "Energy $E = mc^2$ and $x_{1} * y_{2} * z$",
        "$$ \\frac{a}{b} + c_1 $$",
        "- an item with **weight**",
        "1. a number with *slant*",
        "<table><tr><th>Sum</th><td><b>4</b> <s>5</s> m<sup>2</sup></td></tr></table>",
        "See [the report](https://example.org/report) now",
    ],
)
def test_formatting_survives_as_it_is_written(markdown: str) -> None:
    page = page_of(line_of("See https://example.org/report"))
    assert page_markdown(parsed(page, markdown), WITH_LINKS) == markdown


@pytest.mark.parametrize(
    ("answer", "markdown"),
    [
        ("__bold__ and _italic_", "**bold** and *italic*"),
        ("<b>bold <i>both</b> italic</i>", "**bold *both*** *italic*"),
        ("<strong>a</strong> <em>b</em> <del>c</del> <kbd>d</kbd>", "**a** *b* ~~c~~ `d`"),
        ("\\(a_1 + b\\) is \\[x^2\\]", "$a_1 + b$ is $$x^2$$"),
        ("\\[\nx = y\n\\]", "$$ x = y $$"),
        ("$$\na\n+ b\n- c\n$$", "$$ a + b - c $$"),
        ("It costs $5 and $6, or $7-$8", "It costs $5 and $6, or $7-$8"),
        ("**over\ntwo lines**", "**over two lines**"),
        ("a **split-\nted** word", "a **splitted** word"),
        ("<p>An <u>under</u> <b>line</b></p>", "An under **line**"),
        ("# A **title**", "# A title"),
        ("| a |\n|---|\n| **b** |", "<table><tr><th>a</th></tr><tr><td><b>b</b></td></tr></table>"),
    ],
)
def test_other_spellings_of_formatting_are_understood(answer: str, markdown: str) -> None:
    assert page_markdown(parsed(page_of(), answer), WITH_LINKS) == markdown


def test_items_have_the_formatting_in_md_and_none_in_value() -> None:
    [item] = items.items_of(parsed(page_of(), "Total **41.50**"), RenderOptions())
    assert (item["md"], item["value"]) == ("Total **41.50**", "Total 41.50")


def test_an_attribute_with_an_angle_bracket_is_no_text() -> None:
    [table] = read('<table><tr><td title="a>b">cell</td><td>next</td></tr></table>')
    assert [cell.text for cell in table.cells] == ["cell", "next"]


@pytest.mark.parametrize(
    "address",
    ["javascript:alert(1)", "JaVaScRiPt:alert(1)", "data:text/html,x", "vbscript:x", "file:///etc/passwd", "//evil"],
)
@pytest.mark.parametrize("form", ["[click]({})", '<a href="{}">click</a>', "<table><tr><td><a href='{}'>click</a>"])
def test_an_address_that_a_browser_would_run_is_left_out(form: str, address: str) -> None:
    written = page_markdown(parsed(page_of(), form.format(address)), WITH_LINKS)
    assert "click" in written
    assert "href" not in written
    assert "](" not in written.replace("\\]", "")


def test_a_link_is_kept_only_if_the_page_has_its_address() -> None:
    page = page_of(line_of("Read more at www.example.org/a or ask us"))
    answer = "Read more at [www.example.org/a](https://www.example.org/a/) or [ask us](https://evil.example/?q=secret)"
    assert page_markdown(parsed(page, answer), WITH_LINKS) == (
        "Read more at [www.example.org/a](https://www.example.org/a/) or ask us"
    )


def test_links_that_a_picture_does_not_show_come_from_the_page() -> None:
    spans = (TextSpan(5, 9, url="https://example.org/x"),)
    page = page_of(line_of("Read more here", spans=spans))
    written = page_markdown(parsed(page, "Read **more here**"), WITH_LINKS)
    assert written == "Read [**more**](https://example.org/x) **here**"


def test_the_description_of_a_picture_goes_to_the_picture_of_the_page() -> None:
    picture = Block(BlockType.PICTURE, Box(50, 300, 300, 400))
    page = page_of(line_of("Sales by year"), picture, line_of("Costs by year", Box(50, 420, 300, 432)))
    blocks = parsed(page, "Sales by year\n\n![A chart of *sales*](http://tracker.example/x.png)\n\nCosts by year")
    assert page_markdown(blocks, RenderOptions()) == "Sales by year\n\n![A chart of sales]()\n\nCosts by year"
    image = items.items_of(blocks, RenderOptions())[1]
    assert (image["type"], image["caption"], image["md"]) == ("image", "A chart of sales", "![A chart of sales]()")
    assert [image["bbox"][0][side] for side in ("x", "y", "w", "h")] == [50, 300, 250, 100]


def test_a_picture_that_the_page_does_not_know_keeps_its_description() -> None:
    page = page_of(line_of("Above"), line_of("Below", Box(50, 420, 300, 432)))
    blocks = parsed(page, "Above\n\n<img src='http://tracker.example' alt='A curve' onerror='x()'>\n\nBelow")
    assert page_markdown(blocks, RenderOptions()) == "Above\n\n![A curve]()\n\nBelow"


@pytest.mark.parametrize(
    "formula",
    [
        "$<img src=x onerror=alert(1)> = x$",
        "$$<script>alert(1)</script>_1$$",
        "$[a](javascript:alert(1))^2$",
        "$a`b`=c$",
    ],
)
def test_nothing_in_a_formula_is_a_tag_or_a_link(formula: str) -> None:
    written = page_markdown(parsed(page_of(), formula), WITH_LINKS)
    again = read(written)
    assert "<img" not in written
    assert "<script" not in written
    assert "](" not in written
    assert all(not span.url for draft in again for span in draft.spans)


STYLES = st.fixed_dictionaries({}, optional={"bold": st.just(True), "italic": st.just(True), "struck": st.just(True)})
WORDS = st.text("abcäЖ中1", min_size=1, max_size=4)


@given(st.lists(st.tuples(WORDS, STYLES), min_size=1, max_size=6))
@settings(max_examples=300, deadline=None)
def test_words_keep_their_styles_when_markdown_is_read_again(words: list[tuple[str, dict[str, bool]]]) -> None:
    text = " ".join(word for word, _ in words)
    spans, at = [], 0
    for word, style in words:
        if style:
            spans.append(TextSpan(at, at + len(word), **style))  # type: ignore[arg-type]
        at += len(word) + 1
    [draft] = read(page_markdown([Block(BlockType.PARAGRAPH, PLACE, text, spans=tuple(spans))], RenderOptions()))
    assert draft.text == text
    for kind in ("bold", "italic", "struck"):
        asked = {place for span in spans if getattr(span, kind) for place in range(span.start, span.end)}
        kept = {place for span in draft.spans if getattr(span, kind) for place in range(span.start, span.end)}
        assert {place for place in kept if text[place] != " "} == asked


@pytest.mark.parametrize("between", [" and so on", " [1] [2] [3]"], ids=["letters", "brackets"])
def test_formatting_survives_in_a_long_paragraph(between: str) -> None:
    [draft] = read(("The sum is **41.50 EUR** and *rises*" + between + " of the year. ") * 300)
    bold = [draft.text[span.start : span.end] for span in draft.spans if span.bold]
    assert bold == ["41.50 EUR"] * 300
    assert "*" not in draft.text
