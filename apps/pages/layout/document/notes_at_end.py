"""Give the footnotes of a whole document after its text, as Markdown does, if their numbers go on through the pages."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator

from apps.pages.layout.document.continuations import PlacedBlock
from apps.pages.model.blocks import Block, BlockType

# Memory: with more footnotes than this, each stays where its page ends.
MAX_HELD_NOTES = 2_000
_NUMBER = re.compile(r"\W{0,2}(\d{1,4})(?!\d)")


class NotesAtEnd:
    """Take the blocks of a document in reading order and hold its numbered footnotes until the end.

    Where numbers begin again, as on each page or in each chapter, the held notes come at once, and later ones stay.
    """

    def __init__(self) -> None:
        self._held: list[PlacedBlock] = []
        self._last = 0
        self._is_over = False

    def add(self, placed: Iterable[PlacedBlock]) -> Iterator[PlacedBlock]:
        """Yield the blocks that are not held."""
        for page_number, block in placed:
            if self._holds(block):
                self._held.append((page_number, block))
            else:
                if self._is_over:
                    yield from self.finish()
                yield page_number, block

    def finish(self) -> Iterator[PlacedBlock]:
        """Yield the notes that are held."""
        held, self._held = self._held, []
        yield from held

    def _holds(self, block: Block) -> bool:
        if self._is_over or block.type is not BlockType.FOOTNOTE:
            return False
        found = _NUMBER.match(unicodedata.normalize("NFKC", block.text[:12]))
        if found is None:
            return bool(self._held)  # another paragraph of the last note
        number = int(found.group(1))
        self._is_over = (bool(self._held) and number != self._last + 1) or len(self._held) >= MAX_HELD_NOTES
        self._last = number
        return not self._is_over
