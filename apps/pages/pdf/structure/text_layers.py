"""Copy a PDF with invisible text under its pages, which stay as they are otherwise. Only for the sandboxed child."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any, BinaryIO

from apps.pages.model.errors import PageError
from apps.pages.model.geometry import Box
from apps.pages.pdf.page_frame import LETTER

_NAME = "/TextLayer"


def write_with_text(
    path: str,
    out: BinaryIO,
    *,
    password: str | None,
    page_numbers: Sequence[int],
    layers: bytes,
    under: Mapping[int, int],
) -> None:
    """Write these pages of a PDF, without encryption. Raise PageError if qpdf cannot read it.

    ``layers``: a PDF of pages with text alone; ``under``: page number -> index of its page in ``layers``.
    """
    import pikepdf

    problems = (pikepdf.PdfError, AttributeError, IndexError, KeyError, TypeError, ValueError, RuntimeError)
    try:
        with (
            pikepdf.open(path, password=password or "", suppress_warnings=True) as document,
            pikepdf.open(io.BytesIO(layers)) as texts,
        ):
            if len(document.pages) < max(page_numbers):
                raise PageError
            for number, index in under.items():
                _put_under(document, document.pages[number - 1], texts.pages[index])
            kept = set(page_numbers)
            for number in range(len(document.pages), 0, -1):
                if number not in kept:
                    del document.pages[number - 1]
            document.save(out, deterministic_id=True)
    except problems as error:
        raise PageError(f"{PageError.__doc__} ({str(error)[:200]})") from error


def placement(box: Box, rotation: int) -> tuple[float, ...]:
    """Return the matrix from a page as displayed, its origin at the bottom left, to the page's own space.

    ``box``: what is visible of the page, with ``top`` for its lower and ``bottom`` for its upper side, because y grows
    upwards there. ``rotation``: clockwise, in degrees.
    """
    return {
        90: (0, 1, -1, 0, box.x1, box.top),
        180: (-1, 0, 0, -1, box.x1, box.bottom),
        270: (0, -1, 1, 0, box.x0, box.bottom),
    }.get(rotation % 360, (1, 0, 0, 1, box.x0, box.top))


def _put_under(document: Any, page: Any, text: Any) -> None:
    """Draw the text before the page's own content, so that neither has the graphics state of the other."""
    import pikepdf

    form = document.copy_foreign(text.as_form_xobject())
    form.Matrix = pikepdf.Array([round(number, 4) for number in placement(_visible_box(page), int(page.rotation))])
    inherited: Any = page.resources
    resources: Any = pikepdf.Dictionary(inherited)  # other pages may share it
    drawn: Any = pikepdf.Dictionary(resources.get("/XObject", {}))
    name = _NAME
    while name in drawn:
        name += "1"
    drawn[name] = document.make_indirect(form)
    resources.XObject = drawn
    page.obj.Resources = resources
    page.contents_add(f"q {name} Do Q\n".encode("ascii"), prepend=True)


def _visible_box(page: Any) -> Box:
    """Return what PDFium shows of a page: the part of the crop box that is inside of the media box."""
    media, crop = (_box(sides) for sides in (page.mediabox, page.cropbox))
    if media is None:
        return crop or Box(0.0, 0.0, *LETTER)
    return (crop and crop.intersection(media)) or media


def _box(sides: Any) -> Box | None:
    x0, y0, x1, y1 = map(float, sides)
    box = Box(min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1))
    return box if box.width and box.height else None
