"""``crop_box``: margins of pages that a job does not read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from apps.documents import storage
from tests.integration.jobs.conftest import Submit, run
from tests.unit.pages.tiny_pdf import Sheet, write_pdf


@pytest.mark.parametrize("short_document_pages", [0, 16])
def test_a_job_reads_only_what_is_inside_its_margins(
    submit: Submit, settings: Any, tmp_path: Path, short_document_pages: int
) -> None:
    settings.SHORT_ROAD_PAGES = short_document_pages
    sheet = Sheet().text(72, 40, "Letterhead").text(72, 300, "The text of the letter").text(72, 760, "Page 1")
    content = Path(write_pdf(tmp_path / "letter.pdf", sheet)).read_bytes()

    job = run(submit(content, options={"crop_box": {"top": 0.1, "bottom": 0.1}}))

    assert storage.read(f"{job.result_folder}/text.txt").decode().split("\n")[0] == "The text of the letter"
    text = storage.read(f"{job.result_folder}/markdown.md").decode()
    assert "Letterhead" not in text
    assert "Page 1" not in text
    assert job.warnings == []
