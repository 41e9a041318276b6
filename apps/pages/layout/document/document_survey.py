"""Survey a whole document for its headings and running lines, and finish the blocks of its pages with what is known.

One pass over the pages, in memory that grows with the number of distinct words, styles and margin lines, not with the
text.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from apps.pages.layout import rotated_pages
from apps.pages.layout.document.captions_notes import with_captions_and_notes, with_captions_tied
from apps.pages.layout.document.headings import MIN_LARGER, HeadingSurvey, title_key
from apps.pages.layout.document.model_headings import ModelHeadings, is_model_heading
from apps.pages.layout.document.notes_at_end import NoteNumbers
from apps.pages.layout.document.page_margins import block_text, margin_of
from apps.pages.layout.document.quotes import with_quotes
from apps.pages.layout.document.running_lines import RunningLines
from apps.pages.layout.lists.lists_over_pages import ListsOverPages, shifted
from apps.pages.layout.regions.drawn_figures import with_figures_as_pictures
from apps.pages.layout.text.hyphenation import DocumentWords, rejoined
from apps.pages.layout.text.inline_spans import moved
from apps.pages.model.blocks import Block, BlockType, Page, PageFailure, Source

_MARGIN_TYPES = {"header": BlockType.PAGE_HEADER, "footer": BlockType.PAGE_FOOTER}
# Lines of one heading are no further apart, in heights of a line.
MAX_HEADING_SPACE_HEIGHTS = 0.6


class DocumentSurvey(msgspec.Struct):
    """Facts about a whole document; ``words`` decide about hyphens."""

    headings: HeadingSurvey
    model_headings: ModelHeadings
    running: RunningLines
    words: DocumentWords
    # Page number -> by how many levels the list with which the page begins is deeper than the page alone shows.
    list_levels: dict[int, int]
    # Whether the numbers of the footnotes go on through all pages.
    notes_go_on: bool

    def finished(self, page: Page) -> list[Block]:
        """Return the blocks of a page with headings, headers and footers marked.

        Their boxes are those of the page turned upright; ``rotated_pages.as_displayed`` maps them back.
        """
        if page.structured:
            return with_captions_tied(page.blocks)
        page = rotated_pages.upright_page(page)
        page = msgspec.structs.replace(page, blocks=tuple(rejoined(block, self.words) for block in page.blocks))
        zones = self.running.zones_of(page)
        blocks: list[Block] = []
        for index, (block, zone) in enumerate(zip(page.blocks, zones, strict=True)):
            # A model has seen the page, so its headings are better than those by size and weight.
            is_model = block.source is Source.MODEL
            level = 0 if is_model else self.headings.level_of(page, index)
            if is_model_heading(block):
                block = msgspec.structs.replace(block, level=self.model_headings.level_of(block))
            if zone and not (level and self._is_title(page, block, zones)):
                blocks.append(_changed(block, _MARGIN_TYPES[zone]))
            elif level:
                blocks.append(_changed(block, BlockType.HEADING, level))
            else:
                blocks.append(block)
        blocks = with_figures_as_pictures(page, blocks)
        blocks = with_quotes(with_captions_and_notes(page, blocks, self.headings.body.size))
        return shifted(blocks, self.list_levels.get(page.number, 0))

    def _is_title(self, page: Page, block: Block, zones: Sequence[str]) -> bool:
        """Return True for the first occurrence of a running head in heading letters that no heading below equals."""
        size = block.lines[0].size
        if size < MIN_LARGER * self.headings.body.size or not self.running.begins(page, block):
            return False
        key = title_key(block.text)
        return not any(
            other.lines and not zone and (other.lines[0].size >= size or title_key(other.text) == key)
            for other, zone in zip(page.blocks, zones, strict=True)
        )


def survey_document(pages: Iterable[Page | PageFailure]) -> DocumentSurvey:
    """Read all pages once and return the facts."""
    headings, running = HeadingSurvey(), RunningLines()
    model_headings = ModelHeadings(headings)
    seen: set[tuple[str, int]] = set()
    words = DocumentWords()
    lists, notes = ListsOverPages(), NoteNumbers()
    list_levels: dict[int, int] = {}
    for page in pages:
        if isinstance(page, PageFailure) or page.structured:
            continue
        page = rotated_pages.upright_page(page)
        headings.read_outline(page.outline)
        running.add(page)
        model_headings.add(page)
        notes.add(page)
        levels = lists.add([b for b in page.blocks if b.type is BlockType.LIST_ITEM or not margin_of(page, b)])
        if levels:
            list_levels[page.number] = levels
        counted = []
        for block in page.blocks:
            words.add(block)
            zone = margin_of(page, block)
            # A heading at the top of a page counts once; a line repeated on every page does not.
            key = (block_text(block), round(block.box.top)) if zone else ("", 0)
            counted.append(not zone or key not in seen)
            if zone:
                seen.add(key)
        headings.add(page, counted)
    headings.finish()
    model_headings.finish()
    running.finish(headings.body.size)
    return DocumentSurvey(headings, model_headings, running, words, list_levels, notes.go_on(headings.body.size))


def _changed(block: Block, kind: BlockType, level: int = 0) -> Block:
    is_heading = kind is BlockType.HEADING
    text = block.text if is_heading else block_text(block)
    return msgspec.structs.replace(
        block,
        type=kind,
        text=text,
        level=level,
        marker=block.marker if is_heading else "",
        spans=moved(block.spans, len(text) - len(block.text)) if block.spans else (),
    )
