"""The names of exports and the options of chunks, for modules that only pass them on."""

from __future__ import annotations

from typing import Literal

import msgspec

FILE_NAMES = {
    "chunks": "chunks.jsonl",
    "html": "document.html",
    "docx": "document.docx",
    "searchable_pdf": "searchable.pdf",
    "archive_pdf": "archive.pdf",
    "hocr": "document.hocr",
    "alto": "alto.xml",
    "csv": "tables.zip",
    "zip": "everything.zip",
}
"""The file of each export."""
PLACE_WORDS = ("searchable_pdf", "archive_pdf", "hocr", "alto")
"""The exports with words at their places."""
MIN_TOKENS, MAX_TOKENS, DEFAULT_TOKENS = 32, 8192, 512
Split = Literal["heading", "tokens"]
SPLITS: tuple[Split, ...] = ("heading", "tokens")


class ChunkOptions(msgspec.Struct, frozen=True):
    """``split_by``: "heading" begins a chunk at each heading, "tokens" only where the one before is full.

    ``overlap_tokens``: at most as many tokens of the last sentences of a full chunk begin the next one.
    ``within_pages``: no chunk has text of two pages.
    """

    max_tokens: int = DEFAULT_TOKENS
    overlap_tokens: int = 0
    split_by: Split = "heading"
    within_pages: bool = False
