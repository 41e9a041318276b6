"""Write a document as one accessible HTML file: headings, lists, tables with scopes, figures, an anchor per block.

Text of the document is escaped, and links have only the schemes that ``addresses`` lets through. The file loads nothing
and runs nothing.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator, Sequence
from html import escape
from itertools import groupby
from typing import BinaryIO

from apps.pages.model.blocks import Block, BlockType, Cell, Page, PageFailure
from apps.pages.model.errors import DocumentError, PageError
from apps.pages.model.text import list_markers
from apps.pages.output import items, render
from apps.pages.output.exports.pictures import PictureOf, has_picture, picture_of_block
from apps.pages.output.inline_markup import html as inline

MAX_EMBEDDED_PICTURES = 200
_META = '<meta charset="utf-8">\n<meta name="viewport" content="width=device-width">\n'
_STYLE = """\
body { font: 1rem/1.5 sans-serif; max-width: 50rem; margin: 2rem auto; padding: 0 1rem; }
section { border-top: 1px solid #767676; padding-top: 1rem; margin-top: 2rem; }
table { border-collapse: collapse; }
th, td { border: 1px solid #767676; padding: 0.2rem 0.5rem; text-align: start; vertical-align: top; }
pre { overflow-x: auto; background: #f2f2f2; padding: 0.5rem; }
header, footer { color: #595959; }
img { max-width: 100%; }
.marked { list-style: none; }
"""
_NO_DESCRIPTION = "Picture without a description"
_TAGS = {
    BlockType.PARAGRAPH: "p",
    BlockType.CAPTION: 'p class="caption"',
    BlockType.FOOTNOTE: 'aside role="doc-footnote"',
    BlockType.PAGE_HEADER: "header",
    BlockType.PAGE_FOOTER: "footer",
}
_NUMBER = re.compile(r"(\d{1,9})[.)]")


def write_html(
    pages: Iterable[Page | PageFailure],
    out: BinaryIO,
    *,
    title: str,
    language: str = "",
    picture_of: PictureOf | None = None,
) -> None:
    """Write the pages, whose blocks are finished. ``language``: a tag as in ``lang``, "" if it is unknown.

    Without ``picture_of``, and beyond ``MAX_EMBEDDED_PICTURES``, figures have only their texts.
    """
    lang = f' lang="{escape(language)}"' if language else ""
    head = (
        f'<meta charset="utf-8">\n<meta name="viewport" content="width=device-width">\n<title>{escape(title)}</title>'
    )
    out.write(f"<!DOCTYPE html>\n<html{lang}>\n<head>\n{head}\n<style>\n{_STYLE}</style>\n</head>\n".encode())
    out.write(b"<body>\n<main>\n")
    figures = _Figures(picture_of)
    for page in pages:
        out.write(f'<section id="page-{page.number}" aria-label="Page {page.number}">\n'.encode())
        if isinstance(page, PageFailure):
            failed = f"Page {page.number} could not be read: {page.code}. {page.detail}".strip()
            out.write(f'<p role="note">{escape(failed)}</p>\n'.encode())
        else:
            for part in _page(page, figures):
                out.write(part.encode() + b"\n")
        out.write(b"</section>\n")
    if figures.left_out:
        out.write(f'<p role="note">{figures.left_out} more pictures are not shown.</p>\n'.encode())
    out.write(b"</main>\n</body>\n</html>\n")


def anchor(page_number: int, pointer: str) -> str:
    """Return the id of a block: that of the item at ``/items/4/items/0`` of page 3 is ``page-3-4-0``."""
    return f"page-{page_number}-" + "-".join(step for step in pointer.split("/") if step.isdigit())


class _Figures:
    """Embeds pictures until there are enough."""

    def __init__(self, picture_of: PictureOf | None) -> None:
        self._picture_of = picture_of
        self._left = MAX_EMBEDDED_PICTURES
        self.left_out = 0

    def figure(self, block: Block, page: Page, name: str) -> str:
        text = escape(block.description or block.text)
        image = ""
        if self._picture_of is not None and has_picture(block):
            if self._left:
                try:
                    encoded = base64.b64encode(picture_of_block(self._picture_of, page, block)).decode()
                    image = (
                        f'<img src="data:image/jpeg;base64,{encoded}" alt="{text or "Picture without a description"}">'
                    )
                except (PageError, DocumentError):  # such as a password that is no longer known
                    self.left_out += 1
                self._left -= 1
            else:
                self.left_out += 1
        if not image:
            return f'<figure id="{name}"><figcaption>{text}</figcaption></figure>' if text else ""
        return f'<figure id="{name}">{image}</figure>'


def _page(page: Page, figures: _Figures) -> Iterator[str]:
    placed = list(zip(page.blocks, items.pointers(page.blocks), strict=True))
    for is_list, group in groupby(placed, key=lambda pair: pair[0].type is BlockType.LIST_ITEM):
        if is_list:
            yield _list([(block, anchor(page.number, pointer)) for block, pointer in group])
            continue
        for block, pointer in group:
            name = anchor(page.number, pointer)
            if block.type is BlockType.PICTURE:
                yield figures.figure(block, page, name)
            else:
                yield _block(block, name)


def _block(block: Block, name: str) -> str:
    text = inline(block.text, block.spans)
    text = f"{escape(block.marker, quote=False)} {text}" if block.marker else text
    if block.type is BlockType.HEADING:
        level = max(1, min(6, block.level))
        return f'<h{level} id="{name}" dir="auto">{text}</h{level}>'
    if block.type is BlockType.TABLE:
        return _table(block.cells, name)
    if block.type is BlockType.CODE:
        return f'<pre id="{name}"><code>{escape(block.text, quote=False)}</code></pre>'
    if block.latex and block.type is BlockType.PARAGRAPH:
        return f'<p id="{name}" role="math"><code>{escape(block.latex, quote=False)}</code></p>'
    if block.type is BlockType.PARAGRAPH and block.level:
        return f'<blockquote id="{name}" dir="auto"><p>{text}</p></blockquote>'
    tag = _TAGS[block.type]
    return f'<{tag} id="{name}" dir="auto">{text}</{tag.split()[0]}>'


def _list(named: Sequence[tuple[Block, str]], depth: int = 1) -> str:
    """Return a list; blocks deeper than ``depth`` become a list inside the item before them."""
    is_numbered = all(_NUMBER.fullmatch(block.marker) for block, _ in named if block.level <= depth)
    is_bulleted = not any(
        list_markers.is_ordered(block.marker) or list_markers.is_check_box(block.marker) for block, _ in named
    )
    entries: list[str] = []
    for is_deeper, group in groupby(named, key=lambda pair: pair[0].level > depth):
        if is_deeper:
            inner = _list(list(group), depth + 1)
            if entries:
                entries[-1] += inner
            else:
                entries.append(f"<li>{inner}")
            continue
        for block, name in group:
            text, value = inline(block.text, block.spans), ""
            if is_numbered and (found := _NUMBER.fullmatch(block.marker)):
                value = f' value="{found[1]}"'
            elif list_markers.is_check_box(block.marker):
                is_checked = " checked" if block.marker in list_markers.CHECKED else ""
                text = f'<label><input type="checkbox" disabled{is_checked}> {text}</label>'
            elif list_markers.is_ordered(block.marker):
                text = f"{escape(block.marker, quote=False)} {text}"
            entries.append(f'<li id="{name}"{value} dir="auto">{text}')
    tag = "ol" if is_numbered else "ul"
    style = "" if is_numbered or is_bulleted else ' class="marked"'
    return f"<{tag}{style}>" + "".join(f"{entry}</li>" for entry in entries) + f"</{tag}>"


def _table(cells: Sequence[Cell], name: str) -> str:
    body = min((cell.row for cell in cells if not cell.header), default=0)
    rows = "".join(f"<tr>{''.join(_cell(cell, body) for cell in row)}</tr>" for row in render.rows_of(cells))
    return f'<table id="{name}" dir="auto">{rows}</table>'


def _cell(cell: Cell, body: int) -> str:
    """Return a cell. Header cells above the row ``body`` are for columns, others for rows."""
    spans = f' rowspan="{cell.row_span}"' if cell.row_span > 1 else ""
    spans += f' colspan="{cell.column_span}"' if cell.column_span > 1 else ""
    text = inline(cell.text, cell.spans).replace("\n", "<br>")
    if not cell.header:
        return f"<td{spans}>{text}</td>"
    if cell.row < body:
        scope = "colgroup" if cell.column_span > 1 else "col"
    else:
        scope = "rowgroup" if cell.row_span > 1 else "row"
    return f'<th scope="{scope}"{spans}>{text}</th>'
