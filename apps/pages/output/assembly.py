"""Pages -> the outputs of a job, streamed: text, Markdown, items and metadata.

The pages are read twice, once to survey the document and once to write, so memory does not grow with its length and the
same pages give the same bytes whatever ranges they came in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack
from typing import Any, BinaryIO

import msgspec

from apps.pages.layout.continuations import ContinuationJoiner, PlacedBlock
from apps.pages.layout.document_survey import DocumentSurvey, survey_document
from apps.pages.layout.text_quality import WHOLE_PAGE_REASONS
from apps.pages.model.blocks import Block, BlockType, Page, PageFailure, Source
from apps.pages.output import items, render
from apps.pages.output.render import RenderOptions

__all__ = ["Assembly", "RenderOptions", "assemble", "finished_pages"]

OUTPUTS = ("text.json", "markdown.json", "items.json", "metadata.json", "text.txt", "markdown.md")
_encode = msgspec.json.Encoder().encode


class Assembly(msgspec.Struct):
    """What was assembled. ``warnings``: public code -> how many pages carry it."""

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
) -> Assembly:
    """Write every output of ``OUTPUTS``; ``pages`` is called twice and must give the same pages in the same order.

    ``text.txt`` and ``markdown.md`` join the pages with ``options.page_separator`` and end with a line end; pages
    without any text are passed over. In these two, what a page break has cut in two is put together (``flow.py``).
    """
    survey = survey_document(pages())
    assembly = Assembly()
    with ExitStack() as stack:
        writer = _Writer({name: stack.enter_context(open_output(name)) for name in OUTPUTS}, options)
        for page in pages():
            if isinstance(page, PageFailure):
                assembly.failed_pages += 1
                writer.write_failure(page)
            else:
                _count(assembly, page, writer.write_page(page, finished_blocks(page, survey)))
        writer.finish()
    return assembly


def finished_pages(pages: Callable[[], Iterable[Page | PageFailure]]) -> Iterator[Page | PageFailure]:
    """The pages with what the survey adds to their blocks; ``pages`` is called twice."""
    survey = survey_document(pages())
    for page in pages():
        if isinstance(page, PageFailure):
            yield page
        else:
            yield msgspec.structs.replace(page, blocks=tuple(finished_blocks(page, survey)))


def finished_blocks(page: Page, survey: DocumentSurvey) -> list[Block]:
    """The blocks of a page with headings and running lines told apart."""
    blocks: list[Block] = []
    for block in page.blocks:
        zone = survey.running_zone(page, block)
        if zone:
            kind = BlockType.PAGE_HEADER if zone == "header" else BlockType.PAGE_FOOTER
            blocks.append(_changed(block, kind, 0))
            continue
        # A model has seen more of its page than sizes and weights.
        level = 0 if block.source is Source.MODEL else survey.level_of(block)
        blocks.append(_changed(block, BlockType.HEADING, level) if level else block)
    return blocks


def _changed(block: Block, kind: BlockType, level: int) -> Block:
    marker = block.marker if kind is BlockType.HEADING else ""
    text = block.text if kind is BlockType.HEADING or not block.marker else f"{block.marker} {block.text}"
    return Block(kind, block.box, text, block.lines, level, marker, block.cells, block.source, block.confidence)


def _count(assembly: Assembly, page: Page, text: str) -> None:
    assembly.good_pages += 1
    assembly.pages_needing_ocr += page.needs_ocr in WHOLE_PAGE_REASONS
    assembly.characters += len(text)
    assembly.words += len(text.split())
    for code in page.warnings:
        assembly.warnings[code] = assembly.warnings.get(code, 0) + 1


class _Writer:
    """Six outputs, one page at a time."""

    def __init__(self, files: dict[str, BinaryIO], options: RenderOptions) -> None:
        self._files = files
        self._options = options
        self._pages = 0
        self._flow = ContinuationJoiner()
        self._last: PlacedBlock | None = None
        self._has_text = False
        for name in OUTPUTS:
            if name.endswith(".json"):
                files[name].write(b'{"pages":[')

    def write_page(self, page: Page, blocks: list[Block]) -> str:
        """Write one page to all outputs; returns its text."""
        text = render.page_text(blocks)
        markdown = render.page_markdown(blocks, self._options)
        number = page.number
        self._entry("text.json", {"page_number": number, "text": text})
        self._entry("markdown.json", {"page_number": number, "markdown": markdown, "success": True, **_margins(blocks)})
        self._entry(
            "items.json",
            {
                "page_number": number,
                "page_width": page.width,
                "page_height": page.height,
                "success": True,
                "items": items.items_of(page, blocks, self._options),
            },
        )
        self._entry("metadata.json", _metadata(page))
        self._write_flow(self._flow.add(number, blocks))
        self._pages += 1
        return text

    def write_failure(self, failure: PageFailure) -> None:
        number = failure.number
        failed = {"page_number": number, "error": f"{failure.code}: {failure.detail}", "success": False}
        self._entry("text.json", {"page_number": number, "text": ""})
        self._entry("markdown.json", failed)
        self._entry("items.json", failed)
        self._entry("metadata.json", {"page_number": number})
        self._pages += 1

    def finish(self) -> None:
        self._write_flow(self._flow.finish())
        for name in OUTPUTS:
            if name.endswith(".json"):
                self._files[name].write(b"]}")
        if self._last is not None:
            self._files["markdown.md"].write(b"\n")
        if self._has_text:
            self._files["text.txt"].write(b"\n")

    def _write_flow(self, placed: Iterable[PlacedBlock]) -> None:
        """Add blocks to the whole document's text and Markdown."""
        separator = self._options.page_separator
        for number, block in placed:
            text, markdown = render.block_text(block), render.block_markdown(block, self._options)
            if not markdown:
                continue
            new_page = self._last is not None and number != self._last[0]
            if self._last is not None:
                between = separator if new_page else render.between(self._last[1], block)
                self._files["markdown.md"].write(between.encode())
            self._files["markdown.md"].write(markdown.encode())
            if text:
                between = separator if new_page else "\n\n"
                self._files["text.txt"].write(((between if self._has_text else "") + text).encode())
                self._has_text = True
            self._last = number, block

    def _entry(self, name: str, entry: dict[str, Any]) -> None:
        if self._pages:
            self._files[name].write(b",")
        self._files[name].write(_encode(entry))


def _margins(blocks: list[Block]) -> dict[str, str]:
    """``header`` and ``footer`` of a Markdown page, where it has them."""
    found: dict[str, str] = {}
    for name, kind in (("header", BlockType.PAGE_HEADER), ("footer", BlockType.PAGE_FOOTER)):
        text = "\n\n".join(render.paragraph(block.text) for block in blocks if block.type is kind)
        if text:
            found[name] = text
    return found


def _metadata(page: Page) -> dict[str, Any]:
    entry: dict[str, Any] = {"page_number": page.number}
    if page.rotation:
        entry["original_orientation_angle"] = page.rotation
    if page.needs_ocr in WHOLE_PAGE_REASONS:
        entry["needs_ocr"] = page.needs_ocr
    if page.warnings:
        entry["warnings"] = list(page.warnings)
    if page.parsing:
        entry["parsing"] = page.parsing
    if page.hidden:
        entry["hidden_text"] = list(page.hidden)
    return entry
