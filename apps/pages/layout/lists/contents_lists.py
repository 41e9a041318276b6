"""Lists of contents with leaders: each entry is a list item with its page number, without the dots between."""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from apps.pages.layout.text.lines import line_of
from apps.pages.model.blocks import Block, BlockType
from apps.pages.model.geometry import union
from apps.pages.model.segments import Row, Segment

# A leader: signs of one kind near each other; the least number of them depends on the sign.
_LEADER = re.compile(r"\s*(?:(?:[.·․‥…•]\s?){4,}|(?:…\s?){2,}|_{5,}|(?:\. ){3,}\.?)\s*")
# Every leader begins with two signs; this is found much faster.
_SIGNS = re.compile(r"[.·․‥…•]\s?[.·․‥…•]|__")
# The text after a leader: a page number, in digits or as roman numeral, also "A-3" and "3.12".
_PAGE = re.compile(r"(?:[A-Z]{1,2}[-.–]?)?\d{1,4}(?:[-.–]\d{1,4})?|[ivxlcdm]{1,7}|[IVXLCDM]{1,7}")
_AMOUNTS = re.compile(r"(?:\W?\d[\d.,]*\W?\s*)+")
# A blank in a form is dots too: entries come in groups.
MIN_ENTRIES = 2
# Entries whose titles begin within this distance, in ems, are on one level.
MAX_LEVEL_SHIFT_EMS = 0.6
MAX_LEVEL = 6


class Entry(msgspec.Struct, gc=False):
    """An entry of a list of contents and the segments of its row that form it."""

    title: str
    page: str
    segments: list[Segment]


def with_contents(rows: Sequence[Row]) -> list[Row]:
    """Return the rows of a page; the parts of an entry of a list of contents become one finished list item."""
    entries = {index: found for index, row in enumerate(rows) if (found := _entry(row)) is not None}
    if len(entries) < MIN_ENTRIES:
        return list(rows)
    starts: list[float] = []  # the left edges of titles, one for each level
    for first in sorted((entry.segments[0] for entry in entries.values()), key=lambda segment: segment.x0):
        if not starts or first.x0 - starts[-1] > MAX_LEVEL_SHIFT_EMS * first.size:
            starts.append(first.x0)
    result: list[Row] = []
    for index, row in enumerate(rows):
        entry = entries.get(index)
        if entry is None:
            result.append(row)
            continue
        first = entry.segments[0]
        lines = tuple(map(line_of, entry.segments))
        level = 1 + sum(first.x0 - start > MAX_LEVEL_SHIFT_EMS * first.size for start in starts)
        block = Block(
            BlockType.LIST_ITEM,
            union(line.box for line in lines),
            f"{entry.title} {entry.page}",
            lines,
            level=min(level, MAX_LEVEL),
            marker="-",
        )
        part = Segment("", block.box.x0, block.box.top, block.box.x1, block.box.bottom, 0.0, block=block)
        result.append(sorted([*(s for s in row if s not in entry.segments), part], key=lambda s: s.x0))
    return result


def _entry(row: Row) -> Entry | None:
    """Return the entry of a row whose text is a title, a leader and a page number, None for other rows."""
    for index, segment in enumerate(row):
        if segment.block is not None or not _SIGNS.search(segment.text):
            continue
        found = _LEADER.search(segment.text)
        if found is None or (not found.start() and not index):
            continue
        parts = [segment]
        before, after = segment.text[: found.start()].strip(), segment.text[found.end() :].strip()
        if not before:
            parts.insert(0, row[index - 1])
            before = row[index - 1].text.strip()
        follower = row[index + 1] if index + 1 < len(row) else None
        if not after and follower is not None and follower.block is None:
            parts.append(follower)
            after = _LEADER.sub("", follower.text).strip()
        beside = row[row.index(parts[-1]) + 1 :]
        if beside and all(_AMOUNTS.fullmatch(other.text) for other in beside):
            return None  # a row of a table with leaders after its labels
        if any(c.isalnum() for c in before) and _PAGE.fullmatch(after) and parts[0].block is None:
            return Entry(before, after, parts)
    return None


def leaders_of(block: Block) -> str:
    """Return the leaders that an entry of a list of contents was written with."""
    if block.type is not BlockType.LIST_ITEM or _LEADER.search(block.text):
        return ""
    return "".join(found.group() for line in block.lines for found in _LEADER.finditer(line.text))
