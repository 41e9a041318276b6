"""Forty small documents, 1 to 20 pages each. The same number gives the same bytes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tests.documents.long import long_document

DOCUMENTS = 40


@dataclass(frozen=True)
class CorpusDocument:
    """A document of the corpus and its number of pages."""

    path: Path
    pages: int

    @property
    def name(self) -> str:
        return self.path.name


def write_corpus(folder: Path, *, documents: int = DOCUMENTS) -> list[CorpusDocument]:
    """Write the first ``documents`` of the corpus into the folder."""
    return [_write(folder, number) for number in range(documents)]


def _write(folder: Path, number: int) -> CorpusDocument:
    pages = 1 + (7 * number + 3) % 20
    path = folder / f"document-{number:02}.pdf"
    path.write_bytes(long_document(pages, columns=1 + number % 3, lines=20 + number % 7))
    return CorpusDocument(path, pages)
