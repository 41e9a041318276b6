"""Turn the elements of a web page into blocks, in the order in which a person reads them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple
from urllib.parse import urljoin

import msgspec
from lxml import etree

from apps.pages.model.blocks import Block, BlockType, Cell, TextSpan
from apps.pages.model.geometry import NO_BOX
from apps.pages.model.office_options import OfficeOptions
from apps.pages.model.text.addresses import is_shown_address
from apps.pages.model.text.safe_text import clean
from apps.pages.office import numerals, spanned_text, symbol_fonts
from apps.pages.office.drawing.pictures import ImageOf, image_of_address
from apps.pages.office.equations import mathml
from apps.pages.office.web import html_tables, visibility
from apps.pages.office.web.inline_text import PLAIN, InlineStyle, InlineText
from apps.pages.office.xml_parts import Element, local_name

MAX_DEPTH = 150
"""Elements nested more deeply are read as the text that they hold."""
PICTURES_NOT_READ, CUT = "pictures_not_read", "text_truncated"
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_INLINE_NAMES = (
    "a abbr acronym b bdi bdo big blink button cite code data del dfn em font i ins kbd label mark math meter nobr o:p "
    "output progress q rb rt ruby s samp small span strike strong sub sup time tt u var wbr"
)
_INLINE = frozenset(_INLINE_NAMES.split())
_STYLES: dict[str, dict[str, bool | int]] = {
    **{name: {"bold": True} for name in ("b", "strong")},
    **{name: {"italic": True} for name in ("i", "em", "var", "cite", "dfn")},
    **{name: {"struck": True} for name in ("s", "strike", "del")},
    **{name: {"code": True} for name in ("code", "kbd", "samp", "tt")},
    "sup": {"level": 1},
    "sub": {"level": -1},
}
_BOLD = re.compile(r"font-weight\s*:\s*(?:bold|[6-9]00)", re.IGNORECASE)
_ITALIC = re.compile(r"font-style\s*:\s*italic", re.IGNORECASE)
_STRUCK = re.compile(r"text-decoration[^;:]*:[^;]*line-through", re.IGNORECASE)
_FONT = re.compile(r"font-family\s*:\s*[\"']?([^;,\"']+)", re.IGNORECASE)
_SCHEME = re.compile(r"\s*[^/?#]*:")
_CHECK_BOX = re.compile(r"\[([ xX])\]\s+(?=\S)")


class WebText(NamedTuple):
    """What was read. ``warnings`` are public codes."""

    blocks: tuple[Block, ...]
    warnings: tuple[str, ...]


class _Place(NamedTuple):
    """What the next text becomes. ``is_whole``: paragraphs inside do not part it."""

    type: BlockType = BlockType.PARAGRAPH
    level: int = 0
    marker: str = ""
    is_whole: bool = False


def read(root: Element, options: OfficeOptions, base_url: str = "", image_of: ImageOf = image_of_address) -> WebText:
    """Return the blocks of an element; ``base_url``: what the addresses of its links are relative to.

    ``image_of``: finds the image file of an address.
    """
    reader = _HtmlReader(options, base_url, image_of)
    reader.read(root, PLAIN)
    reader.flush()
    return WebText(tuple(reader.blocks), tuple(dict.fromkeys(reader.warnings)))


class _HtmlReader:
    def __init__(self, options: OfficeOptions, base_url: str, image_of: ImageOf) -> None:
        self.blocks: list[Block] = []
        self.warnings: list[str] = []
        self._options, self._base_url, self._image_of = options, base_url, image_of
        self._inline = InlineText()
        self._pictures: list[Block] = []
        self._place = _Place()
        self._list_level = 0
        self._depth = 0
        self._in_cell = False

    def flush(self) -> None:
        """Make a block of the text since the last one, and those of the pictures inside of it."""
        text, spans = self._inline.take()
        if text:
            kind, level, marker, _is_whole = self._place
            found = _CHECK_BOX.match(text) if kind is BlockType.LIST_ITEM else None
            if found:
                marker = f"[{found[1]}]"
                text, spans = spanned_text.shifted((text[found.end() :], spans), found.end())
            if kind is not BlockType.PARAGRAPH:
                text = text.replace("\n", " ")
            self.blocks.append(Block(kind, NO_BOX, text=text, level=level, marker=marker, spans=spans))
            if kind is BlockType.LIST_ITEM:  # what follows in the item belongs to it and has no marker of its own
                self._place = _Place()
        self.blocks += self._pictures
        self._pictures.clear()

    def read(self, element: Element, style: InlineStyle) -> None:
        """Read an element; what follows it is its parent's."""
        name = local_name(element).lower()
        if not visibility.is_read(element, name, self._options):
            return
        if self._depth >= MAX_DEPTH:
            self._inline.add(" ".join(_visible_text(element, self._options)), style)
            return
        self._depth += 1
        method = getattr(self, f"_read_{name}", None) if name.isalnum() else None
        if method is not None:
            method(element, style)
        elif name in _HEADINGS:
            with self._in_place(_Place(BlockType.HEADING, _HEADINGS[name], is_whole=True)):
                self._children(element, style)
        elif name in _INLINE:
            self._children(element, self._styled(element, name, style))
        else:
            self._paragraph(element, style)
        self._depth -= 1

    def _children(self, element: Element, style: InlineStyle) -> None:
        if element.text:
            self._inline.add(element.text, style)
        for child in element:
            self.read(child, style)
            if child.tail:
                self._inline.add(child.tail, style)

    def _paragraph(self, element: Element, style: InlineStyle) -> None:
        """Read an element that begins and ends a line. In a list item and a cell it stays part of them."""
        self._end_paragraph()
        self._children(element, style)
        self._end_paragraph()

    def _end_paragraph(self) -> None:
        if self._place.is_whole:
            self._inline.end_line()
        else:
            self.flush()

    @contextmanager
    def _in_place(self, place: _Place) -> Iterator[None]:
        self.flush()
        before, self._place = self._place, place
        yield
        self.flush()
        self._place = before

    def _styled(self, element: Element, name: str, style: InlineStyle) -> InlineStyle:
        style = style._replace(**_STYLES.get(name, {}))  # type: ignore[arg-type]
        css = element.get("style")
        if css:
            style = style._replace(
                bold=style.bold or bool(_BOLD.search(css)),
                italic=style.italic or bool(_ITALIC.search(css)),
                struck=style.struck or bool(_STRUCK.search(css)),
            )
        named = _FONT.search(css) if css else None
        font = named[1] if named else element.get("face", "").partition(",")[0]
        if font:
            style = style._replace(symbol_font=font if symbol_fonts.is_symbol_font(font) else "")
        return style

    def _read_a(self, element: Element, style: InlineStyle) -> None:
        address = (element.get("href") or "").strip()
        if address:
            try:
                address = urljoin(self._base_url, address)
            except ValueError:
                address = ""
            if _SCHEME.match(address) and not is_shown_address(address):
                address = ""
        self._children(element, style._replace(url=address) if address else style)

    def _read_br(self, _element: Element, _style: InlineStyle) -> None:
        self._inline.break_line()

    def _read_hr(self, _element: Element, _style: InlineStyle) -> None:
        self.flush()

    def _read_q(self, element: Element, style: InlineStyle) -> None:
        self._inline.add("\N{LEFT DOUBLE QUOTATION MARK}", style)
        self._children(element, style)
        self._inline.add("\N{RIGHT DOUBLE QUOTATION MARK}", style)

    def _read_blockquote(self, element: Element, style: InlineStyle) -> None:
        with self._in_place(_Place(level=1)):
            self._children(element, style)

    def _read_figcaption(self, element: Element, style: InlineStyle) -> None:
        with self._in_place(_Place(BlockType.CAPTION, is_whole=True)):
            self._children(element, style)

    def _read_caption(self, element: Element, style: InlineStyle) -> None:
        self._read_figcaption(element, style)

    def _read_pre(self, element: Element, _style: InlineStyle) -> None:
        self.flush()
        text = clean("".join(_visible_text(element, self._options))).replace("\xa0", " ").strip("\n").rstrip()
        if text:
            self.blocks.append(Block(BlockType.CODE, NO_BOX, text=text))

    def _read_img(self, element: Element, _style: InlineStyle) -> None:
        if (element.get("width") or "").strip() in ("0", "1") or (element.get("height") or "").strip() in ("0", "1"):
            return  # counts readers, shows nothing
        description = " ".join((element.get("alt") or element.get("title") or "").split())
        image = self._image_of(element.get("src") or "")
        self._pictures.append(Block(BlockType.PICTURE, NO_BOX, description=description, image=image))
        self.warnings.append(PICTURES_NOT_READ)
        if self._inline.is_empty:
            self.flush()

    def _read_svg(self, element: Element, style: InlineStyle) -> None:
        for text in element.iter("{*}text", "text"):
            self._inline.add(" ".join(text.itertext()), style)
            self._inline.add(" ", style)

    def _read_math(self, element: Element, style: InlineStyle) -> None:
        if latex := mathml.latex(element):
            self._inline.add(f"${latex}$", style._replace(latex=True))

    # Forms: what a person sees in the fields.

    def _read_input(self, element: Element, style: InlineStyle) -> None:
        kind = (element.get("type") or "text").lower()
        if kind in ("checkbox", "radio"):
            self._inline.add("[x] " if element.get("checked") is not None else "[ ] ", style)
        elif value := element.get("value"):
            self._inline.add(f" {value} ", style)

    def _read_select(self, element: Element, style: InlineStyle) -> None:
        options = list(element.iter("{*}option", "option"))
        chosen = [option for option in options if option.get("selected") is not None] or options[:1]
        self._inline.add(" " + ", ".join("".join(option.itertext()).strip() for option in chosen) + " ", style)

    # Lists.

    def _read_ul(self, element: Element, style: InlineStyle) -> None:
        self._list(element, style)

    def _read_menu(self, element: Element, style: InlineStyle) -> None:
        self._list(element, style)

    def _read_dir(self, element: Element, style: InlineStyle) -> None:
        self._list(element, style)

    def _read_ol(self, element: Element, style: InlineStyle) -> None:
        self._list(element, style, is_ordered=True)

    def _list(self, element: Element, style: InlineStyle, *, is_ordered: bool = False) -> None:
        items = [child for child in element if local_name(child).lower() == "li"]
        is_reversed = element.get("reversed") is not None
        number = _whole(element.get("start"), len(items) if is_reversed else 1)
        self.flush()
        before, self._place = self._place, _Place()
        self._list_level += 1
        for child in element:
            if child not in items:
                self.read(child, style)
                self.flush()
                continue
            number = _whole(child.get("value"), number)
            self._item(child, style, _marker(number, element.get("type") or "") if is_ordered else "-")
            number += -1 if is_reversed else 1
        self._list_level -= 1
        self._place = before

    def _item(self, element: Element, style: InlineStyle, marker: str, extra_levels: int = 0) -> None:
        if not visibility.is_read(element, "li", self._options):
            return
        with self._in_place(_Place(BlockType.LIST_ITEM, self._list_level + extra_levels, marker, is_whole=True)):
            self._children(element, style)

    def _read_dl(self, element: Element, style: InlineStyle) -> None:
        self.flush()
        before, self._place = self._place, _Place()
        self._list_level += 1
        has_terms = False
        for child in element.iter("{*}dt", "dt", "{*}dd", "dd"):
            is_term = local_name(child).lower() == "dt"
            has_terms = has_terms or is_term
            self._item(child, style, "-", 0 if is_term or not has_terms else 1)
        self._list_level -= 1
        self._place = before

    # Tables.

    def _read_table(self, element: Element, style: InlineStyle) -> None:
        rows = html_tables.rows_of(element)
        if self._in_cell:
            for row, _is_head in rows:
                self._inline.end_line()
                for cell in row:
                    self.read(cell, style)
                    self._inline.add(" ", style)
            self._inline.end_line()
            return
        if html_tables.is_layout(element, rows):
            self._paragraph(element, style)
            return
        with self._in_place(_Place()):
            for caption in element:
                if local_name(caption).lower() == "caption":
                    self.read(caption, style)
            for grid, is_cut in html_tables.parts_of(rows):
                if is_cut:
                    self.warnings.append(CUT)
                cells = tuple(
                    Cell(row, column, text, row_span, column_span, header=is_header, spans=spans)
                    for content, row, column, row_span, column_span, is_header in grid
                    for text, spans in [self._cell(content, style)]
                )
                if any(cell.text for cell in cells):
                    self.blocks.append(Block(BlockType.TABLE, NO_BOX, cells=cells))
                self.flush()

    def _cell(self, element: Element, style: InlineStyle) -> tuple[str, tuple[TextSpan, ...]]:
        """Return the text of a cell: what would be blocks are its lines."""
        inner = _HtmlReader(self._options, self._base_url, self._image_of)
        inner._depth, inner._in_cell = self._depth, True
        inner._place = _Place(is_whole=True)
        if visibility.is_read(element, "td", self._options):
            inner._children(element, style)
        inner.flush()
        self.warnings += inner.warnings
        self._pictures += [block for block in inner.blocks if block.image]
        text, spans = "", []
        for block in inner.blocks:
            marker = f"{block.marker} " if block.marker else ""
            text += ("\n" if text else "") + marker
            whole = (TextSpan(0, len(block.text), code=True),) if block.type is BlockType.CODE else block.spans
            spans += [
                msgspec.structs.replace(span, start=span.start + len(text), end=span.end + len(text)) for span in whole
            ]
            text += block.text or block.description
        return text, tuple(spans)

    def _read_td(self, element: Element, style: InlineStyle) -> None:
        self._children(element, style) if self._in_cell else self._paragraph(element, style)

    def _read_th(self, element: Element, style: InlineStyle) -> None:
        self._read_td(element, style)


def _visible_text(element: Element, options: OfficeOptions) -> Iterator[str]:
    """Yield the text of an element with the blanks that it has."""
    walk = etree.iterwalk(element, events=("start", "end"))
    for event, inner in walk:
        if event == "end":
            if inner is not element and inner.tail:
                yield inner.tail
        elif inner is not element and not visibility.is_read(inner, local_name(inner).lower(), options):
            walk.skip_subtree()
        elif local_name(inner).lower() == "br":
            yield "\n"
        elif inner.text:
            yield inner.text


def _whole(text: str | None, default: int) -> int:
    text = (text or "").strip()
    return int(text) if re.fullmatch(r"-?\d{1,9}", text, re.ASCII) else default


def _marker(number: int, kind: str) -> str:
    if kind in ("a", "A") and number > 0:
        letters = ""
        while number:
            number, rest = divmod(number - 1, 26)
            letters = chr(ord(kind) + rest) + letters
        return f"{letters}."
    if kind in ("i", "I"):
        numeral = numerals.roman(number)
        return f"{numeral if kind == 'i' else numeral.upper()}."
    return f"{number}."
