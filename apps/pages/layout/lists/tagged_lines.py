"""What the tags of a PDF say about the lines of a page: paragraphs, headings, list items, formulas, running lines."""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Sequence

import msgspec

from apps.pages.model.blocks import Block, BlockType
from apps.pages.model.page_tags import ARTIFACT, PageTags
from apps.pages.model.raw_page import TextRun
from apps.pages.model.segments import Segment
from apps.pages.model.text import list_markers

# Tags separate paragraphs only where this share of them has several lines: some programs tag each line.
MIN_LONG_SHARE = 0.3
# A page that is one paragraph is not tagged with care.
MAX_LINES, MAX_LINES_SHARE = 12, 0.5
MARGIN_SHARE = 0.12
MIN_ARTIFACT_SHARE = 0.95
MAX_RUNNING_LINES = 3
_FORMULA = frozenset({"Formula"})
# LaTeX has commands or groups; what could end the formula or begin HTML in Markdown is none.
_LATEX = re.compile(r"\\[A-Za-z]+|[_^]\{|[_^]\w")
_SIGNS = frozenset(string.ascii_letters + string.digits)
# At most this share of the letters and digits of a formula is missing in its LaTeX.
MAX_MISSING_SHARE = 0.1
_NO_LATEX = re.compile(r"[$`]|<[A-Za-z/!?]|\\$")
_ITEMS = frozenset({"LI", "TOCI"})
_LEVELS = {"Title": 1, "H1": 1, "H2": 2, "H3": 3, "H4": 4, "H5": 5, "H6": 6}
_PARAGRAPHS = frozenset({"P", "H", *_LEVELS, "Caption", "Note", "LI", "TOCI"})


class TaggedLines:
    """The paragraphs, items and artifacts that trusted tags give to the lines of a page."""

    def __init__(self, tags: PageTags, segments: Sequence[Segment]) -> None:
        self._tags = tags
        self._paragraphs: dict[int, int] = {}  # marked content -> place of its paragraph or list item
        lengths = Counter(self._paragraph(segment) for segment in segments)
        del lengths[-1]
        self._parts = sum(1 for count in lengths.values() if count > 1) >= MIN_LONG_SHARE * max(1, len(lengths))
        longest = max(lengths.values(), default=0)
        self._joins = longest <= max(MAX_LINES, MAX_LINES_SHARE * len(segments))
        # The first item may be the rest of the last one of the page before.
        self._continued = self._item(segments[0]) if segments and segments[0].text[:1].islower() else -1
        self._has_formulas = any(tag.alternative for tag in tags.tags)
        self._has_markers = any(
            list_markers.split(segment.text)[0] and self._item(segment) >= 0 for segment in segments
        ) or any(tag.role == "Lbl" for tag in tags.tags)

    def _paragraph(self, line: Segment) -> int:
        """Return the place of the paragraph or item that a line begins in, -1 for none."""
        content_id = line.runs[0].content_id if line.runs else -1
        place = self._paragraphs.get(content_id)
        if place is None:
            items = self._tags.enclosing(content_id, _ITEMS)
            found = items or self._tags.enclosing(content_id, _PARAGRAPHS)
            place = self._paragraphs[content_id] = found[0] if found else -1
        return place

    def _item(self, line: Segment) -> int:
        place = self._paragraph(line)
        return place if place >= 0 and self._tags.tags[place].role in _ITEMS else -1

    def part(self, above: Segment, line: Segment) -> bool:
        """Return True if two lines are in different paragraphs, or in a heading and another element."""
        first, second = self._paragraph(above), self._paragraph(line)
        if first == second or min(first, second) < 0:
            return False
        return self._parts or bool(self._level(first) or self._level(second))

    def _level(self, place: int) -> int:
        return _LEVELS.get(self._tags.tags[place].role, 0) if place >= 0 else 0

    def _formula(self, line: Segment) -> int:
        """Return the place of the formula that the whole line is in, -1 for none."""
        if not self._has_formulas:
            return -1
        places = {tuple(self._tags.enclosing(run.content_id, _FORMULA)[-1:]) for run in line.runs or ()}
        return next(iter(places.pop()), -1) if len(places) == 1 else -1

    def is_one_formula(self, above: Segment, line: Segment) -> bool:
        """Return True if two lines are rows of one formula."""
        place = self._formula(line)
        return place >= 0 and place == self._formula(above)

    def latex(self, lines: Sequence[Segment]) -> str:
        """Return the LaTeX of the formula that all of these lines are, "" if there is none that has their letters."""
        places = {self._formula(line) for line in lines}
        if len(places) > 1 or -1 in places:
            return ""
        latex = self._tags.tags[places.pop()].alternative.strip("$ ")
        shown = Counter(filter(_SIGNS.__contains__, "".join(line.text for line in lines)))
        missing = (shown - Counter(latex)).total()
        is_sound = _LATEX.search(latex) and not _NO_LATEX.search(latex)
        return latex if is_sound and missing <= MAX_MISSING_SHARE * shown.total() else ""

    def heading_level(self, lines: Sequence[Segment]) -> int:
        """Return the level of the heading that all of these lines are, 0 if they are none."""
        places = {self._paragraph(line) for line in lines}
        return self._level(places.pop()) if len(places) == 1 else 0

    def join(self, above: Segment, line: Segment) -> bool:
        """Return True if two lines are in one paragraph, which is no list item."""
        place = self._paragraph(line)
        return self._joins and place >= 0 and place == self._paragraph(above) and self._item(line) < 0

    def begins_item(self, above: Segment | None, line: Segment) -> bool:
        """Return True if a line without a marker is the first of a list item, in lists that have no markers."""
        item = self._item(line)
        if self._has_markers or item in (-1, self._continued):
            return False
        return above is None or self._item(above) != item


def formulas_once(blocks: Sequence[Block]) -> list[Block]:
    """Return the blocks; LaTeX that several have is of a formula that layout has cut, so all of them lose it."""
    times = Counter(block.latex for block in blocks if block.latex)
    return [msgspec.structs.replace(block, latex="") if times[block.latex] > 1 else block for block in blocks]


def running_lines(blocks: Sequence[Block], runs: Sequence[TextRun], height: float) -> list[Block]:
    """Return the blocks; those in the margins that are all artefacts become running lines."""
    artifacts = [run for run in runs if run.content_id == ARTIFACT]
    if not artifacts:
        return list(blocks)
    return [_running(block, artifacts, height) for block in blocks]


def _running(block: Block, artifacts: Sequence[TextRun], height: float) -> Block:
    box = block.box
    if box.bottom <= MARGIN_SHARE * height:
        kind = BlockType.PAGE_HEADER
    elif box.top >= (1 - MARGIN_SHARE) * height:
        kind = BlockType.PAGE_FOOTER
    else:
        return block
    if block.type not in (BlockType.PARAGRAPH, BlockType.LIST_ITEM) or len(block.lines) > MAX_RUNNING_LINES:
        return block
    inside = sum(
        len(run.text.replace(" ", ""))
        for run in artifacts
        if box.x0 <= (run.x0 + run.x1) / 2 <= box.x1 and box.top <= (run.top + run.bottom) / 2 <= box.bottom
    )
    text = f"{block.marker} {block.text}".strip()
    if inside < MIN_ARTIFACT_SHARE * len(text.replace(" ", "")):
        return block
    return msgspec.structs.replace(block, type=kind, text=text, marker="", level=0, spans=())
