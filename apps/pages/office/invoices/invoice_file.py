"""An electronic invoice in XML: a readable page with all that the file has."""

from __future__ import annotations

from collections.abc import Iterator

from apps.pages.model.blocks import Block, BlockType, Cell
from apps.pages.model.errors import UnsupportedDocument
from apps.pages.model.geometry import NO_BOX
from apps.pages.model.office_options import OfficeOptions
from apps.pages.office.invoices import invoice as invoices
from apps.pages.office.invoices.invoice import Invoice, as_json
from apps.pages.office.paged_blocks import Content, PagedBlocks
from apps.pages.office.sources import Source, bytes_of

MEDIA_TYPE = "application/xml"
MAX_TABLE_ROWS = 500
NOT_READ = "embedded_files_not_read"


def open_file(source: Source, _password: str | None, _options: OfficeOptions) -> PagedBlocks:
    invoice = invoices.read(bytes_of(source))
    if invoice is None:
        raise UnsupportedDocument
    warnings = (NOT_READ,) if invoice.files else ()
    content = Content(tuple(_blocks(invoice)), warnings)
    return PagedBlocks(
        MEDIA_TYPE, [content], title=invoice.title, attachments=tuple(invoice.files), invoice=as_json(invoice)
    )


def _blocks(invoice: Invoice) -> Iterator[Block]:
    yield _block(BlockType.HEADING, invoice.title, level=1)
    for name, values in invoice.sections.items():
        if name != "invoice":
            yield _block(BlockType.HEADING, _label(name), level=2)
        if isinstance(values, list):
            columns = list(dict.fromkeys(column for row in values for column in row))
            rows = [[row.get(column, "") for column in columns] for row in values]
            yield from _table([_label(column) for column in columns], rows)
        else:
            yield from _table(["Field", "Value"], [[_label(field), value] for field, value in values.items()])
    if invoice.others:
        yield _block(BlockType.HEADING, "Other elements", level=2)
        yield from _table(["Path", "Value"], [[path, value] for path, value in invoice.others])
    for number, file in enumerate(invoice.files, start=1):
        text = f"Attached file: {file.name or number}"
        yield Block(BlockType.LIST_ITEM, NO_BOX, text=text, level=1, marker="-")


def _table(head: list[str], rows: list[list[str]]) -> Iterator[Block]:
    for first in range(0, len(rows), MAX_TABLE_ROWS):
        cells = [Cell(0, column, text, header=True) for column, text in enumerate(head)]
        for number, row in enumerate(rows[first : first + MAX_TABLE_ROWS], start=1):
            cells += [Cell(number, column, text) for column, text in enumerate(row)]
        yield Block(BlockType.TABLE, NO_BOX, cells=tuple(cells))


def _label(name: str) -> str:
    return name.replace("_", " ").capitalize()


def _block(kind: BlockType, text: str, *, level: int = 0) -> Block:
    return Block(type=kind, box=NO_BOX, text=text, level=level)
