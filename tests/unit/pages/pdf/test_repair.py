"""The copy that qpdf writes of a damaged file, or of one that has crashed a reader."""

from __future__ import annotations

import zlib
from pathlib import Path

import pytest

from apps.pages.pdf.repair import repaired
from tests.documents.hostile import one_page


@pytest.mark.parametrize("bare", [True, False])
def test_streams_are_copied_and_not_decoded(tmp_path: Path, bare: bool) -> None:
    """Decoding one page's gigabyte took all the time that the other pages had."""
    packed = zlib.compress(zlib.compress(b" " * 1_000_000))
    document = tmp_path / "document.pdf"
    document.write_bytes(one_page(packed, entries=b"/Filter[/FlateDecode/FlateDecode]"))

    assert packed in repaired(str(document), None, bare=bare)
