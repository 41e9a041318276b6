"""The tags of a page: the structure that the program which made a PDF wrote beside the text (PDF 32000-1, 14.7)."""

from __future__ import annotations

import msgspec

# Content that the file marks as no part of the text: running lines, page numbers, decoration.
ARTIFACT = -2


class Tag(msgspec.Struct, frozen=True, gc=False):
    """One structure element. ``role``: its standard type, such as "Table" or "TD". ``parent``: its place in the list
    of tags, -1 for the outermost. ``alternative``: what the file says instead of a formula, perhaps LaTeX.
    """

    role: str
    parent: int
    row_span: int = 1
    column_span: int = 1
    alternative: str = ""


class PageTags(msgspec.Struct, gc=False):
    """The elements of a page, parents before children. ``owners``: marked content -> place of the element it is in."""

    tags: list[Tag]
    owners: dict[int, int]

    def enclosing(self, content_id: int, roles: frozenset[str]) -> list[int]:
        """Return the places of the elements of these roles around a marked content, the innermost first."""
        found = []
        place = self.owners.get(content_id, -1)
        while place >= 0:
            if self.tags[place].role in roles:
                found.append(place)
            place = self.tags[place].parent
        return found
