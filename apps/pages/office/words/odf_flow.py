"""Turn the paragraphs, lists and tables of OpenDocument texts into blocks (ODF 1.3 part 3, sections 5 to 9)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from apps.pages.model.blocks import Block, BlockType, Cell, Revision
from apps.pages.model.geometry import NO_BOX
from apps.pages.model.text.safe_text import clean
from apps.pages.office.archive import Archive
from apps.pages.office.drawing.pictures import image_of_frame
from apps.pages.office.equations import mathml
from apps.pages.office.sheets import ods
from apps.pages.office.spanned_text import PLAIN, Format, Spanned, SpannedText, combined, joined
from apps.pages.office.words.flow import as_displayed, with_joined_code
from apps.pages.office.words.inline import web_address
from apps.pages.office.words.odf_styles import OdfLevel, OdfStyles, marker_of
from apps.pages.office.words.paging import CHARACTERS_PER_PAGE, MAX_CHARACTERS_PER_PAGE
from apps.pages.office.words.parts import number
from apps.pages.office.xml_parts import Element, attribute, local_name

MAX_REPEATED, MAX_COLUMNS = 100, 500
# Their content is shown elsewhere, or is not text.
_ASIDE = frozenset(
    {"tracked-changes", "sequence-decls", "forms", "variable-decls", "user-field-decls", "desc", "title"}
)


@dataclass(slots=True)
class OdfPage:
    """A page while it is read."""

    blocks: list[Block] = field(default_factory=list)
    notes: list[Block] = field(default_factory=list)
    revisions: list[Revision] = field(default_factory=list)
    pictures: int = 0
    characters: int = 0
    is_cut: bool = False


@dataclass(slots=True)
class _ListState:
    """Where in which list a paragraph is. ``marker``: of the next paragraph, "" once it is used."""

    levels: dict[int, OdfLevel]
    depth: int
    marker: str = ""


class OdfFlow:
    """``pages``; ``endnotes``; ``comments`` and ``objects``: whether there are any."""

    def __init__(self, styles: OdfStyles, archive: Archive | None = None) -> None:
        """``archive``: where the equations and charts of the text are."""
        self.pages = [OdfPage()]
        self.endnotes: list[Block] = []
        self.comments = self.objects = False
        self._styles, self._archive = styles, archive
        self._counts: dict[str, dict[int, int]] = {}
        self._list_counts: dict[int, int] = {}
        self._headings: dict[int, int] = {}
        self._changes: dict[str, tuple[str, str, str]] = {}
        self._inserted: dict[str, list[str]] = {}
        self._boxes: list[Element] = []
        self._has_title = self._has_soft_breaks = False

    def read(self, element: Element) -> None:
        """Read a text from its first to its last page."""
        self._has_soft_breaks = next(element.iter("{*}soft-page-break"), None) is not None
        self._has_title = any(
            self._styles.style(attribute(one, "style-name")).is_title for one in element.iterfind("{*}p")
        )
        for region in element.iterfind("{*}tracked-changes/{*}changed-region"):
            change = next(iter(region), None)
            if change is not None:
                kind = {"insertion": "inserted", "deletion": "deleted"}.get(local_name(change), "formatted")
                author = clean("".join(change.findtext("{*}change-info/{*}creator") or ""))
                text = "\n".join("".join(part.itertext()) for part in change.iterfind("{*}p"))
                identity = attribute(region, "id")
                self._changes[identity] = (kind, author, clean(text))
        self._blocks(element, self.pages[0].blocks, None, 0)
        for page in self.pages:
            page.blocks = with_joined_code(page.blocks)
        if len(self.pages) > 1 and not self.pages[-1].blocks:
            self.pages.pop()

    @property
    def _page(self) -> OdfPage:
        return self.pages[-1]

    def _blocks(self, element: Element, target: list[Block], state: _ListState | None, depth: int) -> None:
        """Add the blocks inside of an element to ``target``: to the page at depth 0, else to a cell or a note."""
        for child in element:
            if not isinstance(child.tag, str):
                continue
            name = local_name(child)
            if depth == 0 and name in ("p", "h", "table", "list"):
                self._begin_block(child)
            here = self._page.blocks if depth == 0 else target
            if name in ("p", "h"):
                self._paragraph(child, here, state)
            elif name == "list":
                self._list(child, here, state, depth)
            elif name == "table":
                self._table(child, here)
            elif name == "soft-page-break":
                self._break(depth)
            elif name.startswith("change"):
                self._change(child)
            elif name not in _ASIDE:
                self._blocks(child, here, state, depth)

    def _begin_block(self, child: Element) -> None:
        style = self._styles.style(attribute(child, "style-name"))
        length = self._page.characters
        is_full = length >= (MAX_CHARACTERS_PER_PAGE if self._has_soft_breaks else CHARACTERS_PER_PAGE)
        is_nearly = local_name(child) == "h" and not self._has_soft_breaks and length >= CHARACTERS_PER_PAGE * 2 // 3
        if style.breaks_page or is_full or is_nearly:
            self._break()
        self._page.characters += sum(len(text) for text in child.itertext())

    def _break(self, depth: int = 0) -> None:
        """Begin a page, unless this one is empty or the break is inside of a block."""
        if depth == 0 and self._page.characters:
            self.pages.append(OdfPage())

    def _paragraph(self, element: Element, target: list[Block], state: _ListState | None) -> None:
        style = self._styles.style(attribute(element, "style-name"))
        level = number(attribute(element, "outline-level")) if local_name(element) == "h" else 0
        level = level or style.level
        text = SpannedText()
        self._boxes = []
        self._inline(element, text, PLAIN if level else style.characters)
        boxes, self._boxes = self._boxes, []
        marker = self._heading_marker(element, level) if level and state is None else ""
        if text:
            is_code = style.is_code or (style.is_monospaced and state is None and not level)
            content, spans = text.result(keeps_blanks=is_code)
            if is_code:
                block = Block(BlockType.CODE, NO_BOX, text=content)
            elif level:
                level = min(6, level + (self._has_title and not style.is_title))
                content = content.replace("\n", " ")
                marker = marker or (state.marker if state and state.marker != "-" else "")
                block = Block(BlockType.HEADING, NO_BOX, text=content, spans=spans, level=level, marker=marker)
            elif state is not None and state.marker:
                content = content.replace("\n", " ")
                block = Block(
                    BlockType.LIST_ITEM,
                    NO_BOX,
                    text=content,
                    spans=spans,
                    level=min(9, state.depth),
                    marker=state.marker,
                )
            else:
                kind = BlockType.CAPTION if style.is_caption else BlockType.PARAGRAPH
                quoted = int(style.is_quote and kind is BlockType.PARAGRAPH)
                block = as_displayed(Block(kind, NO_BOX, text=content, spans=spans, level=quoted))
            if state is not None:
                state.marker = ""
            target.append(block)
        for box in boxes:
            self._blocks(box, target, None, 1)

    def _heading_marker(self, element: Element, level: int) -> str:
        levels = self._styles.lists.get("", {})
        if level not in levels or attribute(element, "is-list-header") == "true":
            return ""
        self._headings[level] = self._headings.get(level, levels[level].start - 1) + 1
        for deeper in [other for other in self._headings if other > level]:
            del self._headings[deeper]
        return marker_of(levels, level, self._headings)

    def _list(self, element: Element, target: list[Block], outer: _ListState | None, depth: int) -> None:
        name = attribute(element, "style-name")
        levels = self._styles.lists.get(name, {}) if name or outer is None else outer.levels
        level = outer.depth + 1 if outer else 1
        counts = self._counts.setdefault(name or "", {}) if outer is None or name else self._list_counts
        goes_on = attribute(element, "continue-numbering") == "true" or attribute(element, "continue-list")
        if not goes_on:
            counts.pop(level, None)
        before, self._list_counts = self._list_counts, counts
        for item in element:
            if not isinstance(item.tag, str):
                continue
            state = _ListState(levels, level)
            if local_name(item) == "list-item" and any(local_name(part) in ("p", "h") for part in item):
                start = attribute(item, "start-value")
                first = levels[level].start if level in levels else 1
                counts[level] = number(start) if start else counts.get(level, first - 1) + 1
                for deeper in [other for other in counts if other > level]:
                    del counts[deeper]
                state.marker = marker_of(levels, level, counts)
            self._blocks(item, target, state, max(depth, 1))
        self._list_counts = before

    def _table(self, table: Element, target: list[Block]) -> None:
        cells: list[Cell] = []
        rows = [row for row in table.iter("{*}table-row") if next(row.iterancestors("{*}table")) is table]
        for index, row in enumerate(rows):
            column = 0
            is_header = next(row.iterancestors("{*}table-header-rows", "{*}table"), table) is not table
            for cell in row:
                if not isinstance(cell.tag, str):
                    continue
                if column >= MAX_COLUMNS:
                    self._page.is_cut = True
                    break
                repeated = min(MAX_REPEATED, number(attribute(cell, "number-columns-repeated"), 1))
                if local_name(cell) == "table-cell":
                    width = max(1, min(MAX_COLUMNS - column, number(attribute(cell, "number-columns-spanned"), 1)))
                    height = max(1, min(len(rows) - index, number(attribute(cell, "number-rows-spanned"), 1)))
                    text, spans = self._cell(cell)
                    cells.append(
                        Cell(
                            row=index,
                            column=column,
                            text=text,
                            row_span=height,
                            column_span=width,
                            header=is_header,
                            spans=spans,
                        )
                    )
                    again = range(column + 1, column + repeated)
                    cells += [Cell(row=index, column=other, text=text, spans=spans) for other in again]
                column += max(1, repeated)
        cells = [cell for cell in cells if cell.column < MAX_COLUMNS]
        if cells:
            target.append(Block(BlockType.TABLE, NO_BOX, cells=tuple(cells)))

    def _cell(self, cell: Element) -> Spanned:
        blocks: list[Block] = []
        self._blocks(cell, blocks, None, 1)
        parts: list[Spanned] = []
        for block in blocks:
            if block.type is BlockType.TABLE:
                rows: dict[int, list[Spanned]] = {}
                for inner in block.cells:
                    rows.setdefault(inner.row, []).append((inner.text, inner.spans))
                parts += [joined(row, " | ") for row in rows.values()]
            elif block.latex:
                parts.append((f"${block.latex}$", ()))
            elif block.marker:
                parts.append(joined([(block.marker, ()), (block.text, block.spans)], " "))
            else:
                parts.append((block.text, block.spans))
        return joined(parts)

    def _inline(self, element: Element, text: SpannedText, style: Format) -> None:
        self._add(element.text, text, style)
        for child in element:
            if isinstance(child.tag, str):
                name = local_name(child)
                read = _INLINE.get(name)
                if read is not None:
                    read(self, child, text, style)
                elif name not in _ASIDE:
                    self._inline(child, text, style)
            self._add(child.tail, text, style)

    def _add(self, content: str | None, text: SpannedText, style: Format) -> None:
        if content:
            # Blanks and newlines of the XML are one blank each.
            text.add(content.replace("\n", " ").replace("\t", " "), style)
            for parts in self._inserted.values():
                parts.append(content)

    def span(self, child: Element, text: SpannedText, style: Format) -> None:
        named = self._styles.style(attribute(child, "style-name")).characters
        self._inline(child, text, combined(style, named))

    def link(self, child: Element, text: SpannedText, style: Format) -> None:
        self._inline(child, text, style._replace(url=web_address(attribute(child, "href"))))

    def note(self, child: Element, text: SpannedText, style: Format) -> None:
        citation = child.find("{*}note-citation")
        mark = clean("".join(citation.itertext())).strip() if citation is not None else ""
        text.add(mark, style._replace(level=1))
        body = child.find("{*}note-body")
        blocks: list[Block] = []
        if body is not None:
            boxes = self._boxes
            self._blocks(body, blocks, None, 1)
            self._boxes = boxes
        content = " ".join(block.text.replace("\n", " ") for block in blocks if block.text)
        target = self.endnotes if attribute(child, "note-class") == "endnote" else self._page.notes
        target.append(Block(BlockType.FOOTNOTE, NO_BOX, text=f"{mark} {content}".strip()))

    def annotation(self, child: Element, _text: SpannedText, _style: Format) -> None:
        self.comments = True
        content = "\n".join("".join(part.itertext()) for part in child.iter("{*}p"))
        author = child.findtext("{*}creator") or ""
        self._page.revisions.append(Revision("comment", clean(content), author=clean(author)))

    def change(self, child: Element, _text: SpannedText, _style: Format) -> None:
        self._change(child)

    def _change(self, child: Element) -> None:
        identity, name = attribute(child, "change-id"), local_name(child)
        kind, author, content = self._changes.get(identity, ("", "", ""))
        if name == "change-start":
            self._inserted[identity] = []
        elif name == "change-end":
            content = clean("".join(self._inserted.pop(identity, ())))
        if kind and name != "change-start":
            self._page.revisions.append(Revision(kind, content, author=author))

    def frame(self, child: Element, text: SpannedText, _style: Format) -> None:
        """Keep the text boxes of a frame for after the paragraph; a picture has its description."""
        around = next(child.iterancestors("{*}text-box"), None)
        boxes = [box for box in child.iter("{*}text-box") if next(box.iterancestors("{*}text-box"), None) is around]
        self._boxes += boxes
        if boxes:
            return
        content = child.find("{*}object")
        if content is not None and self._archive is not None:
            address = attribute(content, "href")
            if latex := mathml.latex_of_object(self._archive, address):
                text.add(f"${latex}$", Format(latex=True))
                return
            if chart := ods.chart_blocks(self._archive, address):
                self._page.blocks += chart
                return
        self.objects = self.objects or content is not None or child.find("{*}object-ole") is not None
        if child.find("{*}image") is not None or child.find("{*}object") is not None:
            description = child.findtext("{*}desc") or child.findtext("{*}title") or ""
            self._page.pictures += 1
            description = " ".join(clean(description).split())
            picture = Block(BlockType.PICTURE, NO_BOX, description=description, image=image_of_frame(child))
            self._page.blocks.append(picture)

    def blanks(self, child: Element, text: SpannedText, style: Format) -> None:
        text.add(" " * max(1, min(200, number(attribute(child, "c"), 1))), style)

    def tab(self, _child: Element, text: SpannedText, style: Format) -> None:
        text.add("\t", style)

    def line_break(self, _child: Element, text: SpannedText, style: Format) -> None:
        text.add("\n", style)

    def shape(self, child: Element, _text: SpannedText, _style: Format) -> None:
        self._boxes.append(child)

    def ruby(self, child: Element, text: SpannedText, style: Format) -> None:
        base = child.find("{*}ruby-base")
        if base is not None:
            self._inline(base, text, style)


_Read = Callable[[OdfFlow, Element, SpannedText, Format], None]
_INLINE: dict[str, _Read] = {
    "span": OdfFlow.span,
    "a": OdfFlow.link,
    "note": OdfFlow.note,
    "annotation": OdfFlow.annotation,
    "change": OdfFlow.change,
    "change-start": OdfFlow.change,
    "change-end": OdfFlow.change,
    "frame": OdfFlow.frame,
    "custom-shape": OdfFlow.shape,
    "s": OdfFlow.blanks,
    "tab": OdfFlow.tab,
    "line-break": OdfFlow.line_break,
    "ruby": OdfFlow.ruby,
}
