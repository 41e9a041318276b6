"""Footnotes numbered through a document come after its text; others stay where their page ends."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from apps.pages.output.assembly import RenderOptions
from tests.unit.pages.drawing import assembled, page, text_block

BODY = "Leaves are green, and there is much more to say about them than a page can hold. " * 3


def order_of(notes: Sequence[str], separator: str = "\n\n") -> str:
    """Return the order of texts ("t") and notes ("n") of a document with a note on each page."""
    pages = [
        page(text_block(BODY, 110), text_block(BODY, 640), text_block(note, 700, size=7), number=number)
        for number, note in enumerate(notes, 1)
    ]
    _, files = assembled(pages, RenderOptions(page_separator=separator))
    blocks = [block for block in files["text.txt"].decode().split("\n\n") if block.strip() != "--"]
    return "".join("t" if block.startswith("Leaves") else "n" for block in blocks)


@pytest.mark.parametrize(
    ("notes", "order"),
    [
        (["1 Oaks.", "2 Elms.", "3 Firs."], "ttttttnnn"),
        (["7 Oaks.", "8 Elms.", "9 Firs."], "ttttttnnn"),
        (["1 Oaks.", "1 Elms.", "1 Firs."], "ttnttnttn"),
        (["1 Oaks.", "2 Elms.", "1 Firs."], "ttnttnttn"),
        (["* Oaks.", "* Elms.", "* Firs."], "ttnttnttn"),
    ],
)
def test_notes_with_one_count_come_at_the_end(notes: list[str], order: str) -> None:
    assert order_of(notes) == order


def test_notes_stay_on_pages_that_a_separator_shows() -> None:
    assert order_of(["1 Oaks.", "2 Elms.", "3 Firs."], "\n\n--\n\n") == "ttnttnttn"
