"""Page labels: what a document calls its pages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pikepdf
import pytest
from pikepdf import Array, Dictionary, Name

from apps.pages.model.blocks import BlockType
from apps.pages.model.page_numbers.labels import LabelRange, label_of
from apps.pages.output.assembly import RenderOptions
from apps.pages.reading.page_reading import inspect_document
from tests.unit.pages.drawing import assembled, page, text_block
from tests.unit.pages.output.test_assembly import pages_of
from tests.unit.pages.tiny_pdf import Sheet, write_pdf


def labels_of(path: Path, labels: Any) -> list[str]:
    """Return the labels of the seven pages of a document with this number tree."""
    write_pdf(path, *(Sheet() for _ in range(7)))
    with pikepdf.open(path, allow_overwriting_input=True) as pdf:
        pdf.Root.PageLabels = labels(pdf) if callable(labels) else labels
        pdf.save(path)
    facts = inspect_document(str(path), max_pages=10)
    return [label_of(facts.page_labels, number) for number in range(1, 8)]


def test_each_range_counts_in_its_own_way(tmp_path: Path) -> None:
    tree = Dictionary(
        Nums=Array(
            [
                0,
                Dictionary(S=Name.r),
                3,
                Dictionary(S=Name.D, St=9),
                5,
                Dictionary(P="A-", S=Name.D),
                6,
                Dictionary(P="C"),
            ]
        )
    )

    assert labels_of(tmp_path / "a.pdf", tree) == ["i", "ii", "iii", "9", "10", "A-1", "C"]


def test_a_tree_in_parts_and_pages_before_the_first_range(tmp_path: Path) -> None:
    parts = [
        Dictionary(Nums=Array([4, Dictionary(S=Name.A, St=26)])),
        Dictionary(Nums=Array([2, Dictionary(S=Name.R)])),
    ]

    assert labels_of(tmp_path / "a.pdf", Dictionary(Kids=Array(parts))) == ["", "", "I", "II", "Z", "AA", "BB"]


def looping(pdf: Any) -> Any:
    node = pdf.make_indirect(Dictionary())
    node.Kids = Array([node, Dictionary(Nums=Array([0, Dictionary(S=Name.D, St=5)]))])
    return node


@pytest.mark.parametrize(
    ("tree", "first"),
    [
        (looping, "5"),
        (Dictionary(Nums=Array([0, 7, -1, Dictionary(S=Name.D), 1])), ""),
        (Dictionary(Nums=Array([0, Dictionary(S=Name.D, St=-4)])), "1"),
        (Array([1, 2]), ""),
        (Dictionary(Nums=Array([0, Dictionary(S=Name.r, St=999_999)])), "999999"),
    ],
)
def test_broken_labels_do_not_stop_the_document(tmp_path: Path, tree: Any, first: str) -> None:
    assert labels_of(tmp_path / "a.pdf", tree)[0] == first


@pytest.mark.parametrize(
    ("footer", "printed"), [("- 12 -", "12"), ("Page 5 of 10", "Page 5 of 10"), ("Annual report | 3", "iv")]
)
def test_the_printed_number_is_that_of_the_running_line_or_else_the_label(footer: str, printed: str) -> None:
    sheet = page(text_block("Leaves are green.", 100), text_block(footer, 800, kind=BlockType.PAGE_FOOTER))
    options = RenderOptions(page_labels=(LabelRange(1, "r", "", 4),), printed_page_numbers=True)

    _, files = assembled([sheet], options)

    (metadata,) = pages_of(files["metadata.json"])
    assert (metadata["page_label"], metadata["printed_page_number"]) == ("iv", printed)


def test_numbers_are_only_there_if_known(tmp_path: Path) -> None:
    _, files = assembled([page(text_block("12", 800, kind=BlockType.PAGE_FOOTER))])

    assert pages_of(files["metadata.json"]) == [{"page_number": 1}]
