"""A summary of the page before, so that a model continues a sentence, a list, a table or a numbering."""

from __future__ import annotations

from apps.pages.model.blocks import BlockType, Page
from apps.pages.output.render import grid_of

MAX_HEADINGS = 3
MAX_TAIL_CHARS = 300
MAX_CELL_CHARS = 60
MAX_CELLS = 12
_LEFT_OUT = (BlockType.PICTURE, BlockType.PAGE_HEADER, BlockType.PAGE_FOOTER, BlockType.FOOTNOTE, BlockType.CAPTION)


def summary_of(page: Page) -> str:
    """Return the last headings of the page and how its text ends; of a table at its end, the head and the last row."""
    blocks = [block for block in page.blocks if block.type not in _LEFT_OUT]
    if not blocks:
        return ""
    headings = [block.text for block in blocks if block.type is BlockType.HEADING][-MAX_HEADINGS:]
    lines = [f"Headings: {' / '.join(heading[:MAX_TAIL_CHARS] for heading in headings)}"] if headings else []
    last = blocks[-1]
    if last.type is BlockType.TABLE and last.cells:
        rows = grid_of(last.cells)
        lines += [f"It ends with a table. Its head: {_row(rows[0])}", f"Its last row: {_row(rows[-1])}"]
    elif last.text and last.type is not BlockType.HEADING:
        end = f"{last.marker} {last.text}".strip()
        if len(end) > MAX_TAIL_CHARS:  # from the beginning of a word
            end = f"... {end[-MAX_TAIL_CHARS:].partition(' ')[2]}"
        lines.append(f"It ends: {end}")
    return "\n".join(lines)


def _row(cells: list[str]) -> str:
    return " | ".join(" ".join(cell.split())[:MAX_CELL_CHARS] for cell in cells[:MAX_CELLS])
