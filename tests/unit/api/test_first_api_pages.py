"""Pages of results as the first API gives them: read one by one, and replaced when they failed."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest

from apps.api.v1 import stored_pages
from apps.api.v1.page_texts import joined, markdown_of, text_of
from apps.api.v1.stored_pages import StoredPage, entries
from apps.jobs.option_groups import Presentation


@pytest.mark.parametrize("chunk", [12, 13, 50, 64 * 1024])
def test_pages_are_read_one_by_one_whatever_the_chunks(monkeypatch: pytest.MonkeyPatch, chunk: int) -> None:
    monkeypatch.setattr(stored_pages, "_CHUNK_BYTES", chunk)
    pages = [{"page_number": number, "text": 'é, "]}" and \\ ' * number} for number in range(1, 6)]
    source = json.dumps({"pages": pages}, ensure_ascii=False, separators=(",", ":")).encode()
    assert list(entries(io.BytesIO(source))) == pages
    assert list(entries(io.BytesIO(b'{"pages":[]}'))) == []


def test_a_file_that_is_cut_off_is_an_error_and_not_a_short_document() -> None:
    with pytest.raises(ValueError, match="Unterminated"):
        list(entries(io.BytesIO(b'{"pages":[{"page_number":1},{"page_num')))


def page(number: int, **markdown: Any) -> StoredPage:
    known = {"markdown": "", "success": True} | markdown
    items = {"page_number": number, "items": []}
    return StoredPage(number, str(known["markdown"]), known, items, {"page_number": number})


FAILED = page(1, success=False, error="page_timeout: The page took too long.")
FALLBACK = StoredPage(
    2,
    "as extracted",
    {"markdown": "as extracted", "success": True},
    {"items": []},
    {"parsing": {"fallback_used": True, "fallback_reason": "all_providers_failed"}},
)
GOOD = page(3, markdown="fine")


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("raw_text", ["", "as extracted", "fine"]),
        ("blank_page", ["", "", "fine"]),
        ("error_message", ["<page_timeout: The page took too long.>", "<all_providers_failed>", "fine"]),
    ],
)
def test_failed_pages_are_replaced_as_the_upload_says(mode: str, expected: list[str]) -> None:
    presentation = Presentation(
        replace_failed_page_mode=mode,
        replace_failed_page_with_error_message_prefix="<",
        replace_failed_page_with_error_message_suffix=">",
    )
    for text_of_page in (text_of, markdown_of):
        text = "".join(joined([FAILED, FALLBACK, GOOD], text_of_page, presentation))
        assert text.split("\n---\n") == expected
