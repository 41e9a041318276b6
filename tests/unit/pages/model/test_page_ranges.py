"""Lists of page ranges as people write them."""

from __future__ import annotations

import time

import pytest

from apps.pages.model.errors import PageOutOfRange
from apps.pages.model.page_numbers.ranges import check_page_ranges, parse_page_ranges


@pytest.mark.parametrize(
    ("text", "pages"),
    [("", (1, 2, 3, 4, 5)), ("2", (2,)), ("1,3-5", (1, 3, 4, 5)), (" 4 , 1 - 2 ", (1, 2, 4)), ("3,2-3,3", (2, 3))],
)
def test_pages_are_returned_once_and_in_order(text: str, pages: tuple[int, ...]) -> None:
    assert parse_page_ranges(text, page_count=5) == pages


@pytest.mark.parametrize("text", ["0", "5-3", "a", "1,,2", "-1", "1-", "1.5", "1;2", "²", "1" * 10, "1," * 3000 + "1"])
def test_a_malformed_list_is_refused_without_a_document(text: str) -> None:
    with pytest.raises(PageOutOfRange) as caught:
        check_page_ranges(text)

    assert caught.value.code == "invalid_option"
    assert len(caught.value.detail) < 200


@pytest.mark.parametrize(("text", "pages"), [("1,6-7", (1,)), ("5-6", (5,)), ("4-400,2", (2, 4, 5))])
def test_pages_beyond_the_end_are_left_out(text: str, pages: tuple[int, ...]) -> None:
    assert parse_page_ranges(text, page_count=5) == pages


def test_an_error_names_the_missing_page_if_none_exists() -> None:
    with pytest.raises(PageOutOfRange, match="Page 7 was requested, but the document has 5 pages"):
        parse_page_ranges("6-7", page_count=5)


def test_a_huge_range_costs_nothing() -> None:
    started = time.monotonic()

    assert parse_page_ranges("1-999999999", page_count=5) == (1, 2, 3, 4, 5)

    assert time.monotonic() - started < 0.1
