"""Write the outputs of a job from its pages: text, Markdown, items and metadata.

The pages are read twice, once to survey the document and once to write. So memory does not grow with the length of the
document, and the same pages give the same bytes, even if they were read in other ranges.
"""

from __future__ import annotations

import base64
import shutil
import tempfile
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from typing import Any, BinaryIO, cast

import msgspec

from apps.pages.layout import rotated_pages
from apps.pages.layout.document.continuations import ContinuationJoiner, PlacedBlock
from apps.pages.layout.document.document_survey import DocumentSurvey, survey_document
from apps.pages.layout.document.notes_at_end import NotesAtEnd
from apps.pages.layout.document.page_counters import is_lone_counter, is_page_phrase
from apps.pages.model.blocks import Barcode, Block, BlockType, Page, PageFailure, Signature
from apps.pages.model.errors import DocumentError, NoPictureOfPage, PageError
from apps.pages.model.geometry import NO_BOX
from apps.pages.model.ocr_reasons import WHOLE_PAGE_REASONS
from apps.pages.model.page_numbers.labels import label_of
from apps.pages.output import grounding, items, render
from apps.pages.output.exports.pictures import PictureOf, picture_of_block
from apps.pages.output.exports.text_lines import placed_lines
from apps.pages.output.render import ImageAddresses, RenderOptions
from apps.pages.output.sheet_names import SheetNames, SheetTable
from apps.pages.output.spatial_text import GridScale, has_places, scale_of, spatial_text

__all__ = ["Assembly", "RenderOptions", "assemble", "finished_pages"]

OUTPUTS = ("text.json", "markdown.json", "items.json", "metadata.json", "text.txt", "markdown.md")
GROUNDED_ITEMS = "grounded_items.jsonl"
"""The output with granular boxes, if they are asked for: a line for each page."""
RAW_WORDS = "raw_words.jsonl"
"""The output with a line for each word and its box, if it is asked for."""
SPREADSHEET = "tables.xlsx"
"""The workbook of the tables, if it is asked for and the document has tables."""
TEXT_WITHOUT_GRID, IMAGES_NOT_INLINED, IMAGES_CAPPED = "text_without_grid", "images_not_inlined", "images_capped"
"""Warnings of pages that do not have what the options ask for."""
MAX_INLINE_IMAGES = 200
MAX_MEMORY_BYTES = 4 * 1024 * 1024
_encode = msgspec.json.Encoder().encode


class Assembly(msgspec.Struct):
    """Counts of the assembled pages. ``warnings``: public code -> number of pages with it."""

    good_pages: int = 0
    failed_pages: int = 0
    pages_needing_ocr: int = 0
    words: int = 0
    characters: int = 0
    warnings: dict[str, int] = {}


def assemble(
    pages: Callable[[], Iterable[Page | PageFailure]],
    *,
    options: RenderOptions,
    open_output: Callable[[str], AbstractContextManager[BinaryIO]],
    picture_of: PictureOf | None = None,
) -> Assembly:
    """Write every output of ``OUTPUTS``, and those of the others that the options ask for.

    ``pages`` is called two or three times and must return the same pages in the same order. ``picture_of``: renders the
    pictures that Markdown contains; None if the document cannot be rendered.

    ``text.txt`` and ``markdown.md`` join the pages with ``options.page_separator``, skip pages without text and end
    with a newline. In these two, blocks that a page break cut in two are joined (``layout/continuations.py``), and
    numbered footnotes come at the end (``layout/document/notes_at_end.py``), unless the separator shows the pages.
    """
    survey = survey_document(pages())
    scale = _scale_of(pages()) if options.grid == "document" else None
    assembly = Assembly()
    with ExitStack() as stack:
        names = (
            *OUTPUTS,
            *((GROUNDED_ITEMS,) if options.granular_boxes else ()),
            *((RAW_WORDS,) if options.raw_words else ()),
        )
        writer = _Writer({name: stack.enter_context(open_output(name)) for name in names}, options, survey)
        content = _PageContent(options, scale, picture_of)
        for page in pages():
            if isinstance(page, PageFailure):
                assembly.failed_pages += 1
                writer.write_failure(page)
            else:
                blocks = survey.finished(page)
                if 0 < options.max_pictures < len(_pictures_to_fetch(page, blocks)):
                    page = msgspec.structs.replace(page, warnings=(*page.warnings, IMAGES_CAPPED))
                written = content.of(page, blocks)
                writer.write_page(written)
                assembly.good_pages += 1
                assembly.pages_needing_ocr += page.needs_ocr in WHOLE_PAGE_REASONS
                assembly.characters += len(written.text)
                assembly.words += len(written.text.split())
                for code in written.page.warnings:
                    assembly.warnings[code] = assembly.warnings.get(code, 0) + 1
        writer.finish()
    if writer.tables:
        _write_spreadsheet(writer.tables, open_output)
    return assembly


