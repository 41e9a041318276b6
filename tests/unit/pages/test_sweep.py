"""``make sweep``: what is lost of the PDFs of a folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench import sweep
from tests.unit.pages.tiny_pdf import Sheet, write_pdf

LINES = ["The river mill has stood at the weir for", "three hundred years and its wheel turns."]


def test_files_are_read_compared_and_listed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "more").mkdir()
    write_pdf(tmp_path / "whole.pdf", Sheet().lines(72, 100, LINES))
    (tmp_path / "more" / "broken.pdf").write_bytes(b"%PDF-1.7 nothing")

    assert sweep.main([str(tmp_path)]) == 0

    printed = capsys.readouterr().out
    assert "2 files, 1 pages, 1 files with text" in printed
    assert "files not read: document_corrupt 1" in printed
    assert "character recall: 1.0000, 0 files below 0.7" in printed
    assert "whole.pdf" in printed


def test_recall_counts_what_is_missing() -> None:
    assert sweep.recall(sweep.words_of("a mill, a weir"), sweep.words_of("a mill a weir a yard")) == pytest.approx(
        4 / 6
    )
    assert sweep.recall(sweep.characters_of("ﬁsh"), sweep.characters_of("Fish!")) == 1.0
    assert sweep.words_of("atten-\ntion") == sweep.words_of("attention")
    assert sweep.words_of("水車小屋").total() == 4
    assert sweep.words_of("from 2024-\n2026") == sweep.words_of("2024-2026 from")
    assert sweep.words_of("الأول") == sweep.words_of("األول")


def test_pages_that_are_part_of_a_sheet() -> None:
    facts = """Page    1 size:  595 x 842 pts (A4)
Page    1 rot:   0
Page    1 MediaBox:     0.00     0.00   595.00   842.00
Page    1 CropBox:      0.00     0.00   595.00   842.00
Page    2 size:  500.55 x 693.3 pts
Page    2 rot:   90
Page    2 MediaBox:     0.00     0.00   543.75   736.50
Page    2 CropBox:     21.60    21.60   522.15   714.90
Page    2 TrimBox:     21.00    21.00   522.75   715.50
"""

    assert sweep.cropped_pages(facts) == {2: (694, 501)}
