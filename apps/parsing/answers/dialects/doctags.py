"""DocTags, the form in which granite-docling and SmolDocling write a page: a tag for each element, with its box.

Source: the vocabulary of docling-core (MIT licence), https://github.com/docling-project/docling-core
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from apps.pages.model.blocks import BlockType
from apps.pages.model.geometry import Box
from apps.pages.model.text import list_markers
from apps.parsing.answers.dialects import otsl
from apps.parsing.answers.dialects.page_scale import PageScale
from apps.parsing.answers.drafts import Draft
from apps.parsing.answers.markup import formulas
from apps.parsing.errors import UnusableAnswer

# Boxes are in five-hundredths of the page.
GRID = 500
MAX_ELEMENTS = 5_000
_LISTS = {"unordered_list", "ordered_list"}
_TYPES = {
    "title": BlockType.HEADING,
    "text": BlockType.PARAGRAPH,
    "paragraph": BlockType.PARAGRAPH,
    "list_item": BlockType.LIST_ITEM,
    "caption": BlockType.CAPTION,
    "footnote": BlockType.FOOTNOTE,
    "page_header": BlockType.PAGE_HEADER,
    "page_footer": BlockType.PAGE_FOOTER,
    "formula": BlockType.PARAGRAPH,
    "code": BlockType.CODE,
    "picture": BlockType.PICTURE,
    "chart": BlockType.PICTURE,
    "otsl": BlockType.TABLE,
    "document_index": BlockType.TABLE,
    "checkbox_selected": BlockType.LIST_ITEM,
    "checkbox_unselected": BlockType.LIST_ITEM,
    **{f"section_header_level_{level}": BlockType.HEADING for level in range(1, 7)},
}
_CHECK_BOXES = {"checkbox_selected": "[x]", "checkbox_unselected": "[ ]"}
_WRAPPERS = {"doctag", "inline", "group", "key_value_region", "page_break", *_LISTS}
_NAMES = "|".join(sorted({*_TYPES, *_WRAPPERS}, key=len, reverse=True))
_TAG = re.compile(rf"<(/?)({_NAMES}|loc_\d{{1,4}}|_[\w+#.-]{{1,30}}_)/?>")
_PICTURE_CLASS = re.compile(r"^\s*<[a-z_]{1,40}>")


def read_doctags(text: str, scale: PageScale) -> list[Draft]:
    """Read one page. Raise ``UnusableAnswer`` for an answer without a tag of DocTags or with too many elements."""
    pieces = _TAG.split(text)
    if len(pieces) < 4 or len(pieces) > 10 * MAX_ELEMENTS:
        raise UnusableAnswer("The answer is not a page in DocTags.")
    reader = _Reader(scale)
    reader.text(pieces[0])
    for closing, name, following in zip(pieces[1::3], pieces[2::3], pieces[3::3], strict=True):
        if name.startswith("loc_"):
            reader.place(float(name[4:]))
        elif closing:
            reader.close(name)
        else:
            reader.open(name)
        reader.text(following)
    return reader.finish()


@dataclass
class _Open:
    name: str
    sides: list[float] = field(default_factory=list)
    text: str = ""


class _Reader:
    """Collect the elements. Text outside of them becomes a paragraph at the end."""

    def __init__(self, scale: PageScale) -> None:
        self._frame = scale
        self._drafts: list[Draft] = []
        self._open: list[_Open] = []
        self._outside = ""
        self._counts: list[int] = []  # of the open lists; -1 for one without numbers

    def text(self, text: str) -> None:
        if self._open:
            self._open[-1].text += text
        else:
            self._outside += f"{text} "

    def place(self, side: float) -> None:
        if self._open and len(self._open[-1].sides) < 4:
            self._open[-1].sides.append(side)

    def open(self, name: str) -> None:
        if name in _LISTS:
            self._counts.append(0 if name == "ordered_list" else -1)
        elif name in _TYPES:
            self._open.append(_Open(name))

    def close(self, name: str) -> None:
        """End a list, or an element with those inside it that have no end of their own."""
        if name in _LISTS and self._counts:
            self._counts.pop()
        places = [place for place, element in enumerate(self._open) if element.name == name]
        while places and len(self._open) > places[-1]:
            self._emit(self._open.pop())

    def finish(self) -> list[Draft]:
        while self._open:
            self._emit(self._open.pop())
        rest = " ".join(self._outside.split())
        return [*self._drafts, Draft(BlockType.PARAGRAPH, rest)] if rest else self._drafts

    def _emit(self, element: _Open) -> None:
        box = self._frame.box(element.sides, GRID, GRID)
        kind = _TYPES[element.name]
        text = element.text.strip("\n") if kind is BlockType.CODE else " ".join(element.text.split())
        if kind is BlockType.TABLE:
            table = otsl.table_of(element.text)
            if table.cells:
                self._drafts.append(Draft(kind, cells=table.cells, box=box))
        elif kind is BlockType.PICTURE:
            self._drafts.append(Draft(kind, _PICTURE_CLASS.sub("", text).strip(), box=box))
        elif kind is BlockType.LIST_ITEM and text:
            self._drafts.append(self._list_item(element.name, text, box))
        elif element.name == "formula" and (latex := formulas.safe_latex(text)):
            self._drafts.append(Draft(kind, latex, latex=latex, box=box))
        elif text:
            number = element.name.removeprefix("section_header_level_")
            level = min(6, int(number) + 1) if number.isdigit() else 1
            self._drafts.append(Draft(kind, text, level if kind is BlockType.HEADING else 0, box=box))

    def _list_item(self, name: str, text: str, box: Box | None) -> Draft:
        """Return an item with its own marker, if its text begins with one, or the next number of its list."""
        marker = _CHECK_BOXES.get(name, "-")
        if name == "list_item" and self._counts and self._counts[-1] >= 0:
            self._counts[-1] += 1
            marker = f"{self._counts[-1]}."
        own, rest = list_markers.split(text)
        if own:
            is_kept = list_markers.is_ordered(own) or list_markers.is_check_box(own)
            marker, text = own if is_kept else "-", rest
        return Draft(BlockType.LIST_ITEM, text, max(1, len(self._counts)), marker, box=box)
