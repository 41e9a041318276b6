"""The text of a page as pdfminer reads it, the parser of pdfplumber: a second reader for pages that PDFium cannot read.

It shares no code with PDFium, knows the predefined encodings of Chinese, Japanese and Korean without their fonts, and
needs a hundred times as long. Text marked as hidden (``structure/layers.py``) is kept apart. Runs only inside the
sandboxed child.
"""

from __future__ import annotations

import io
import itertools
import logging
from collections.abc import Sequence
from typing import Any, BinaryIO

import numpy as np
from pdfminer.pdfdevice import PDFTextDevice
from pdfminer.pdfdocument import PDFDocument
from pdfminer.pdffont import PDFUnicodeNotDefined
from pdfminer.pdfinterp import PDFPageInterpreter, PDFResourceManager
from pdfminer.pdfpage import PDFPage
from pdfminer.pdfparser import PDFParser
from pdfminer.pdftypes import resolve1
from pdfminer.psparser import PSLiteral
from pdfminer.utils import apply_matrix_rect, decode_text

from apps.pages.model.document_facts import MAX_HEADER_OFFSET_BYTES
from apps.pages.model.errors import PageError
from apps.pages.model.raw_page import TextRun, TextStyle
from apps.pages.model.text.safe_text import MAX_TEXT_CHARACTERS
from apps.pages.pdf.fonts.font_facts import FontFacts, facts_of_name
from apps.pages.pdf.structure.layers import HIDDEN_NAME
from apps.pages.pdf.text.characters import MAX_SKEW_DEGREES, Characters
from apps.pages.pdf.text.text_objects import INVISIBLE_MODE
from apps.pages.pdf.text.text_runs import text_runs
from apps.pages.pdf.text.vertical_writing import mark_vertical

# pdfminer logs a line for each small fault of a file.
logging.getLogger("pdfminer").setLevel(logging.CRITICAL)

_HEADER = b"%PDF-"
_FILL_AND_STROKE_MODE = 2
_REPLACEMENT = "\ufffd"
_DEFAULT_ASCENT, _DEFAULT_DESCENT = 0.75, -0.22


def second_runs(path: str, password: str | None, page_number: int, *, turned: int = 0) -> list[TextRun]:
    """Return the runs of a page in points of the page as displayed, turned back by ``turned`` degrees.

    Raise PageError when pdfminer cannot read the page either.
    """
    with open(path, "rb") as file:  # noqa: PTH123 (the path may be a descriptor)
        characters, width, height = second_characters(file, password, page_number)
    return text_runs(mark_vertical(characters), width, height, turned=turned)


def second_characters(file: BinaryIO, password: str | None, page_number: int) -> tuple[Characters, float, float]:
    """Return the characters of a page, its width and its height. Raise PageError."""
    try:
        start = file.read(MAX_HEADER_OFFSET_BYTES).find(_HEADER)
        file.seek(max(0, start))
        # Offsets in a file count from its header.
        document = PDFDocument(PDFParser(file if start <= 0 else io.BytesIO(file.read())), password or "")
        page = next(itertools.islice(PDFPage.create_pages(document), page_number - 1, None), None)
        if page is None:
            raise PageError
        resources = PDFResourceManager()
        reader = _CharacterDevice(resources)
        _Interpreter(resources, reader).process_page(page)
    except PageError:
        raise
    except Exception as error:  # pdfminer raises errors of every kind on a damaged file
        raise PageError from error
    return reader.characters(), *reader.page_size


class _Interpreter(PDFPageInterpreter):
    """Gives the device the property lists that a content stream names, not their names."""

    def do_BDC(self, tag: Any, props: Any) -> None:
        if isinstance(props, PSLiteral):
            listed = resolve1(self.resources.get("Properties"))
            props = resolve1(listed.get(props.name)) if isinstance(listed, dict) else None
        super().do_BDC(tag, props)


