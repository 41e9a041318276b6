"""A page that says more than it shows."""

from __future__ import annotations

from apps.pages.warming import assembled_pdf
from tests.documents.hostile import stream

SHOWN, HIDDEN, SMALL = "What people read.", "What only programs read.", "What only a lens shows."


def two_faced_pdf() -> bytes:
    """A line in black, a line in white, and a line of 1.5 points."""
    lines = f"BT /F 12 Tf 72 700 Td ({SHOWN}) Tj 0 -40 Td 1 g ({HIDDEN}) Tj 0 -40 Td 0 g /F 1.5 Tf ({SMALL}) Tj ET"
    return assembled_pdf(
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[4 0 R]/Count 1>>",
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Contents 5 0 R/Resources<</Font<</F 3 0 R>>>>>>",
        stream(lines.encode()),
    )
