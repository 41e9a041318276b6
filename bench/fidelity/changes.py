"""Change one text, one row or one cell of a case, for the wrong answers of a model."""

from __future__ import annotations

import random
import re
from collections.abc import Callable

import msgspec

from apps.pages.model.blocks import Block, Cell
from bench.fidelity.rewritings import Case, markdown, shown


def one_text_changed(case: Case, rng: random.Random, change: Callable[[str], str | None]) -> str | None:
    blocks = shown(case)
    order = [number for number, block in enumerate(blocks) if block.text]
    rng.shuffle(order)
    for number in order:
        text = change(blocks[number].text)
        if text is not None and text != blocks[number].text:
            blocks[number] = msgspec.structs.replace(blocks[number], text=text, spans=())
            return markdown(blocks)
    return None


def found_changed(
    case: Case, rng: random.Random, pattern: re.Pattern[str], change: Callable[[str], str | None]
) -> str | None:
    """Return the answer with one match of the pattern changed, in a text or a cell."""
    blocks = shown(case)
    places: list[tuple[int, int | None, re.Match[str]]] = []
    for n, block in enumerate(blocks):
        if not block.latex:
            places += [(n, None, found) for found in pattern.finditer(block.text)]
        places += [(n, c, found) for c, cell in enumerate(block.cells) for found in pattern.finditer(cell.text)]
    rng.shuffle(places)
    for number, index, found in places:
        new = change(found.group())
        if new is None or new == found.group():
            continue
        block = blocks[number]
        text = block.text if index is None else block.cells[index].text
        text = text[: found.start()] + new + text[found.end() :]
        if index is None:
            blocks[number] = msgspec.structs.replace(block, text=text, spans=())
        else:
            blocks[number] = with_texts(block, {index: text})
        return markdown(blocks)
    return None


def with_texts(block: Block, texts: dict[int, str]) -> Block:
    cells = tuple(
        msgspec.structs.replace(cell, text=texts[n], spans=()) if n in texts else cell
        for n, cell in enumerate(block.cells)
    )
    return msgspec.structs.replace(block, cells=cells)


def rows_changed(
    case: Case, rng: random.Random, change: Callable[[list[list[Cell]]], list[list[Cell]] | None]
) -> str | None:
    """Return the answer with the rows of one table changed; tables with cells merged over rows stay."""
    blocks = shown(case)
    tables = [
        number
        for number, block in enumerate(blocks)
        if block.cells and all(cell.row_span == 1 for cell in block.cells) and max(c.row for c in block.cells) > 1
    ]
    rng.shuffle(tables)
    for number in tables:
        rows: dict[int, list[Cell]] = {}
        for cell in blocks[number].cells:
            rows.setdefault(cell.row, []).append(cell)
        changed = change([rows[row] for row in sorted(rows)])
        if changed is not None:
            cells = [msgspec.structs.replace(cell, row=n) for n, row in enumerate(changed) for cell in row]
            blocks[number] = msgspec.structs.replace(blocks[number], cells=tuple(cells))
            return markdown(blocks)
    return None


def cells_swapped(case: Case, rng: random.Random, may_swap: Callable[[Cell, Cell], bool]) -> str | None:
    """Return the answer with two different numbers of a table swapped."""
    blocks = shown(case)
    pairs = []
    for number, block in enumerate(blocks):
        figures = [
            (n, cell) for n, cell in enumerate(block.cells) if re.fullmatch(r"[\d.,%$€£ -]*\d[\d.,%$€£ -]*", cell.text)
        ]
        if len(figures) > 200:
            figures = rng.sample(figures, 200)
        pairs += [
            (number, n, m)
            for n, one in figures
            for m, other in figures
            if n < m and one.text != other.text and may_swap(one, other)
        ]
    if not pairs:
        return None
    number, one, other = rng.choice(pairs)
    cells = blocks[number].cells
    blocks[number] = with_texts(blocks[number], {one: cells[other].text, other: cells[one].text})
    return markdown(blocks)