class _GivenText:
    """The ``ActualText`` of a group of glyphs, and the rows of its characters once they are noted."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.rows = range(0)


class _CharacterDevice(PDFTextDevice):
    """Collects the characters that the interpreter draws. Blanks are counted, as ``Characters`` wants them."""

    page_size: tuple[float, float]

    def __init__(self, resources: PDFResourceManager) -> None:
        super().__init__(resources)
        self._texts: list[str] = []
        # Box, baseline, size, angle, style, content, blanks before, piece, vertical, unmapped.
        self._rows: list[tuple[float, ...]] = []
        self._styles: dict[TextStyle, int] = {}
        self._facts: dict[int, FontFacts] = {}
        self._contents: list[int] = []
        self._given: list[_GivenText | None] = []
        self._is_hidden: list[bool] = []
        self._hidden: list[str] = []
        self._mode = 0
        self._blanks = 0
        self._outside = 0
        self._truncated = False

    def begin_page(self, page: PDFPage, ctm: Any) -> None:
        """Note the visible part of the page; ``ctm`` turns the page as it is displayed."""
        left, bottom, right, top = page.mediabox
        x0, y0, x1, y1 = page.cropbox
        visible = max(left, x0), max(bottom, y0), min(right, x1), min(top, y1)
        if visible[0] >= visible[2] or visible[1] >= visible[3]:
            visible = page.mediabox
        x0, y0, x1, y1 = apply_matrix_rect(ctm, visible)
        self._left, self._top = x0, y1
        self.page_size = x1 - x0, y1 - y0

    def begin_tag(self, tag: Any, props: Any = None) -> None:
        name = props.get("Name") if isinstance(props, dict) else None
        self._is_hidden.append(self._is_hidden[-1:] == [True] or name == HIDDEN_NAME.encode())
        number = props.get("MCID") if isinstance(props, dict) else None
        outer = self._contents[-1] if self._contents else -1
        self._contents.append(number if isinstance(number, int) else outer)
        given = props.get("ActualText") if isinstance(props, dict) else None
        text = decode_text(given).strip() if isinstance(given, bytes) else ""
        outer_given = self._given[-1] if self._given else None
        usable = text and text.isprintable()  # a soft hyphen is not: the hyphen stays
        self._given.append(_GivenText(text) if usable and outer_given is None else outer_given)

    def end_tag(self) -> None:
        if self._contents:
            self._contents.pop()
            self._is_hidden.pop()
            self._given.pop()

    def render_string(self, textstate: Any, seq: Any, ncs: Any, graphicstate: Any) -> None:
        self._mode = textstate.render
        super().render_string(textstate, seq, ncs, graphicstate)

    def render_char(
        self,
        matrix: Any,
        font: Any,
        fontsize: float,
        scaling: float,
        rise: float,
        cid: int,
        ncs: Any,
        graphicstate: Any,
    ) -> float:
        """Note one character and return its advance in text space."""
        try:
            text = font.to_unichr(cid)
        except PDFUnicodeNotDefined:
            text = _REPLACEMENT
        given = self._given[-1] if self._given else None
        if given is not None:
            text = given.text
        advance: float = font.char_width(cid) * fontsize * scaling
        if self._is_hidden[-1:] == [True]:
            self._hidden.append(text)
            return advance
        if not text or text.isspace():
            self._blanks += len(text)
        elif len(self._texts) + len(text) > MAX_TEXT_CHARACTERS:
            self._truncated = True
        else:
            vertical = bool(font.is_vertical())
            box = self._box(matrix, font, fontsize, advance, rise, vertical=vertical)
            if given is not None and given.rows:
                self._widen(given.rows, box)
                return advance
            before = len(self._rows)
            self._add(text, box, matrix, fontsize, self._style(font, graphicstate.ncolor), vertical=vertical)
            if given is not None:
                given.rows = range(before, len(self._rows))
        return advance

    def _widen(self, rows: range, box: tuple[float, ...]) -> None:
        """Include the box of a further glyph of a group in the box of its text."""
        for at in rows:
            x0, top, x1, bottom, *others = self._rows[at]
            self._rows[at] = (min(x0, box[0]), min(top, box[1]), max(x1, box[2]), max(bottom, box[3]), *others)

    def _box(
        self, matrix: Any, font: Any, size: float, advance: float, rise: float, *, vertical: bool
    ) -> tuple[float, float, float, float]:
        """Return the advance box on the page as displayed."""
        if vertical:
            drawn = (-size / 2, advance + rise, size / 2, rise)
        else:
            ascent, descent = font.get_ascent() or _DEFAULT_ASCENT, font.get_descent() or _DEFAULT_DESCENT
            drawn = (0.0, descent * size + rise, advance, ascent * size + rise)
        x0, y0, x1, y1 = apply_matrix_rect(matrix, drawn)
        return x0 - self._left, self._top - y1, x1 - self._left, self._top - y0

    def _add(
        self, text: str, box: tuple[float, ...], matrix: Any, fontsize: float, style: int, *, vertical: bool
    ) -> None:
        a, b, c, d, x, y = matrix
        width, height = self.page_size
        if not (-1 <= (box[0] + box[2]) / 2 <= width + 1 and -1 <= (box[1] + box[3]) / 2 <= height + 1):
            self._outside += len(text)
            return
        angle = _clockwise_degrees(a * fontsize, b * fontsize, vertical=vertical)
        baseline = x - self._left if angle in (90, 270) else self._top - y
        size = abs(fontsize) * float(np.hypot(c, d))
        content = self._contents[-1] if self._contents else -1
        for index, character in enumerate(text):
            self._texts.append(character)
            blanks = 0 if index else self._blanks
            unmapped = character == _REPLACEMENT
            self._rows.append((*box, baseline, size, angle, style, content, blanks, index > 0, vertical, unmapped))
        self._blanks = 0

    def _style(self, font: Any, colour: Any) -> int:
        """Return the number of the style of a character."""
        facts = self._facts.get(id(font))
        if facts is None:
            name = font.fontname if isinstance(font.fontname, str) else font.fontname.decode("latin-1")
            facts = self._facts[id(font)] = facts_of_name(name, font.flags if isinstance(font.flags, int) else 0)
        style = TextStyle(
            font=facts.name,
            bold=facts.bold or self._mode == _FILL_AND_STROKE_MODE,
            italic=facts.italic,
            fixed_pitch=facts.fixed_pitch,
            mathematics=facts.mathematics,
            invisible=self._mode == INVISIBLE_MODE,
            colour=_rgb(colour),
        )
        return self._styles.setdefault(style, len(self._styles))

    def characters(self) -> Characters:
        """Return what was collected."""
        columns = np.array(self._rows, "f8").reshape(-1, 13).T
        x0, top, x1, bottom, baseline, size, angle, style, content, blanks, piece, vertical, unmapped = columns
        text = "".join(self._texts)
        return Characters(
            text=text,
            code=np.frombuffer(text.encode("utf-32-le", "replace"), "<u4"),
            x0=x0,
            top=top,
            x1=x1,
            bottom=bottom,
            baseline=baseline,
            size=size,
            angle=angle,
            style=style.astype("i4"),
            styles=list(self._styles),
            content_id=content.astype("i4"),
            blanks_before=blanks.astype("i4"),
            piece=piece.astype(bool),
            vertical=vertical.astype(bool),
            unmapped=unmapped.astype(bool),
            outside=self._outside,
            truncated=self._truncated,
            hidden_text="".join(self._hidden)[:MAX_TEXT_CHARACTERS],
        )


def _clockwise_degrees(x: float, y: float, *, vertical: bool) -> float:
    """Return the angle of a writing direction, given as pdfminer has it: y grows upwards."""
    degrees = -float(np.degrees(np.arctan2(y, x))) + (90 if vertical else 0)
    square = round(degrees / 90) * 90
    return (square if abs(degrees - square) < MAX_SKEW_DEGREES else round(degrees)) % 360


def _rgb(colour: Any) -> tuple[int, int, int]:
    """Return a colour of one (grey), three or four (CMYK) shares as red, green and blue, 0-255; black for others."""
    parts: Sequence[Any] = colour if isinstance(colour, (tuple, list)) else (colour,)
    if not all(isinstance(part, (int, float)) for part in parts):
        return (0, 0, 0)
    if len(parts) == 1:
        parts = (*parts, *parts, *parts)
    elif len(parts) == 4:
        parts = [(1 - part) * (1 - parts[3]) for part in parts[:3]]
    if len(parts) != 3:
        return (0, 0, 0)
    red, green, blue = (round(255 * min(1.0, max(0.0, part))) for part in parts)
    return red, green, blue
