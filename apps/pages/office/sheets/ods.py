"""OpenDocument workbooks (ods). Cells have the text that the program has shown in them."""

from __future__ import annotations

from functools import partial

from apps.pages.model.blocks import Block, BlockType, Revision
from apps.pages.model.errors import DamagedDocument, TooManyElements
from apps.pages.model.geometry import NO_BOX
from apps.pages.model.office_options import OfficeOptions
from apps.pages.model.text.addresses import is_shown_address
from apps.pages.model.text.safe_text import clean
from apps.pages.office import open_document_encryption, packages
from apps.pages.office.archive import Archive
from apps.pages.office.drawing.pictures import alternative_text, image_of_frame
from apps.pages.office.equations import mathml
from apps.pages.office.sheets import number_formats, open_document_text, tables
from apps.pages.office.sheets.content import MAX_CELLS, Area, FilledCell, SheetContent, cell_name
from apps.pages.office.sheets.workbook import HIDDEN_SHEETS, NOT_COMPUTED, PICTURES_NOT_READ, SheetSource, Workbook
from apps.pages.office.sources import Source
from apps.pages.office.xml_parts import Element, attribute, elements, local_name, part

MAX_ROW, MAX_COLUMN = 1_048_575, 16_383


def open_file(source: Source, password: str | None, options: OfficeOptions) -> Workbook:
    archive = open_document_encryption.unlocked(Archive(source, password), password)
    hidden_styles: set[str] = set()
    sheets: list[tuple[str, str, SheetContent]] = []
    if "content.xml" not in archive:
        raise DamagedDocument
    sheet, row = SheetContent(), 0
    with archive.opened("content.xml") as content:
        for element in elements(content, "{*}style", "{*}shapes", "{*}table-row", "{*}table"):
            kind = local_name(element)
            if kind == "style":
                properties = element.find("{*}table-properties")
                if properties is not None and attribute(properties, "display") == "false":
                    hidden_styles.add(attribute(element, "name"))
            elif kind == "table-row":
                if _is_nested(element):
                    continue
                row = _read_row(sheet, archive, element, row)
            elif kind == "shapes":
                for shape in element:
                    _read_shape(sheet, archive, shape)
            elif not _is_nested(element):
                sheets.append((clean(attribute(element, "name")), attribute(element, "style-name"), sheet))
                sheet, row = SheetContent(), 0
    shown = [entry for entry in sheets if options.hidden_sheets or entry[1] not in hidden_styles]
    sources = [SheetSource(name, partial(_same, content)) for name, _style, content in shown]
    return Workbook(
        packages.type_of_parts(archive),
        sources,
        title=open_document_text.title(archive),
        warnings=(HIDDEN_SHEETS,) if len(shown) < len(sheets) else (),
        options=options,
    )


def _same(content: SheetContent) -> SheetContent:
    return content


def _is_nested(element: Element) -> bool:
    """Return whether an element is in a table that a cell or a shape has."""
    return any(local_name(outer) in ("table-cell", "shapes") for outer in element.iterancestors())


def _read_row(sheet: SheetContent, archive: Archive, element: Element, row: int) -> int:
    """Read a row, as often as it is repeated. Return the number of the next row."""
    repeated = _count(element, "number-rows-repeated")
    column = 0
    found: list[FilledCell] = []
    for cell in element:
        if local_name(cell) not in ("table-cell", "covered-table-cell"):
            continue
        columns = _count(cell, "number-columns-repeated")
        text = _shown(sheet, cell)
        if text:
            last = min(column + columns, MAX_COLUMN + 1)
            found += [FilledCell(row, place, text) for place in range(column, last)]
        if len(cell):
            _read_rest(sheet, archive, cell, row, column)
        across, down = _count(cell, "number-columns-spanned"), _count(cell, "number-rows-spanned")
        if across > 1 or down > 1:
            sheet.merged.append(Area(row, column, row + down - 1, column + across - 1))
        column += columns
    if found:
        last_row = min(row + repeated, MAX_ROW + 1)
        if len(sheet.cells) + len(found) * (last_row - row) > MAX_CELLS:
            raise TooManyElements(f"The sheet has more than {MAX_CELLS:,} filled cells. Split it.")
        sheet.cells += [cell._replace(row=place) for place in range(row, last_row) for cell in found]
    return row + repeated


