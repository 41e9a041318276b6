"""Turn a raw page into blocks in reading order."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import msgspec

from apps.pages.layout import rotated_pages
from apps.pages.layout.document import heading_lines, margin_lines
from apps.pages.layout.lists import code_blocks, contents_lists, list_items
from apps.pages.layout.lists.line_numbers import without_line_numbers
from apps.pages.layout.lists.tagged_lines import TaggedLines, formulas_once, running_lines
from apps.pages.layout.regions import columns, figures, whitespace
from apps.pages.layout.tables import (
    charts,
    diagrams,
    half_ruled_tables,
    notes_in_tables,
    ruled_tables,
    rulings,
    tagged_tables,
    unruled_tables,
)
from apps.pages.layout.text import inline_marks, inline_spans
from apps.pages.layout.text.drop_caps import segments_with_drop_caps
from apps.pages.layout.text.lines import joined, line_of, paragraph_text, rows_of, segment_of, wide_leading
from apps.pages.layout.text.tall_text import with_tall_apart
from apps.pages.layout.text.watermarks import without_watermarks
from apps.pages.model.blocks import Block, BlockType
from apps.pages.model.geometry import union
from apps.pages.model.raw_page import NO_STYLE, RawPage
from apps.pages.model.segments import Segment
from apps.pages.model.text import list_markers, scripts

# A new paragraph begins where the step to the next line grows by this much, ...
MAX_STEP_GROWTH = 1.22
# ... or where the size of the letters changes by this share.
MAX_SIZE_CHANGE = 0.09
# A bullet at the right belongs to a text with at least this many letters.
MIN_ITEM_LETTERS = 8
_SENTENCE_END = re.compile("[.!?:;。！？：]['\")\\]”’»]*$")


def analyse(raw: RawPage) -> list[Block]:
    """Return the blocks of a page in reading order. Headings and running lines are found later, over the document."""
    inline_marks.mark_runs(raw)
    upright, turned = rotated_pages.parted(raw.runs)
    tags = tagged_tables.trusted_tags(raw.tags, upright)
    tagged, upright = tagged_tables.tagged_tables(tags, upright, [*raw.rulings, *raw.fills]) if tags else ([], upright)
    across, down = rulings.rulings_of(raw.rulings)
    drawn = diagrams.Diagrams(raw)
    found, remaining = ruled_tables.ruled_tables(across, down, [*upright, *turned], drawn)
    half_ruled, remaining = half_ruled_tables.half_ruled_tables(across, down, remaining, drawn)
    found += half_ruled + tagged
    upright, turned = rotated_pages.parted(remaining)
    upright, stamps = without_watermarks(upright)
    code, upright = code_blocks.code_blocks(upright)
    segments, line_numbers = without_line_numbers(segments_with_drop_caps(upright))
    rtl = scripts.is_rtl("".join(segment.text for segment in segments))
    list_items.mark_symbol_bullets(segments)
    list_items.mark_drawn_bullets(segments, raw.dots, rtl=rtl)
    rows = contents_lists.with_contents([_with_markers(row, rtl) for row in rows_of(segments)])
    obstacles = [_as_segment(block) for block in (*found, *code)]
    pictures = figures.without_background(raw.pictures, raw.width, raw.height) if raw.runs else raw.pictures
    for box in pictures:
        if not any(table.box.contains(box, slack=2.0) for table in found):
            obstacles.append(_as_segment(Block(type=BlockType.PICTURE, box=box)))
    areas = [
        Segment("", box.x0, box.top, box.x1, box.bottom, 0.0)
        for box in figures.figure_areas(raw.fills, segments + obstacles, raw.width * raw.height)
    ]
    known = TaggedLines(tags, segments) if tags else None
    if obstacles:
        # Each is a row of its own: it is as high as many lines of the column beside it.
        rows += [[block] for block in obstacles]
        rows.sort(key=lambda row: row[0].top)
    head, foot = margin_lines.margin_rows(rows, raw.height)
    blocks = [_text_block([segment], None) for row in rows[:head] for segment in row]
    body = rows[head : len(rows) - foot]
    found_regions = whitespace.regions_of([segment for row in body for segment in row] + areas, rtl=rtl)
    for region in found_regions:
        region_rows = body if len(found_regions) == 1 and not areas else _rows_of_region(region)
        region_rows = with_tall_apart(region_rows, rtl=rtl)
        bands = notes_in_tables.with_notes_joined(columns.bands_of(region_rows))
        for band in unruled_tables.joined_grids(bands):
            table = unruled_tables.aligned_table(band, across, rtl=rtl, down=down) if band.is_grid else None
            if table is not None and not charts.is_chart(table, raw.fills) and not drawn.touch(table):
                blocks.append(table)
            else:
                blocks += _blocks_of(band.rows, rtl, known)
    blocks += [_text_block([segment], None) for row in rows[len(rows) - foot :] for segment in row]
    if rtl:
        blocks = [
            ruled_tables.mirrored(block) if block.type is BlockType.TABLE and block not in tagged else block
            for block in blocks
        ]
    blocks = list_items.with_levels(blocks, rtl=rtl)
    if tags:
        blocks = formulas_once(running_lines(blocks, upright, raw.height))
    if line_numbers:
        blocks.append(_text_block(line_numbers, None))
    # Watermarks and rotated runs, such as stamps and axis labels, come last, outside the reading order.
    return blocks + [_text_block([segment_of(run)], None) for run in [*stamps, *turned]]


def _rows_of_region(region: Sequence[Segment]) -> list[list[Segment]]:
    """Return the rows of a region, from the top; each table or picture is a row of its own."""
    rows = rows_of([segment for segment in region if segment.block is None and segment.text])
    obstacles = [[segment] for segment in region if segment.block is not None]
    if obstacles:
        rows += obstacles
        rows.sort(key=lambda row: row[0].top)
    return rows


def _as_segment(block: Block) -> Segment:
    box = block.box
    return Segment("", box.x0, box.top, box.x1, box.bottom, 0.0, block=block)


def _with_markers(row: list[Segment], rtl: bool) -> list[Segment]:
    """Join a list marker in a segment of its own with the text after it: that at the left of a bullet if ``rtl``."""
    if len(row) < 2:
        return row
    result: list[Segment] = []
    for segment in row:
        last = result[-1] if result else None
        if (
            last is not None
            and last.block is None
            and segment.block is None
            and segment.x0 - last.x1 < 4 * segment.size
            # Check marks are beside each other and beside numbers in a table.
            and (
                segment.text in list_markers.BULLET_SIGNS and len(last.text) >= MIN_ITEM_LETTERS
                if rtl
                else list_markers.is_lone(last.text)
            )
        ):
            marker, text = (segment.text, last.text) if rtl else (last.text, segment.text)
            result[-1] = _merged([last, segment], f"{marker} {text}")
        else:
            result.append(segment)
    return result


def _merged(parts: Sequence[Segment], text: str) -> Segment:
    main = max(parts, key=lambda part: len(part.text))
    return Segment(
        text=text,
        x0=min(part.x0 for part in parts),
        top=min(part.top for part in parts),
        x1=max(part.x1 for part in parts),
        bottom=max(part.bottom for part in parts),
        size=main.size,
        bold=all(part.bold for part in parts),
        italic=all(part.italic for part in parts),
        baseline=main.baseline,
        runs=[run for part in parts for run in part.runs or ()],
    )


def _blocks_of(rows: Sequence[Sequence[Segment]], rtl: bool, known: TaggedLines | None) -> Iterator[Block]:
    """Yield the blocks of rows that are read one after the other."""
    lines: list[Segment] = []
    for row in rows:
        texts = [segment for segment in row if segment.block is None]
        for segment in row:
            if segment.block is not None:
                yield from _paragraphs(lines, rtl, known)
                lines = []
                yield segment.block
        if len(texts) == 1:
            lines.append(texts[0])
        elif texts:
            lines.append(_merged(texts, joined(texts)))
    yield from _paragraphs(lines, rtl, known)


def _paragraphs(lines: Sequence[Segment], rtl: bool, known: TaggedLines | None) -> Iterator[Block]:
    if not lines:
        return
    left = min(line.x0 for line in lines)
    right = max(line.x1 for line in lines)
    group: list[Segment] = []
    marker: str | None = None
    step = 0.0
    leading = wide_leading(lines)
    markers: list[str | None] = [marker or None for marker in list_items.markers_of(lines)]
    if known is not None:
        for index, (above, line) in enumerate(zip([None, *lines], lines, strict=False)):
            if markers[index] is None and known.begins_item(above, line):
                markers[index] = ""
    for line, found in zip(lines, markers, strict=True):
        is_formula = bool(group) and known is not None and known.is_one_formula(group[-1], line)
        if (group and not is_formula) and (
            found is not None
            or _is_set_apart(group, line, step or leading, rtl, marker)
            or (known is not None and known.part(group[-1], line))
            or (
                not (known is not None and known.join(group[-1], line))
                and _starts_paragraph(group, line, left, right, rtl)
            )
        ):
            yield _text_block(group, marker, known)
            group, marker, step = [], None, 0.0
        if not group:
            marker = found
        else:
            new = line.bottom - group[-1].bottom
            step = min(step, new) if step else new
        group.append(line)
    yield _text_block(group, marker, known)


def _is_set_apart(group: list[Segment], line: Segment, step: float, rtl: bool, marker: str | None) -> bool:
    """Return True if ``line`` is no part of the paragraph of ``group``, by its place or its size."""
    last = group[-1]
    size = last.size
    if marker is not None and (line.x1 > group[0].x1 + 0.4 * size if rtl else line.x0 < group[0].x0 - 0.4 * size):
        return True
    if abs(line.size - size) > MAX_SIZE_CHANGE * max(size, line.size):
        return True
    down = line.bottom - last.bottom
    return down < 0 or down > (step * MAX_STEP_GROWTH if step else 1.75 * max(size, 0.75 * (last.bottom - last.top)))


def _starts_paragraph(group: list[Segment], line: Segment, left: float, right: float, rtl: bool) -> bool:
    """Return True if ``line`` looks like the first of a new paragraph after the lines of ``group``."""
    last = group[-1]
    size = last.size
    if line.bold != last.bold and line.bold != group[0].bold and _changes_weight(last, line, rtl):
        return True
    if len(group) == 1 and heading_lines.differ_as_heading(last, line, left, right):
        return True
    if _SENTENCE_END.search(last.text) and heading_lines.differ_as_heading(line, last, left, right):
        return True
    indent = (right - line.x1) - (right - last.x1) if rtl else line.x0 - last.x0
    started = last.x1 < right - 0.25 * (right - left) if not rtl else last.x0 > left + 0.25 * (right - left)
    if not line.text[:1].islower():
        if started and _SENTENCE_END.search(last.text):
            return True
        if not rtl and last.text[-1:] not in "-‐" and abs(line.x0 - last.x0) < size:
            # The line break is intended if the first word of the line would fit on the line before.
            word = line.text.split(" ", 1)[0]
            letters = len(word[:3] * 2) if scripts.wraps_anywhere(line.text[0]) else len(word)
            if last.x1 + (letters + 2) * 0.55 * line.size < right - 0.02 * (right - line.x0):
                return True
    if len(group) == 1 or not 0.8 * size < indent < 4 * size:
        return False
    # The first line of a paragraph is indented, and the last one of the paragraph before is short.
    is_short = not rtl and last.x1 < right - 0.15 * (right - left) and last.x1 < line.x1 and last.x0 < left + 0.3 * size
    return is_short or bool(_SENTENCE_END.search(last.text))


def _changes_weight(last: Segment, line: Segment, rtl: bool) -> bool:
    """Return True if the end of one line and the start of the next are not both bold, or both not."""
    if not last.runs or not line.runs:
        return True
    end, start = (last.runs[0], line.runs[-1]) if rtl else (last.runs[-1], line.runs[0])
    return bool(end.bold != start.bold)


def _text_block(group: Sequence[Segment], marker: str | None, known: TaggedLines | None = None) -> Block:
    """Return lines as a paragraph, or as a list item if ``marker`` is not None; it may be empty."""
    lines = tuple(map(line_of, group))
    box = lines[0].box if len(lines) == 1 else union(line.box for line in lines)
    text = paragraph_text([line.text for line in lines])
    spans = inline_spans.spans_of(text, [run for s in group for run in s.runs or ()])
    style = group[0].runs[0].style if group[0].runs else NO_STYLE
    colour = "" if style.colour == (0, 0, 0) else "{:02x}{:02x}{:02x}".format(*style.colour)
    level = 0
    if marker is not None:
        rest = list_markers.split(text)[1] if marker else text
        spans = inline_spans.moved(spans, len(rest) - len(text)) if spans else ()
        text, level = rest, 1
    kind = BlockType.PARAGRAPH if marker is None else BlockType.LIST_ITEM
    block = Block(kind, box, text, lines, level=level, marker=marker or "", spans=spans, font=style.font, colour=colour)
    if known is None:
        return block
    tagged, latex = known.heading_level(group), known.latex(group)
    return msgspec.structs.replace(block, tagged_level=tagged, latex=latex) if tagged or latex else block
