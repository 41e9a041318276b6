"""Every office document that is read from its structure can be printed, and slides are printed one a page."""

from __future__ import annotations

import pytest

from apps.pages.model.conversions import CONVERSIONS, PPTX, has_slides, print_of
from apps.pages.model.media_types import PDF
from apps.pages.office import packages

TEXTS = (*packages.OPEN_XML_TEXTS, *packages.OPEN_DOCUMENT_TEXTS, "application/rtf", "application/msword")
WORKBOOKS = (*packages.OPEN_XML_WORKBOOKS, *packages.OPEN_DOCUMENT_WORKBOOKS, "application/vnd.ms-excel")
SLIDES = (
    *packages.OPEN_XML_PRESENTATIONS,
    *packages.OPEN_DOCUMENT_PRESENTATIONS,
    "application/vnd.ms-powerpoint",
)


@pytest.mark.parametrize(
    ("media_types", "written_by"), [(TEXTS, "writer"), (WORKBOOKS, "calc"), (SLIDES, "impress")], ids=str
)
def test_office_documents_are_printed_by_their_program(media_types: tuple[str, ...], written_by: str) -> None:
    for media_type in media_types:
        found = print_of(media_type)
        assert found is not None, media_type
        assert (found.target.media_type, found.target.filter) == (PDF, f"{written_by}_pdf_Export")
        assert has_slides(media_type) == (written_by == "impress")


def test_older_documents_have_the_name_that_they_are_converted_with() -> None:
    printed = {media_type: print_of(media_type) for media_type in CONVERSIONS}
    assert all(found.suffix == CONVERSIONS[media_type].suffix for media_type, found in printed.items() if found)
    assert {CONVERSIONS[media_type].target.suffix for media_type, found in printed.items() if not found} == {"pdf"}


def test_hidden_slides_are_printed_if_they_are_read() -> None:
    usual, with_hidden = print_of(PPTX), print_of(PPTX, hidden_slides=True)
    assert usual is not None
    assert with_hidden is not None
    assert "ExportHiddenSlides" not in usual.target.filter
    assert '"ExportHiddenSlides":{"type":"boolean","value":"true"}' in with_hidden.target.filter
    assert print_of("application/rtf", hidden_slides=True) == print_of("application/rtf")
    assert print_of("text/html") is None
