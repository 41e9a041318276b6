"""How tables are written: with or without blanks, and joined with those on the next page or not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from apps.documents import storage
from apps.jobs.models import ParseJob
from tests.integration.jobs.conftest import Submit, run
from tests.unit.pages.tiny_pdf import Sheet, write_pdf

COLUMNS = (72, 272, 472)


def sheet_with_table(top: float, *rows: tuple[str, ...]) -> Sheet:
    sheet = Sheet()
    ys = [top + 40 * number for number in range(len(rows) + 1)]
    sheet.grid(COLUMNS, ys)
    for y, row in zip(ys, rows, strict=False):
        for x, cell in zip(COLUMNS, row, strict=False):
            sheet.text(x + 6, y + 5, cell)
    return sheet


@pytest.fixture
def table(tmp_path: Path) -> bytes:
    sheets = [
        sheet_with_table(600, ("Cargo", "Tons"), ("Coal", "1,200"), ("Iron", "900")),
        sheet_with_table(72, ("Cargo", "Tons"), ("Grain", "800")),
    ]
    return Path(write_pdf(tmp_path / "table.pdf", *sheets)).read_bytes()


def parsed(submit: Submit, content: bytes, **tables: Any) -> ParseJob:
    tables = {"output_tables_as_markdown": True, **tables}
    return run(submit(content, options={"output_options": {"markdown": {"tables": tables}}}))


def read(job: ParseJob, name: str) -> str:
    return storage.read(f"{job.result_folder}/{name}").decode()


def test_a_table_is_written_with_blanks_and_joined_with_its_next_page(submit: Submit, table: bytes) -> None:
    assert read(parsed(submit, table), "markdown.md").splitlines() == [
        "| Cargo | Tons |",
        "| --- | --- |",
        "| Coal | 1,200 |",
        "| Iron | 900 |",
        "| Grain | 800 |",
    ]


def test_options_change_blanks_and_joining(submit: Submit, table: bytes) -> None:
    job = parsed(submit, table, compact_markdown_tables=True, merge_continued_tables=False)
    pages = [
        "|Cargo|Tons|\n|---|---|\n|Coal|1,200|\n|Iron|900|",
        "|Cargo|Tons|\n|---|---|\n|Grain|800|",
    ]
    assert read(job, "markdown.md") == "\n\n".join(pages) + "\n"
    assert [page["markdown"] for page in json.loads(read(job, "markdown.json"))["pages"]] == pages