def _write_spreadsheet(
    tables: Sequence[SheetTable], open_output: Callable[[str], AbstractContextManager[BinaryIO]]
) -> None:
    """Write the workbook. It is made in a file of its own, because a workbook is not written from start to end."""
    from apps.pages.output.spreadsheet import write_workbook

    with tempfile.SpooledTemporaryFile(max_size=MAX_MEMORY_BYTES) as made, open_output(SPREADSHEET) as out:
        write_workbook(tables, cast(BinaryIO, made))
        made.seek(0)
        shutil.copyfileobj(made, out)


def finished_pages(pages: Callable[[], Iterable[Page | PageFailure]]) -> Iterator[Page | PageFailure]:
    """Yield the pages with their finished blocks. ``pages`` is called twice."""
    survey = survey_document(pages())
    for page in pages():
        if isinstance(page, PageFailure):
            yield page
        else:
            blocks = rotated_pages.as_displayed(survey.finished(page), page)
            yield msgspec.structs.replace(page, blocks=tuple(_on_page(block, page) for block in blocks))


class _WrittenPage(msgspec.Struct):
    """A page with its finished blocks, also with boxes of the page as displayed, and what outputs have in common.

    ``images``: addresses of pictures among the ``blocks``.
    """

    page: Page
    blocks: list[Block]
    displayed: list[Block]
    text: str
    images: ImageAddresses


class _PageContent:
    """Makes the text of pages, and the pictures that Markdown contains."""

    def __init__(self, options: RenderOptions, scale: GridScale | None, picture_of: PictureOf | None) -> None:
        self._options = options
        self._scale = scale
        self._picture_of = picture_of
        self._images_left = MAX_INLINE_IMAGES

    def of(self, page: Page, blocks: list[Block]) -> _WrittenPage:
        displayed = [_on_page(block, page) for block in rotated_pages.as_displayed(blocks, page)]
        written = _WrittenPage(page, blocks, displayed, text="", images={})
        if not self._options.grid:
            written.text = render.page_text(blocks)
        elif has_places(displayed):
            written.text = spatial_text(displayed, self._scale)
        else:
            written.text = render.page_text(blocks)
            _warn(written, TEXT_WITHOUT_GRID)
        if self._options.inline_images:
            self._add_images(written)
        return written

    def _add_images(self, written: _WrittenPage) -> None:
        for block, shown in zip(written.blocks, written.displayed, strict=True):
            if block.type is not BlockType.PICTURE:
                continue
            try:
                if self._picture_of is None or not self._images_left or not _pictures_to_fetch(written.page, [shown]):
                    raise NoPictureOfPage
                jpeg = picture_of_block(self._picture_of, written.page, shown)
            except (PageError, DocumentError):
                _warn(written, IMAGES_NOT_INLINED)
            else:
                self._images_left -= 1
                written.images[render.key_of_image(block)] = f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}"


