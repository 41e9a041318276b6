"""The words of a document decide whether a hyphen at a line end stays."""

from __future__ import annotations

import pytest

from apps.pages.layout.text.hyphenation import DocumentWords, joined_lines, rejoined
from apps.pages.model.blocks import Block, BlockType, Line, TextSpan
from apps.pages.model.geometry import Box
from tests.unit.pages.conftest import Parse
from tests.unit.pages.tiny_pdf import Sheet

BOX = Box(0, 0, 100, 10)


def words_of(*texts: str) -> DocumentWords:
    words = DocumentWords()
    for text in texts:
        words.add(Block(BlockType.PARAGRAPH, BOX, text))
    return words


@pytest.mark.parametrize(
    ("text", "line", "elsewhere", "joined"),
    [
        ("a self-", "asserted claim", "It is self-asserted.", "a self-asserted claim"),
        ("a self-", "asserted claim", "It is Self\u2010Asserted.", "a self-asserted claim"),
        ("an imple-", "mentation", "It is a well-known one.", "an implementation"),
        ("a co-", "operation", "All cooperation helps, and co-op shops.", "a cooperation"),
        ("a wheel-", "based mill", "The wheel is stone-based or wood-based.", "a wheel-based mill"),
        ("a non-", "linear way", "It is linear; non-empty, non-zero, non-free.", "a non-linear way"),
        ("pre-", "and postwar", "Both pre- and postwar.", "pre- and postwar"),
        ("state-of-", "the-art", "", "state-of-the-art"),
        ("the Leaf-", "Mill", "", "the Leaf-Mill"),
        ("THE IMPLE-", "MENTATION", "", "THE IMPLEMENTATION"),
        ("soft\xad", "ware", "", "software"),
        ("a word\u2010", "break", "", "a wordbreak"),
        ("pages 12-", "14", "", "pages 12-14"),
        ("never\u2011", "ending", "", "never\u2011ending"),
        ("a dash -", "and on", "", "a dash - and on"),
    ],
)
def test_a_line_end_with_a_hyphen(text: str, line: str, elsewhere: str, joined: str) -> None:
    assert joined_lines(text, line, words_of(elsewhere)) == joined


@pytest.mark.parametrize(
    ("elsewhere", "joined"),
    [
        ("공급업체는 책임을 진다.", "모든 공급업체는 안다."),
        ("공급 업체는 책임을 진다. 공급업체는", "모든 공급 업체는 안다."),
        ("책임을 진다.", "모든 공급 업체는 안다."),
    ],
    ids=["one word elsewhere", "two words elsewhere too", "unknown"],
)
def test_a_line_end_inside_a_korean_word(elsewhere: str, joined: str) -> None:
    assert joined_lines("모든 공급", "업체는 안다.", words_of(elsewhere)) == joined


def test_the_halves_of_a_korean_word_at_line_ends_are_no_words() -> None:
    lines = tuple(Line(text, BOX) for text in ("모든 공급", "업체는 안다."))
    block = Block(BlockType.PARAGRAPH, BOX, "모든 공급 업체는 안다.", lines)
    words = words_of("공급업체는 책임을 진다.")
    words.add(block)

    assert rejoined(block, words).text == "모든 공급업체는 안다."


def test_a_word_on_another_page_decides(parse: Parse) -> None:
    cut = Sheet().lines(
        72, 100, ["The claim that was made is self-", "asserted, and the imple-", "mentation is short."]
    )
    whole = Sheet().text(72, 100, "All of these are self-asserted attributes.")

    found = parse(cut, whole)

    assert "is self-asserted, and the implementation is short." in found.markdown
    assert found.items()[0]["value"] == "The claim that was made is self-asserted, and the implementation is short."


def test_a_word_cut_by_the_end_of_the_page(parse: Parse) -> None:
    first = Sheet().text(72, 700, "A wide-awake keeper reads every claim that somebody else has made as self-")
    second = Sheet().lines(72, 100, ["asserted until it is proven by the", "authority. None is self-asserted then."])

    assert "made as self-asserted until" in parse(first, second).markdown


def test_spans_follow_the_text_when_a_hyphen_comes_back() -> None:
    lines = (Line("1. a self-", BOX), Line("asserted bold word", BOX))
    block = Block(BlockType.LIST_ITEM, BOX, "a selfasserted bold word", lines, marker="1.", spans=(TextSpan(2, 19),))

    found = rejoined(block, words_of("self-asserted"))

    assert found.text == "a self-asserted bold word"
    assert found.text[found.spans[0].start : found.spans[0].end] == "self-asserted bold"
