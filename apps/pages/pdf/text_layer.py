"""Read the runs of text, the ruling lines and the boxes of the pictures of a page.

LiteParse reads the text layer (docs/decisions/extractor.md has the reasons), pypdfium2 in ``rasters.py`` finds the
pictures. Both are native code, so this runs only inside the sandboxed child. Boxes have their origin at the top left of
the page as displayed.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

from apps.pages.model import errors
from apps.pages.model.blocks import PageFailure
from apps.pages.model.geometry import Box
from apps.pages.model.raw_page import RawPage, TextRun
from apps.pages.pdf import formulas, rasters

PAGES_PER_CALL = 16
# Parts of a document without page text that have crashed the library, such as an outline with a loop.
_NOT_TEXT = ("/Outlines", "/AcroForm", "/Names", "/StructTreeRoot", "/PageLabels", "/OpenAction", "/AA", "/Metadata")
# A drawn mark this thin is a ruling line; a thicker one is a filled area.
MAX_RULING_THICKNESS_POINTS = 3.0
# A page with more marks is a drawing or a map; searching it for table grids only costs time.
MAX_RULINGS = 5_000
_BOLD = re.compile(r"bold|black|heavy|demi|semibold|[-,](?:bd|hv)\b|cmbx|-bx\d", re.IGNORECASE)
_ITALIC = re.compile(r"ital|obli|cmti|-it\b", re.IGNORECASE)


NO_SUCH_PAGE = "page not found"
LETTER = (612.0, 792.0)


class PdfFile:
    """An opened PDF; ``pages`` may be called more than once. Close it, or use ``with``.

    ``careful``: read a bare copy, and only with LiteParse, because the file has crashed a reader before.
    """

    def __init__(self, path: str, password: str | None = None, *, careful: bool = False) -> None:
        self._path = path
        self._password = password
        self._repaired: bytes | None = None
        self._pdfium: Any = None
        self._careful = careful

    def pages(self, page_numbers: Sequence[int]) -> Iterator[RawPage | PageFailure]:
        """Yield these pages in this order; a page that cannot be read is a ``PageFailure``."""
        for start in range(0, len(page_numbers), PAGES_PER_CALL):
            asked = page_numbers[start : start + PAGES_PER_CALL]
            found = self._read(asked)
            for page_number in asked:
                yield found.get(page_number) or _failure(page_number, errors.PageError())

    def upright(self, page_number: int, angle: int) -> RawPage | PageFailure:
        """Return a page whose text is rotated by ``angle`` degrees clockwise as it is after rotating the page back."""
        try:
            result = self._parse(str(page_number), [(page_number, angle)])
        except Exception as error:  # the library raises plain RuntimeError
            return _failure(page_number, errors.PageError(), str(error))
        return _raw_page(result.pages[0]) if result.pages else _failure(page_number, errors.PageError())

    def pictures(self, page_number: int) -> list[Box]:
        """Return the boxes of the raster pictures directly on the page."""
        return rasters.picture_boxes(self._for_extraction(), page_number)

    def chars(self, page_number: int) -> list[tuple[str, float, float, float, float]]:
        """Return the characters of a page with their boxes: x0, top, x1, bottom."""
        return rasters.chars_of(self._for_extraction(), page_number)

    def drawn(self) -> Any:
        """Return the document as opened by pypdfium2, even if ``careful``; None if it cannot be opened."""
        if self._pdfium is None:
            of_file = self._repaired is None
            self._pdfium = rasters.open_document(self._repaired or self._path, self._password if of_file else None)
        return self._pdfium

    def _for_extraction(self) -> Any:
        """Return the document as opened by pypdfium2; None if ``careful`` or if it cannot be opened."""
        if self._pdfium is None and not self._careful:
            self._pdfium = rasters.open_document(self._path, self._password)
        return self._pdfium

    def _read(self, page_numbers: Sequence[int]) -> dict[int, RawPage | PageFailure]:
        try:
            result = self._parse(",".join(map(str, page_numbers)))
        except Exception as error:
            if len(page_numbers) == 1:
                return {page_numbers[0]: _failure(page_numbers[0], errors.PageError(), str(error))}
            return {page_number: page for one in page_numbers for page_number, page in self._read([one]).items()}
        pages: dict[int, RawPage | PageFailure] = {page.page_num: _raw_page(page) for page in result.pages}
        for problem in result.page_errors:
            pages[problem.page_num] = (
                # A page that is counted but not found is an empty sheet, as in viewers.
                RawPage(problem.page_num, *LETTER, runs=[], rulings=[], fills=[], pictures=[])
                if NO_SUCH_PAGE in problem.message
                else _failure(problem.page_num, errors.PageError(), problem.message)
            )
        return pages

    def _parse(self, target_pages: str, turned: Sequence[tuple[int, int]] = ()) -> Any:
        if self._careful and self._repaired is None:
            self._repaired = _rewritten(self._path, self._password, bare=True)
        if self._repaired is not None:
            return _parser(target_pages, None, turned).parse_bytes(self._repaired)
        try:
            return _parser(target_pages, self._password, turned).parse(self._path)
        except Exception:
            # qpdf repairs more than PDFium does; the second attempt is cheap and only damaged files need it.
            self._repaired = _rewritten(self._path, self._password)
            return _parser(target_pages, None, turned).parse_bytes(self._repaired)

    def close(self) -> None:
        if self._pdfium is not None:
            self._pdfium.close()
            self._pdfium = None

    def __enter__(self) -> PdfFile:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _parser(target_pages: str, password: str | None, turned: Sequence[tuple[int, int]]) -> Any:
    from liteparse import LiteParse

    parser = LiteParse(
        ocr_enabled=False,
        quiet=True,
        output_format="text",
        extract_links=False,
        extract_vector_graphics=True,
        extract_content_bounds=True,
        emit_word_boxes=True,
        continue_on_page_error=True,
        max_pages=1_000_000,
        target_pages=target_pages,
        password=password,
        page_orientation_corrections=list(turned) or None,
    )
    # The public call copies every item into a dataclass, a fifth of the cost of a page; the version is pinned.
    return parser._native  # noqa: SLF001


def _rewritten(path: str, password: str | None, *, bare: bool = False) -> bytes:
    """Return the file rewritten by qpdf, without encryption; ``bare``: without the parts that contain no page text."""
    import pikepdf

    with pikepdf.open(path, password=password or "", suppress_warnings=True) as pdf:
        if bare:
            for name in _NOT_TEXT:
                if name in pdf.Root:
                    del pdf.Root[name]
        copy = io.BytesIO()
        pdf.save(copy)
        return copy.getvalue()


def _failure(page_number: int, error: errors.PageError, why: str = "") -> PageFailure:
    detail = f"{error.detail} ({why[:200]})" if why else error.detail
    return PageFailure(number=page_number, code=error.code, detail=detail)


def _raw_page(page: Any) -> RawPage:
    rulings, fills = marks_of(page.vector_graphics)
    bounds = page.content_bounds
    return RawPage(
        page_number=page.page_num,
        width=page.width,
        height=page.height,
        runs=[run for run in map(text_run, page.text_items) if run is not None],
        rulings=rulings,
        fills=fills,
        pictures=[],
        content_box=Box(bounds.x, bounds.y, bounds.x + bounds.width, bounds.y + bounds.height) if bounds else None,
    )


@lru_cache(maxsize=10_000)
def font_style(font: str | None) -> tuple[bool, bool]:
    """Return whether a font of this name is bold, and whether it is italic."""
    name = (font or "").partition("+")[2] or font or ""  # without the prefix of a subset
    return bool(_BOLD.search(name)), bool(_ITALIC.search(name))


def text_run(item: Any) -> TextRun | None:
    """Return an item of LiteParse as a run of text; None if it is blank."""
    text = item.text
    if not text or text.isspace():
        return None
    if "$" in text:
        text = formulas.as_printed(text)
    x, top, height = item.x, item.y, item.height
    size, angle = item.font_size or 0.0, item.rotation
    # A font of size 1 scaled by the text matrix has no useful size, so a size far from the height is replaced.
    if not 0.5 * height <= size <= 1.6 * height:
        size = height * 0.8 if not 45 < angle % 180 < 135 else item.width * 0.8
    bold, italic = font_style(item.font_name)
    words = item.words if angle == 0.0 else None
    return TextRun(text, x, top, x + item.width, top + height, size, bold, italic, angle, words)


def marks_of(graphics: Any) -> tuple[list[Box], list[Box]]:
    """Return the ruling lines (thin marks) and the filled areas as boxes; none for a drawing or a map."""
    rulings: list[Box] = []
    fills: list[Box] = []
    if graphics is None:
        return rulings, fills
    lines, shapes = graphics.lines, graphics.shapes
    if len(lines) + len(shapes) > MAX_RULINGS:
        return rulings, fills
    for line in lines:
        rulings.append(Box(min(line.x1, line.x2), min(line.y1, line.y2), max(line.x1, line.x2), max(line.y1, line.y2)))
    for shape in shapes:
        if shape.has_curve:
            continue
        box = shape.bbox
        area = Box(box.x, box.y, box.x + box.width, box.y + box.height)
        if min(box.width, box.height) <= MAX_RULING_THICKNESS_POINTS:
            rulings.append(area)
        else:
            fills.append(area)
    return rulings, fills