def _warn(written: _WrittenPage, code: str) -> None:
    if code not in written.page.warnings:
        written.page = msgspec.structs.replace(written.page, warnings=(*written.page.warnings, code))


def _scale_of(pages: Iterable[Page | PageFailure]) -> GridScale:
    return scale_of(
        rotated_pages.as_displayed(list(page.blocks), page) for page in pages if not isinstance(page, PageFailure)
    )


class _Writer:
    """Writes all outputs, one page at a time."""

    def __init__(self, files: dict[str, BinaryIO], options: RenderOptions, survey: DocumentSurvey) -> None:
        self._files = files
        self._options = options
        self._pages = 0
        self._confidences: list[float] = []
        self._flow = ContinuationJoiner(survey.words, tables=options.joins_tables, pictures=options.inline_images)
        shows_pages = bool(options.page_separator.strip())
        self._notes = NotesAtEnd() if survey.notes_go_on and not shows_pages else None
        self._last: PlacedBlock | None = None
        self._nesting = render.Nesting()
        self._has_text = False
        self._images: dict[int, ImageAddresses] = {}  # of pages that are not yet in the whole document
        self.tables: list[SheetTable] = []
        self._heading = ""
        self._sheets = SheetNames()
        for name in OUTPUTS:
            if name.endswith(".json"):
                files[name].write(b'{"pages":[')

    def write_page(self, written: _WrittenPage) -> None:
        """Write one page to all outputs."""
        page, blocks, displayed = written.page, written.blocks, written.displayed
        number = {"page_number": page.number}
        self._entry("text.json", {**number, "text": written.text})
        self._images[page.number] = written.images

        page_markdown = render.page_markdown(blocks, self._options, written.images)
        markdown: dict[str, Any] = {"markdown": page_markdown, "success": True}
        for name, kind in (("header", BlockType.PAGE_HEADER), ("footer", BlockType.PAGE_FOOTER)):
            margin = "\n\n".join(render.paragraph(block.text, block.spans) for block in blocks if block.type is kind)
            if margin:
                markdown[name] = margin
        self._entry("markdown.json", {**number, **markdown})

        pictures = _pictures_to_fetch(page, blocks)
        kept = set(_largest(pictures, self._options.max_pictures))
        tree = self._with_addresses(page, items.items_of(displayed, self._options), kept)
        size = {"page_width": page.width, "page_height": page.height}
        revisions = {"revisions": msgspec.to_builtins(page.revisions)} if page.revisions else {}
        self._entry("items.json", {**number, **size, "success": True, "items": tree, **revisions})
        if self._options.granular_boxes:
            tree = items.items_of(displayed, self._options, self._options.granular_boxes)
            tree = self._with_addresses(page, tree, kept)
            self._line({**number, **size, "success": True, "items": tree})

        if self._options.raw_words:
            self._files[RAW_WORDS].writelines(_word_lines(page.number, displayed))
        if self._options.spreadsheet:
            self._add_tables(page, blocks)
        confidence, reason = _confidence(blocks), str(page.parsing.get("reason", ""))
        label = label_of(self._options.page_labels, page.number)
        metadata: dict[str, Any] = {
            "original_orientation_angle": page.rotation,
            "needs_ocr": page.needs_ocr if page.needs_ocr in WHOLE_PAGE_REASONS else "",
            "warnings": list(page.warnings),
            "parsing": page.parsing,
            "triggered_auto_mode": reason.startswith("rule "),
            "cost_optimized": reason.startswith("cost optimizer"),
            "hidden_text": list(page.hidden),
            "signatures": [_signature_entry(signature) for signature in page.signatures],
            "barcodes": [_barcode_entry(code) for code in page.barcodes],
            "pictures_left_out": len(pictures) - len(kept),
            "quality": page.quality,
            "page_label": label,
            "sheet_name": page.sheet_name,
            "speaker_notes": page.speaker_notes,
            "slide_section_name": page.slide_section,
            "attachment_name": page.attachment_name,
            "printed_page_number": (_printed_number(blocks) or label) if self._options.printed_page_numbers else "",
        }
        known = {name: value for name, value in metadata.items() if value}
        if confidence is not None:
            self._confidences.append(confidence)
            known["confidence"] = confidence
        self._entry("metadata.json", {**number, **known})

        placed = self._flow.add(page.number, blocks)
        self._write_flow(placed if self._notes is None else self._notes.add(placed))
        if self._options.grid and written.text:
            self._write_text(written.text, self._options.page_separator)
        self._pages += 1

    def _add_tables(self, page: Page, blocks: Sequence[Block]) -> None:
        """Note the tables of a page for the workbook, each with the name of its sheet."""
        count = 0
        for previous, block, following in zip([None, *blocks], blocks, [*blocks[1:], None], strict=False):
            if block.type is BlockType.HEADING:
                self._heading = block.text
            elif block.type is BlockType.TABLE:
                count += 1
                captions = [each.text for each in (previous, following) if each and each.type is BlockType.CAPTION]
                title = (captions[0] if captions else self._heading) if self._options.guesses_sheet_names else ""
                name = self._sheets.unique(title or page.sheet_name or f"Page {page.number}, table {count}")
                self.tables.append(SheetTable(name, render.grid_of(block.cells), block.cells))

    def write_failure(self, failure: PageFailure) -> None:
        number = failure.number
        failed = {"page_number": number, "error": f"{failure.code}: {failure.detail}", "success": False}
        self._entry("text.json", {"page_number": number, "text": ""})
        self._entry("markdown.json", failed)
        self._entry("items.json", failed)
        self._entry("metadata.json", {"page_number": number})
        if self._options.granular_boxes:
            self._line(failed)
        self._pages += 1

    def finish(self) -> None:
        placed = self._flow.finish()
        self._write_flow(placed if self._notes is None else self._notes.add(placed))
        if self._notes is not None:
            self._write_flow(self._notes.finish())
        for name in OUTPUTS:
            if name.endswith(".json"):
                document = self._document() if name == "metadata.json" else b""
                self._files[name].write(b"]" + document + b"}")
        if self._last is not None:
            self._files["markdown.md"].write(b"\n")
        if self._has_text:
            self._files["text.txt"].write(b"\n")

    def _document(self) -> bytes:
        """Return the rest of the metadata: the confidence of the whole document, if a page has one."""
        if not self._confidences:
            return b""
        lowest = min(self._confidences)
        coverage = {"min_page_score": lowest, "scored_pages": len(self._confidences), "total_pages": self._pages}
        mean = round(sum(self._confidences) / len(self._confidences), 4)
        return b',"document":' + _encode({"confidence": mean, "confidence_breakdown": coverage})

    def _with_addresses(self, page: Page, tree: list[dict[str, Any]], kept: Container[int]) -> list[dict[str, Any]]:
        """Return the items with the addresses of the pictures that are kept, of those that can be fetched."""
        if self._options.picture_urls:
            pictures = [
                item
                for item in tree
                if item["type"] == "image" and ("embedded" in item or ("bbox" in item and not page.structured))
            ]
            for count, item in enumerate(pictures, 1):
                if count in kept:
                    item["url"] = f"{self._options.picture_urls}page_{page.number}_picture_{count}.jpg"
        return tree

    def _write_flow(self, placed: Iterable[PlacedBlock]) -> None:
        """Add blocks to the whole document's text and Markdown."""
        separator = self._options.page_separator
        for number, block in placed:
            new_page = self._last is not None and number != self._last[0]
            if new_page and separator.strip():
                self._nesting = render.Nesting()
            text = "" if self._options.grid else render.block_text(block)
            for written in [each for each in self._images if each < number]:
                del self._images[written]
            image = self._images.get(number, {}).get(render.key_of_image(block), "")  # notes come after later pages
            markdown = render.block_markdown(block, self._options, self._nesting.outer_levels(block), image)
            if not markdown:
                continue
            if self._last is not None:
                between = separator if new_page else render.between(self._last[1], block)
                self._files["markdown.md"].write(between.encode())
            self._files["markdown.md"].write(markdown.encode())
            if text:
                self._write_text(text, separator if new_page else "\n\n")
            self._last = number, block

    def _write_text(self, text: str, between: str) -> None:
        """Add to the whole document's text."""
        self._files["text.txt"].write(((between if self._has_text else "") + text).encode())
        self._has_text = True

    def _entry(self, name: str, entry: dict[str, Any]) -> None:
        if self._pages:
            self._files[name].write(b",")
        self._files[name].write(_encode(entry))

    def _line(self, entry: dict[str, Any]) -> None:
        self._files[GROUNDED_ITEMS].write(_encode(entry) + b"\n")


