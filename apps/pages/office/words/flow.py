"""Turn the paragraphs and tables of an Open XML text into blocks."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import msgspec

from apps.pages.model.blocks import Block, BlockType, Cell
from apps.pages.model.geometry import NO_BOX
from apps.pages.model.text.safe_text import clean
from apps.pages.office.drawing import charts, diagrams
from apps.pages.office.drawing.pictures import image_of
from apps.pages.office.spanned_text import Spanned, joined
from apps.pages.office.words.inline import Inline, PageContext
from apps.pages.office.words.parts import W, is_on, number, value
from apps.pages.office.words.styles import BODY_TEXT, ParagraphStyle
from apps.pages.office.xml_parts import Element, attribute, local_name

MAX_COLUMNS, MAX_NESTING = 500, 8
P, TABLE = f"{W}p", f"{W}tbl"
# Around paragraphs and tables, or around rows and cells: content controls and tracked changes.
_AROUND = frozenset({"sdt", "sdtContent", "customXml", "ins", "moveTo", "smartTag"})
_PICTURE = frozenset({"pic", "imagedata"})
# In a typewriter's font alone, prose would be code, too.
LOOKS_LIKE_CODE = re.compile(r"[{}();=<>_\\|#$]|^\s{2,}|\w\.\w+\(")
Markers = Callable[[Element], str | None]


def content_of(element: Element, *tags: str) -> Iterator[Element]:
    """Yield the children with these tags, also those inside content controls and accepted changes."""
    for child in element:
        if child.tag in tags:
            yield child
        elif isinstance(child.tag, str) and local_name(child) in _AROUND:
            yield from content_of(child, *tags)


def paragraph_style(paragraph: Element, page: PageContext) -> tuple[ParagraphStyle, str]:
    """Return the style of a paragraph with what the paragraph itself changes, and the number of its list."""
    properties = paragraph.find(f"{W}pPr")
    if properties is None:
        style = page.styles.paragraph("")
        return style, style.numbering[0]
    style = page.styles.paragraph(value(properties, "pStyle"))
    if outline := value(properties, "outlineLvl"):
        level = number(outline, BODY_TEXT)
        if not style.level and level < BODY_TEXT:
            style = style._replace(level=min(6, level + 1))
    numbering = properties.find(f"{W}numPr")
    if numbering is not None:
        list_number, level_text = value(numbering, "numId"), value(numbering, "ilvl")
        style = style._replace(
            numbering=(list_number or style.numbering[0], number(level_text) if level_text else style.numbering[1])
        )
    return style, style.numbering[0] if style.numbering[0] != "0" else ""


@dataclass(frozen=True, slots=True)
class Flow:
    """``marker_of``: the marker of a paragraph in a list, None for one that is in none."""

    page: PageContext
    marker_of: Markers

    def blocks(self, elements: Sequence[Element], depth: int = 0) -> list[Block]:
        blocks: list[Block] = []
        for element in elements:
            if element.tag == P:
                blocks += self.paragraph(element, depth)
            elif depth < MAX_NESTING:
                blocks += self.table(element, depth)
            else:
                self.page.is_cut = True
        return with_joined_code(blocks)

    def paragraph(self, paragraph: Element, depth: int = 0) -> list[Block]:
        """Return the block of a paragraph, then those of its pictures and text boxes."""
        style, _list_number = paragraph_style(paragraph, self.page)
        inline = Inline(self.page, style.characters)
        inline.read(paragraph)
        blocks = []
        if inline.text:
            blocks.append(self._text_block(paragraph, style, inline))
        blocks += [Block(BlockType.PARAGRAPH, NO_BOX, text=latex, latex=latex) for latex in inline.displayed if latex]
        if len(inline.displayed) == 0 and len(blocks) == 1 and blocks[0].type is BlockType.PARAGRAPH:
            blocks = [as_displayed(blocks[0])]
        for drawing in inline.drawings:
            blocks += self._drawing(drawing, depth)
        return blocks

    def _text_block(self, paragraph: Element, style: ParagraphStyle, inline: Inline) -> Block:
        marker = self.marker_of(paragraph)
        is_code = style.is_code
        if inline.is_monospaced and marker is None and not style.level:
            is_code = is_code or LOOKS_LIKE_CODE.search(inline.text.result(keeps_blanks=True)[0]) is not None
        text, spans = inline.text.result(keeps_blanks=is_code)
        if is_code:
            return Block(BlockType.CODE, NO_BOX, text=text)
        if style.level:
            level = min(6, style.level + (self.page.has_title and not style.is_title))
            return Block(
                BlockType.HEADING,
                NO_BOX,
                text=text.replace("\n", " "),
                spans=spans,
                level=level,
                marker=marker or "",
            )
        if marker:
            level = min(9, style.numbering[1] + 1)
            text = text.replace("\n", " ")
            return Block(BlockType.LIST_ITEM, NO_BOX, text=text, spans=spans, level=level, marker=marker)
        if style.is_caption:
            return Block(BlockType.CAPTION, NO_BOX, text=text, spans=spans)
        return Block(BlockType.PARAGRAPH, NO_BOX, text=text, spans=spans, level=int(style.is_quote))

    def _drawing(self, drawing: Element, depth: int) -> list[Block]:
        """Return a picture with its alternative text, or the content of text boxes."""
        blocks: list[Block] = []
        for box in _text_boxes(drawing):
            if depth < MAX_NESTING:
                blocks += self.blocks(list(content_of(box, P, TABLE)), depth + 1)
            else:
                self.page.is_cut = True
        blocks += self._data(drawing)
        pictures = _pictures(drawing)
        if pictures:
            images = [image_of(picture, self.page.links) for picture in pictures]
            described = next(drawing.iter("{*}docPr"), None)
            text = (described.get("descr") or described.get("title") or "") if described is not None else ""
            if described is None:
                shape = next(drawing.iter("{urn:schemas-microsoft-com:vml}shape"), None)
                text = shape.get("alt", "") if shape is not None else ""
            self.page.pictures += len(pictures)
            description = " ".join(clean(text).split())
            # The text describes the whole drawing.
            first, *others = [Block(BlockType.PICTURE, NO_BOX, image=image) for image in images]
            blocks[:0] = [msgspec.structs.replace(first, description=description), *others]
        return blocks

    def _data(self, drawing: Element) -> list[Block]:
        """Return the data of charts as tables, and the text of diagrams as lists."""
        blocks: list[Block] = []
        for element in drawing.iter("{*}chart", "{*}relIds"):
            is_chart = local_name(element) == "chart"
            link = self.page.links.get(attribute(element, "id" if is_chart else "dm"))
            if link is not None and not link.is_external:
                read = charts.blocks_of_chart if is_chart else diagrams.blocks_of_diagram
                blocks += read(self.page.archive, link.target)
        return blocks

    def table(self, table: Element, depth: int = 0, first: int = 0, last: int | None = None) -> list[Block]:
        """Return a table, ``first`` to ``last`` (excluded) of its rows. The only cell of a table is no table."""
        rows = [row for row in content_of(table, f"{W}tr") if not self._is_deleted(row)][first:last]
        only = [cell for row in rows for cell in content_of(row, f"{W}tc")] if len(rows) == 1 else []
        if len(only) == 1:
            return self.blocks(list(content_of(only[0], P, TABLE)), depth + 1)
        cells: list[Cell] = []
        above: dict[int, int] = {}  # column -> place in ``cells`` of the cell that goes on below
        pictures: list[Block] = []
        headers = _header_rows(table, rows) if first == 0 else 0
        for index, row in enumerate(rows):
            properties = row.find(f"{W}trPr")
            column = number(value(properties, "gridBefore")) if properties is not None else 0
            for cell in content_of(row, f"{W}tc"):
                cell_properties = cell.find(f"{W}tcPr")
                width = max(1, min(MAX_COLUMNS, number(value(cell_properties, "gridSpan"), 1)))
                merge = cell_properties.find(f"{W}vMerge") if cell_properties is not None else None
                if not 0 <= column <= MAX_COLUMNS - width:
                    self.page.is_cut = True
                    break
                if merge is not None and merge.get(f"{W}val") != "restart" and column in above:
                    owner = cells[above[column]]
                    cells[above[column]] = msgspec.structs.replace(owner, row_span=index - owner.row + 1)
                else:
                    text, spans = self._cell(cell, depth, pictures)
                    above.pop(column, None)
                    if merge is not None:
                        above[column] = len(cells)
                    cells.append(
                        Cell(
                            row=index, column=column, text=text, column_span=width, header=index < headers, spans=spans
                        )
                    )
                column += width
        table_block = [Block(BlockType.TABLE, NO_BOX, cells=tuple(cells))] if cells else []
        return table_block + pictures

    def _is_deleted(self, row: Element) -> bool:
        properties = row.find(f"{W}trPr")
        deleted = properties.find(f"{W}del") if properties is not None else None
        if deleted is None:
            return False
        text = " ".join(filter(None, (part.text for part in row.iter(f"{W}delText", f"{W}t"))))
        self.page.change("deleted", clean(text), deleted.get(f"{W}author", ""))
        return True

    def _cell(self, cell: Element, depth: int, pictures: list[Block]) -> Spanned:
        """Return the text of a cell: its paragraphs and the rows of tables in it as lines."""
        parts: list[Spanned] = []
        for block in self.blocks(list(content_of(cell, P, TABLE)), depth + 1):
            if block.type is BlockType.PICTURE:
                pictures.append(block)
            elif block.type is BlockType.TABLE:
                rows: dict[int, list[Spanned]] = {}
                for inner in block.cells:
                    rows.setdefault(inner.row, []).append((inner.text, inner.spans))
                parts += [joined(row, " | ") for row in rows.values()]
            elif block.latex:
                parts.append(joined([(f"${block.latex}$", ())]))
            elif block.marker and block.type in (BlockType.LIST_ITEM, BlockType.HEADING):
                parts.append(joined([(block.marker, ()), (block.text, block.spans)], " "))
            else:
                parts.append((block.text, block.spans))
        return joined(parts)


def with_joined_code(blocks: Sequence[Block]) -> list[Block]:
    """Return the blocks with neighbouring lines of code as one block."""
    joined_blocks: list[Block] = []
    for block in blocks:
        last = joined_blocks[-1] if joined_blocks else None
        if last is not None and last.type is block.type is BlockType.CODE:
            joined_blocks[-1] = msgspec.structs.replace(last, text=f"{last.text}\n{block.text}")
        else:
            joined_blocks.append(block)
    return joined_blocks


def as_displayed(block: Block) -> Block:
    """Return a paragraph that is nothing but one equation as an equation on a line of its own."""
    if len(block.spans) == 1 and block.spans[0].latex and block.spans[0].end - block.spans[0].start == len(block.text):
        latex = block.text.strip("$")
        return Block(BlockType.PARAGRAPH, NO_BOX, text=latex, latex=latex)
    return block


def _header_rows(table: Element, rows: Sequence[Element]) -> int:
    """Return how many rows head the table: those marked as such, or the first if the table's style sets it apart."""
    count = 0
    for row in rows:
        if not is_on(row.find(f"{W}trPr"), "tblHeader"):
            break
        count += 1
    if count or len(rows) < 2:
        return count if count < len(rows) else 1
    properties = table.find(f"{W}tblPr")
    look = properties.find(f"{W}tblLook") if properties is not None else None
    if look is None:
        return 0
    flag = look.get(f"{W}firstRow")
    try:
        return int(flag in ("1", "true", "on") if flag is not None else int(look.get(f"{W}val", "0"), 16) & 0x20 > 0)
    except ValueError:
        return 0


def _text_boxes(drawing: Element) -> Iterator[Element]:
    """Yield the outermost text boxes."""
    for child in drawing:
        if not isinstance(child.tag, str):
            continue
        name = local_name(child)
        if name == "txbxContent":
            yield child
        elif name != "Fallback":
            yield from _text_boxes(child)


def _pictures(drawing: Element) -> list[Element]:
    """Return the pictures in a drawing, without those in text boxes."""
    found: list[Element] = []
    for child in drawing:
        if not isinstance(child.tag, str):
            continue
        name = local_name(child)
        if name in _PICTURE:
            found.append(child)
        if name not in ("txbxContent", "Fallback", "pic"):
            found += _pictures(child)
    return found
