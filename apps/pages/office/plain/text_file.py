"""Plain text: a paragraph for each block of lines between empty ones. Form feeds begin pages."""

from __future__ import annotations

from apps.pages.model.blocks import Block, BlockType, Page
from apps.pages.model.document_facts import DocumentFacts
from apps.pages.model.errors import UnsupportedDocument
from apps.pages.model.geometry import NO_BOX
from apps.pages.model.office_options import OfficeOptions
from apps.pages.model.text.safe_text import MAX_TEXT_CHARACTERS
from apps.pages.office.office_file import NOMINAL_HEIGHT, NOMINAL_WIDTH
from apps.pages.office.plain.decoding import decoded
from apps.pages.office.sources import Source, bytes_of


class TextFile:
    """``pages``: the text of each page."""

    def __init__(self, content: bytes) -> None:
        text, warnings = decoded(content)
        self._pages = [part for page in text.split("\f") for part in _parts(page)] or [""]
        self.facts = DocumentFacts("text/plain", len(self._pages), warnings=warnings)

    def page(self, number: int) -> Page:
        paragraphs = [part.strip("\n") for part in self._pages[number - 1].split("\n\n")]
        blocks = tuple(
            Block(type=BlockType.PARAGRAPH, box=NO_BOX, text=text.strip()) for text in paragraphs if text.strip()
        )
        return Page(number=number, width=NOMINAL_WIDTH, height=NOMINAL_HEIGHT, blocks=blocks, structured=True)


def open_file(source: Source, _password: str | None, _options: OfficeOptions) -> TextFile:
    content = bytes_of(source)
    if b"%PDF-" in content:
        raise UnsupportedDocument("A PDF begins far behind the start of this file. Remove what is before it.")
    return TextFile(content)


def _parts(page: str) -> list[str]:
    """Return a page in parts that are not longer than pages may be, divided between lines where possible."""
    parts = []
    while len(page) > MAX_TEXT_CHARACTERS:
        end = page.rfind("\n", 1, MAX_TEXT_CHARACTERS) + 1 or MAX_TEXT_CHARACTERS
        parts.append(page[:end])
        page = page[end:]
    return [*parts, page] if page.strip() or not parts else parts
