"""A text with spans becomes Markdown or HTML of the same meaning."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from apps.pages.model.blocks import TextSpan
from apps.pages.output import inline_markup
from apps.pages.output.render import paragraph


def marked(text: str, part: str, **look: object) -> tuple[str, tuple[TextSpan, ...]]:
    start = text.index(part)
    return text, (TextSpan(start, start + len(part), **look),)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "part", "look", "expected"),
    [
        ("a bold word", "bold", {"bold": True}, "a **bold** word"),
        ("an italic word", "italic ", {"italic": True}, "an *italic* word"),
        ("no longer five", "five", {"struck": True}, "no longer ~~five~~"),
        ("count 10⁶ of", "⁶", {"level": 1}, "count 10<sup>6</sup> of"),
        ("water H₂O", "₂", {"level": -1}, "water H<sub>2</sub>O"),
        ("call run()", "run()", {"code": True}, "call `run()`"),
        ("see the manual.", "manual", {"url": "https://example.org/a (b)"}, "see the [manual](https://example.org/a%20%28b%29)."),
        ("Note:this one", "Note:", {"bold": True}, "**Note**:this one"),
        ("Leafmill", "Leaf", {"bold": True}, "Leafmill"),
        ("3 * 4 is twelve", "twelve", {"bold": True}, "3 \\* 4 is **twelve**"),
        ("a raised ∗*", "∗*", {"level": 1}, "a raised <sup>∗\\*</sup>"),
        ("<b>bold</b>", "bold", {"bold": True}, "&lt;b>**bold**&lt;/b>"),
        ("漢字太字漢字", "太字", {"bold": True}, "漢字**太字**漢字"),
        ("look!here", "here", {"url": "https://example.org"}, "look\\![here](https://example.org)"),
        ("漢字太字漢字", "太字", {"bold": True, "struck": True}, "漢字~~太字~~漢字"),
        ("a b c", " b ", {"struck": True}, "a ~~b~~ c"),
    ],
)  # fmt: skip
def test_markdown_of_a_span(text: str, part: str, look: dict[str, object], expected: str) -> None:
    assert inline_markup.markdown(*marked(text, part, **look)) == expected


def test_markers_of_several_kinds_are_nested() -> None:
    text = "all bold, this italic too"
    spans = (TextSpan(0, 10, bold=True), TextSpan(10, 21, bold=True, italic=True), TextSpan(22, 25, bold=True))

    assert inline_markup.markdown(text, spans) == "**all bold, *this italic* too**"


def test_a_link_holds_what_is_set_apart_inside_of_it() -> None:
    url = "https://example.org"
    spans = (TextSpan(4, 8, url=url), TextSpan(9, 13, bold=True, url=url))

    assert inline_markup.markdown("see this word", spans) == f"see [this **word**]({url})"
    assert inline_markup.markdown("see this word", spans, links=False) == "see this **word**"


def test_html_has_tags_and_escapes_the_text() -> None:
    spans = (TextSpan(0, 3, bold=True), TextSpan(7, 8, level=1))

    assert inline_markup.html("a<b is 5⁶", spans) == "<b>a&lt;b</b> is <sup>5</sup>⁶"


PIECES = [
    "word",
    "a",
    "*",
    "**",
    "_",
    "`",
    "~~",
    "<b>",
    "&amp;",
    "&",
    "<",
    "[x]",
    "](",
    ")",
    ".",
    "漢字",
    "\\",
    "!",
    "x_y",
]
LOOKS = st.fixed_dictionaries(
    {
        "bold": st.booleans(),
        "italic": st.booleans(),
        "struck": st.booleans(),
        "code": st.booleans(),
        "url": st.sampled_from(["", "http://x.org/(a"]),
    }
)
READER = MarkdownIt("commonmark").enable("strikethrough")


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from([*PIECES, " "]), min_size=2, max_size=9), st.lists(st.tuples(st.integers(1, 6), LOOKS)))
def test_a_reader_of_markdown_finds_the_text_and_no_markers(
    pieces: list[str], stretches: list[tuple[int, dict[str, Any]]]
) -> None:
    text = " ".join("".join(pieces).split())
    spans, at = [], 0
    for length, look in stretches:
        if at + length <= len(text):
            spans.append(TextSpan(at, at + length, **look))
        at += length + 1

    html = READER.render(paragraph(text, spans, links=True))

    found = unescape(re.sub("</?(p|em|strong|s|code|a)( [^>]*)?>", "", html))
    assert found.split() == text.split()