def _shown(sheet: SheetContent, cell: Element) -> str:
    text = "\n".join(open_document_text.text_of(child) for child in cell if local_name(child) in ("p", "list")).strip()
    formula = attribute(cell, "formula")
    if formula and not text and not attribute(cell, "value-type"):
        sheet.warn(NOT_COMPUTED)
        return clean("=" + formula.partition("=")[2])
    return text or _value(cell)


def _value(cell: Element) -> str:
    """Return the value of a cell without text, which some programs do not write (OpenDocument 1.3 part 3, 19.385)."""
    kind = attribute(cell, "value-type")
    if text := attribute(cell, "string-value") or attribute(cell, "date-value") or attribute(cell, "time-value"):
        return clean(text).strip()
    if kind == "boolean":
        return attribute(cell, "boolean-value").upper()
    try:
        number = float(attribute(cell, "value"))
    except ValueError:
        return ""
    if kind == "percentage":
        return f"{number_formats.general(number * 100)}%"
    return f"{number_formats.general(number)} {clean(attribute(cell, 'currency'))}".strip()


def _read_rest(sheet: SheetContent, archive: Archive, cell: Element, row: int, column: int) -> None:
    """Read the comment, the link and the shapes of a cell."""
    for child in cell:
        kind = local_name(child)
        if kind == "annotation":
            text = "\n".join(open_document_text.text_of(line) for line in child if local_name(line) in ("p", "list"))
            author = clean(child.findtext("{*}creator") or "")
            if text.strip():
                sheet.comments.append(Revision("comment", text.strip(), cell_name(row, column), author))
        elif kind == "p":
            address = next((attribute(link, "href") for link in child.iter("{*}a")), "")
            if is_shown_address(address):
                sheet.links[row, column] = address
        else:
            _read_shape(sheet, archive, child)


def _read_shape(sheet: SheetContent, archive: Archive, shape: Element) -> None:
    for element in shape.iter("{*}image", "{*}object", "{*}text-box", "{*}custom-shape"):
        kind = local_name(element)
        if kind == "object":
            sheet.after += object_blocks(archive, attribute(element, "href"))
        elif kind == "image":
            frame = element.getparent()
            if frame.find("{*}object") is not None:
                continue  # the picture of an object, for programs that do not know it
            text = frame.findtext("{*}desc") or frame.findtext("{*}title") or ""
            sheet.after.append(
                Block(
                    type=BlockType.PICTURE,
                    box=NO_BOX,
                    description=alternative_text(text),
                    image=image_of_frame(frame),
                )
            )
            sheet.warn(PICTURES_NOT_READ)
        else:
            for line in element.iterchildren("{*}p"):
                if text := open_document_text.text_of(line).strip():
                    sheet.after.append(Block(type=BlockType.PARAGRAPH, box=NO_BOX, text=text))


def object_blocks(archive: Archive, address: str) -> list[Block]:
    """Return a formula or a chart that is a file inside the document; nothing for other files."""
    if latex := mathml.latex_of_object(archive, address):
        return [Block(type=BlockType.PARAGRAPH, box=NO_BOX, text=latex, latex=latex)]
    return chart_blocks(archive, address)


def chart_blocks(archive: Archive, address: str) -> list[Block]:
    """Return the title of a chart as a caption, and its data as a table."""
    root = part(archive, address.removeprefix("./").rstrip("/") + "/content.xml")
    chart = (
        next(root.iter("{urn:oasis:names:tc:opendocument:xmlns:chart:1.0}chart"), None) if root is not None else None
    )
    if chart is None:
        return []
    title = " ".join(open_document_text.text_of(line) for line in chart.iterfind("{*}title/{*}p")).strip()
    blocks = [Block(type=BlockType.CAPTION, box=NO_BOX, text=title)] if title else []
    data, row = SheetContent(), 0
    for element in chart.iterfind("{*}table//{*}table-row"):
        row = _read_row(data, archive, element, row)
    return blocks + (tables.tables_of(data.cells, (), {}, has_header=True) if data.cells else [])


def _count(element: Element, name: str) -> int:
    value = attribute(element, name)
    return max(1, int(value)) if value.isdigit() and len(value) < 9 else 1
