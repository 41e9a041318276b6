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
