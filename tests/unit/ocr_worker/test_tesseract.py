"""How Tesseract is called: by the library where it is installed, and by the program only where it is not."""

from __future__ import annotations

import sys

import pytest

from ocr_worker.engines import tesseract


def test_a_library_that_cannot_be_loaded_is_not_replaced_by_a_program(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("tesserocr")
    monkeypatch.setitem(sys.modules, "tesserocr", None)

    with pytest.raises(ImportError):  # the program would be refused by the confinement that suits the library
        tesseract.make()
