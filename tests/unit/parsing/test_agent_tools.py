"""The tools of the page agent work on the document in the sandbox."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from apps.pages.model.blocks import Block, BlockType, Cell, Page
from apps.pages.model.geometry import Box
from apps.pages.sandbox.client import Limits
from apps.parsing.agent import use_tool
from apps.parsing.answer_check import PageToParse
from apps.parsing.page_pictures import DocumentPictures
from apps.parsing.prompts.messages import CustomInstructions
from apps.providers.calls.attempts import CallScope
from apps.providers.calls.client import ToolCall
from apps.providers.ledger import CallFor
from tests.unit.pages.pdf.test_region_tables import ROWS, table_pdf

OWN_TABLE = Block(BlockType.TABLE, Box(50, 60, 330, 150), cells=(Cell(0, 0, "As extracted"),))


@pytest.fixture
def call(tmp_path: Path) -> Any:
    """A function that calls read_table on a page with a ruled table, or on an image, and returns the text."""

    def call(content: bytes, media_type: str = "application/pdf", **arguments: Any) -> str:
        path = tmp_path / "document"
        path.write_bytes(content)

        @contextmanager
        def open_document(_id: str) -> Iterator[Path]:
            yield path

        with DocumentPictures(
            "document",
            password=None,
            media_type=media_type,
            limits=Limits(),
            should_stop=lambda: False,
            open_document=open_document,
        ) as pictures:
            page = PageToParse(
                Page(1, 400, 400, blocks=(OWN_TABLE,)),
                CustomInstructions(),
                CallScope(CallFor(uuid.UUID(int=1), "pjb-1", 1, "agent")),
                pictures,
            )
            return use_tool(page, ToolCall("1", "read_table", arguments), [])

    return call


def test_a_table_is_read_by_its_lines(call: Any) -> None:
    found = call(table_pdf(ruled=True), region=[50, 60, 330, 150])
    assert found.startswith("Read by ruled lines; 100% of the region fits.\n<table>")
    assert all(f"<td>{text}</td>" in found for row in ROWS for text in row)


def test_the_model_can_name_the_columns(call: Any) -> None:
    found = call(table_pdf(ruled=False), region=[50, 60, 330, 150], columns=[50, 190, 250, 330, "x"])
    assert found.startswith("Read by given columns, aligned rows;")
    assert "<tr><td>Flour mill</td><td>2</td><td>41.50</td></tr>" in found


def test_where_pdfplumber_finds_no_table_the_extracted_one_is_returned(call: Any) -> None:
    assert "As extracted" in call(b"not a picture", "image/png", region=[50, 60, 330, 150])
    assert "Zoom and read it yourself." in call(b"not a picture", "image/png", region=[0, 300, 40, 390])
