"""Give the footnotes of a whole document after its text, as Markdown does, if their numbers go on through the pages.

The first pass over the pages looks at small type that begins as notes do (``NoteNumbers``); the second one holds the
notes until the end (``NotesAtEnd``).
"""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator

from apps.pages.layout.document.captions_notes import MIN_NOTE_SHARE, NOTE_TYPE
from apps.pages.layout.document.continuations import PlacedBlock
from apps.pages.layout.document.page_margins import block_text
from apps.pages.model.blocks import Block, BlockType, Page

# Memory: with more footnotes than this, each stays where its page ends.
MAX_HELD_NOTES = 2_000
_NUMBER = re.compile(r"\W{0,2}(\d{1,3})(?!\d)")


class NoteNumbers:
    """The numbers at the beginning of small type in the lower part of the pages, in the order of the document."""

    def __init__(self) -> None:
        self._found: list[tuple[float, int, int]] = []  # size, number, hash of the text

    def add(self, page: Page) -> None:
        if len(self._found) > MAX_HELD_NOTES:
            return
        for block in page.blocks:
            if block.lines and block.box.top >= MIN_NOTE_SHARE * page.height:
                number = _number_of(block)
                if number is not None:
                    self._found.append((block.lines[0].size, number, hash(block.text)))

    def go_on(self, body_size: float) -> bool:
        """Return True if no note of the document has the number of an earlier one, or a lower number."""
        # A text that comes twice is a running line.
        times = Counter(text for _size, _number, text in self._found)
        numbers = [
            number for size, number, text in self._found if 0 < size <= NOTE_TYPE * body_size and times[text] == 1
        ]
        return len(self._found) <= MAX_HELD_NOTES and all(a < b for a, b in itertools.pairwise(numbers))


class NotesAtEnd:
    """Take the blocks of a document in reading order and hold its numbered footnotes until the end.

    Where a number does not follow the one before, the held notes come at once, and later ones stay.
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
        number = _number_of(block)
        if number is None:
            return bool(self._held)  # another paragraph of the last note
        self._is_over = (bool(self._held) and number != self._last + 1) or len(self._held) >= MAX_HELD_NOTES
        self._last = number
        return not self._is_over


def _number_of(block: Block) -> int | None:
    found = _NUMBER.match(unicodedata.normalize("NFKC", block_text(block)[:12]))
    return int(found.group(1)) if found else None
