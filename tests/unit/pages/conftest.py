"""From sheets to results, in this process: these documents are our own."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from apps.pages.model.blocks import Page, PageFailure
from apps.pages.output.assembly import Assembly, RenderOptions, assemble
from apps.pages.reading.page_reading import inspect_document, read_pages
from tests.unit.pages.tiny_pdf import Sheet, write_pdf


class Outputs:
    """The files and the warnings of one assembly."""

    def __init__(self, pages: list[Page | PageFailure], options: RenderOptions | None = None) -> None:
        self.pages = pages
        self.files: dict[str, bytes] = {}
        self.assembly: Assembly = assemble(lambda: pages, options=options or RenderOptions(), open_output=self._open)

    @contextmanager
    def _open(self, name: str) -> Iterator[BinaryIO]:
        file = io.BytesIO()
        yield file
        self.files[name] = file.getvalue()

    @property
    def markdown(self) -> str:
        return self.files["markdown.md"].decode()

    @property
    def text(self) -> str:
        return self.files["text.txt"].decode()

    def json(self, name: str) -> Any:
        return json.loads(self.files[name])

    def items(self, page: int = 1) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.json("items.json")["pages"][page - 1]["items"]
        return found


Parse = Callable[..., Outputs]


@pytest.fixture
def parse(tmp_path: Path) -> Parse:
    """Sheets -> what a user gets for them."""

    def run(*sheets: Sheet, options: RenderOptions | None = None) -> Outputs:
        path = write_pdf(tmp_path / "made.pdf", *sheets)
        count = inspect_document(path, max_pages=100).page_count
        return Outputs(list(read_pages(path, range(1, count + 1))), options)

    return run
