"""Write a broken PDF anew with qpdf, which repairs more than PDFium does."""

from __future__ import annotations

import io

# Parts of a document that have crashed the library (an outline that loops, a form that explodes) and hold no page text.
_NOT_TEXT = ("/Outlines", "/AcroForm", "/Names", "/StructTreeRoot", "/PageLabels", "/OpenAction", "/AA", "/Metadata")


def repaired(path: str, password: str | None, *, bare: bool) -> bytes:
    """Return the file as qpdf writes it, without encryption; ``bare``: without the parts that hold no page text.

    Streams are copied as they are: decoding them could take longer than reading the page, and one page whose content is
    a gigabyte would use up the time of all others.
    """
    import pikepdf

    with pikepdf.open(path, password=password or "", suppress_warnings=True) as pdf:
        if bare:
            for name in _NOT_TEXT:
                if name in pdf.Root:
                    del pdf.Root[name]
        copy = io.BytesIO()
        pdf.save(copy, compress_streams=False, stream_decode_level=pikepdf.StreamDecodeLevel.none)
        return copy.getvalue()
