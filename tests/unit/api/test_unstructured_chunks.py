"""The chunking strategies of Unstructured's API."""

from __future__ import annotations

import base64
import json
import zlib
from itertools import pairwise
from typing import Any

from apps.api.compatible.unstructured.chunks import chunks_of
from apps.api.compatible.unstructured.requests import PartitionOptions

WORDS = "water mill grain stone wheel river field harvest flour bread oven village road market letter ledger"


def element(kind: str, text: str, page: int = 1) -> dict[str, Any]:
    return {"type": kind, "element_id": f"{kind}-{text[:9]}", "text": text, "metadata": {"page_number": page}}


ELEMENTS = [
    element("Header", "Running header"),
    element("Title", "Mills"),
    element("NarrativeText", WORDS),
    element("NarrativeText", "Short."),
    element("Title", "Rivers"),
    element("NarrativeText", WORDS, page=2),
    element("Table", "1 2 3 4", page=2) | {"metadata": {"page_number": 2, "text_as_html": "<table></table>"}},
    element("Title", "Ovens", page=3),
]


def chunks(**options: Any) -> list[dict[str, Any]]:
    return list(chunks_of(ELEMENTS, PartitionOptions(**options)))


def texts(**options: Any) -> list[str]:
    return [chunk["text"] for chunk in chunks(**options)]


def words_of(parts: list[str]) -> list[str]:
    return " ".join(parts).split()


def test_basic_chunks_are_full_of_whole_elements_and_tables_are_alone() -> None:
    found = chunks(chunking_strategy="basic", max_characters=150)

    assert [chunk["type"] for chunk in found] == ["CompositeElement", "CompositeElement", "Table", "CompositeElement"]
    assert found[0]["text"] == f"Mills\n\n{WORDS}\n\nShort.\n\nRivers"
    assert found[2]["metadata"]["text_as_html"] == "<table></table>"
    assert words_of([chunk["text"] for chunk in found]) == words_of([each["text"] for each in ELEMENTS[1:]])


def test_by_title_starts_a_chunk_at_each_title_unless_sections_are_small() -> None:
    assert texts(chunking_strategy="by_title", combine_under_n_chars=0)[1] == f"Rivers\n\n{WORDS}"
    joined = texts(chunking_strategy="by_title", max_characters=1000)
    assert joined[0] == f"Mills\n\n{WORDS}\n\nShort.\n\nRivers\n\n{WORDS}"
    by_page = texts(chunking_strategy="by_title", max_characters=1000, multipage_sections=False)
    assert by_page[0] == f"Mills\n\n{WORDS}\n\nShort.\n\nRivers"
    assert by_page == texts(chunking_strategy="by_page", max_characters=1000)


def test_long_elements_are_split_at_blanks_and_overlap() -> None:
    split = texts(chunking_strategy="basic", max_characters=40)
    assert max(map(len, split)) <= 40
    assert words_of(split) == words_of([each["text"] for each in ELEMENTS[1:]])

    overlapping = texts(chunking_strategy="basic", max_characters=40, overlap=10)
    assert max(map(len, overlapping)) <= 40
    part, following = next(pair for pair in pairwise(overlapping) if pair[1][:5] in pair[0])
    assert part.endswith(following[: len(part) - part.rindex(following[:5])])
    everywhere = texts(chunking_strategy="basic", max_characters=150, overlap=10, overlap_all=True)
    assert everywhere[1].startswith(everywhere[0][-10:].strip())


def test_new_after_n_chars_ends_chunks_earlier() -> None:
    found = texts(chunking_strategy="basic", max_characters=500, new_after_n_chars=0)
    assert found == [each["text"] for each in ELEMENTS[1:]]


def test_chunks_hold_their_elements_unless_the_request_leaves_them_out() -> None:
    [first, *_] = chunks(chunking_strategy="basic")
    assert json.loads(zlib.decompress(base64.b64decode(first["metadata"]["orig_elements"])))[0] == ELEMENTS[1]
    assert "orig_elements" not in chunks(chunking_strategy="basic", include_orig_elements=False)[0]["metadata"]