def _pictures_to_fetch(page: Page, blocks: Iterable[Block]) -> list[Block]:
    """Return the pictures of which there is an image: a part of the page, or a file inside the document."""
    pictures = (block for block in blocks if block.type is BlockType.PICTURE)
    return [block for block in pictures if block.image or (block.box != NO_BOX and not page.structured)]


def _largest(pictures: Sequence[Block], count: int) -> list[int]:
    """Return the numbers, from 1, of the largest pictures; ``count`` 0: of all."""

    def size(number: int) -> float:
        block = pictures[number - 1]
        return block.image.width * block.image.height if block.image else block.box.width * block.box.height

    numbers = range(1, len(pictures) + 1)
    return sorted(numbers, key=size, reverse=True)[:count] if count else list(numbers)


def _signature_entry(signature: Signature) -> dict[str, Any]:
    facts = msgspec.to_builtins(signature)
    return {name: fact for name, fact in facts.items() if name != "box"} | {"bbox": grounding.box_of(signature.box)}


def _barcode_entry(code: Barcode) -> dict[str, Any]:
    place = {} if code.box == NO_BOX else {"bbox": grounding.box_of(code.box)}
    return {"format": code.format, "value": code.value, **place}


def _word_lines(page_number: int, blocks: Iterable[Block]) -> Iterator[bytes]:
    """Yield a line of JSON for each word of a page, with its box in points and what OCR says of it."""
    for block in blocks:
        for line in placed_lines(block):
            for word in line.words:
                box = {"x": word.box.x0, "y": word.box.top, "w": word.box.width, "h": word.box.height}
                places = {name: round(value, 2) for name, value in box.items()}
                known = {} if word.confidence is None else {"confidence": word.confidence}
                yield _encode({"page_number": page_number, "text": word.text, **places, **known}) + b"\n"


def _confidence(blocks: Iterable[Block]) -> float | None:
    """Return the mean confidence of what was recognized on a page, by letters; None if nothing was."""
    known = [
        (block.confidence, max(1, len(block.text)))
        for block in blocks
        if block.confidence is not None and not block.is_signature
    ]
    letters = sum(length for _, length in known)
    return round(sum(score * length for score, length in known) / letters, 4) if known else None


def _printed_number(blocks: Iterable[Block]) -> str:
    """Return the header or footer that is a page number and nothing else, such as "iv", "- 3 -" or "Page 5 of 10"."""
    for block in blocks:
        if block.type in (BlockType.PAGE_HEADER, BlockType.PAGE_FOOTER):
            text = block.text.strip()
            if is_lone_counter(text):
                return text.strip("-–—|·[]() ")
            if is_page_phrase(text):
                return text
    return ""


def _on_page(block: Block, page: Page) -> Block:
    """Return a block whose boxes end at the edges of the page; letters may reach beyond them."""
    box = block.box
    if box.x0 >= 0 and box.top >= 0 and box.x1 <= page.width and box.bottom <= page.height:
        return block
    return rotated_pages.moved(block, lambda box: box.clipped(page.width, page.height))
