"""A page with a line of text and a picture."""

from __future__ import annotations

from tests.documents.hostile import one_page, stream


def document_with_a_picture() -> bytes:
    """Return a page with a line of text, and a red picture of 200 by 100 points at (100, 192)."""
    content = b"BT /F 12 Tf 100 700 Td (A field of poppies in June) Tj ET q 200 0 0 100 100 500 cm /P Do Q"
    picture = b"/Type/XObject/Subtype/Image/Width 2/Height 1/ColorSpace/DeviceRGB/BitsPerComponent 8"
    return one_page(
        content,
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
        stream(b"\xff\x00\x00" * 2, picture),
        resources=b"/Font<</F 5 0 R>>/XObject<</P 6 0 R>>",
    )
