"""Pages of the corpus as our OCR reads them from their pictures, with the confidences that it gives.

Recognition takes about a second a page, so out/fidelity-ocr keeps it.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from difflib import get_close_matches
from functools import partial
from pathlib import Path

import msgspec

from apps.pages.layout.recognized_page import apply_recognition
from apps.pages.model.blocks import Block, BlockType, Page
from apps.pages.model.errors import PageError
from apps.pages.model.ocr_reasons import NO_TEXT_LAYER
from apps.pages.model.recognition import decode_recognition
from apps.pages.output.assembly import finished_pages
from apps.pages.sandbox.client import Reader
from apps.parsing.answers.fidelity import compare
from bench.fidelity.rewritings import Case
from bench.figures import ROOT
from bench.ocr_scoring import DPI, engine_pool
from ocr_worker.engine import EngineProcess, OcrRequest
from parse_project.env import cores

FOLDER = ROOT / "out" / "fidelity-ocr"
ENGINES = ("rapidocr-openvino", "tesseract")
# With a smaller share of a page's words OCR does not know the script.
MIN_READ_SHARE = 0.8
_WORD = re.compile(r"(?<!\S)[^\W\d_]+(?=[.,;:]?(?!\S))")


def recognized_cases(found: Sequence[tuple[Path, Case]]) -> list[Case]:
    """Return the cases with their pages as OCR reads them.

    The blocks are those of the recognized page, with misread words corrected: a model that does not see the page knows
    the language, but not the numbers. Pages whose script OCR cannot read here are left out.
    """
    cases = []
    for page, (_, case) in zip(recognized_pages(found), found, strict=True):
        if page is None or compare(page, case[0].blocks).coverage < MIN_READ_SHARE:
            continue
        words = sorted({word for block in case[0].blocks for text in _texts(block) for word in _WORD.findall(text)})
        [finished] = finished_pages(partial(list, [page]))
        assert isinstance(finished, Page)
        cases.append((page, [_corrected(block, words) for block in finished.blocks], case[2]))
    return cases


def _texts(block: Block) -> list[str]:
    return [block.text, *(cell.text for cell in block.cells)]


def _corrected(block: Block, words: Sequence[str]) -> Block:
    def corrected(found: re.Match[str]) -> str:
        word = found.group()
        return word if word in words or not word.isalpha() else next(iter(get_close_matches(word, words, 1)), word)

    cells = tuple(msgspec.structs.replace(cell, text=_WORD.sub(corrected, cell.text), spans=()) for cell in block.cells)
    return msgspec.structs.replace(block, text=_WORD.sub(corrected, block.text), spans=(), cells=cells)


def recognized_pages(found: Sequence[tuple[Path, Case]]) -> list[Page | None]:
    """Return the pages as OCR reads them without their text layer; None: OCR lacks the language pack for the page."""
    pages = [(document, case[0]) for document, case in found]
    FOLDER.mkdir(parents=True, exist_ok=True)
    missing = [(document, page) for document, page in pages if not _stored(document, page).exists()]
    if missing:
        with engine_pool(ENGINES, cores()) as run, Reader() as reader:
            images = ((document, page, reader.render(document, page.number, dpi=DPI)) for document, page in missing)
            while group := list(itertools.islice(images, 4 * cores())):
                run(_recognize, group)
    stored = ((page, _stored(document, page).read_bytes()) for document, page in pages)
    return [_without_text_layer(page, recognition) if recognition else None for page, recognition in stored]


def _recognize(sheet: tuple[Path, Page, bytes], process: EngineProcess) -> None:
    document, page, image = sheet
    try:
        recognition = process.recognize(image, OcrRequest())
    except PageError:
        recognition = b""
    _stored(document, page).write_bytes(recognition)


def _stored(document: Path, page: Page) -> Path:
    return FOLDER / f"{document.parent.name}-{document.stem}-{page.number}.json"


def _without_text_layer(page: Page, recognition: bytes) -> Page:
    pictures = tuple(block for block in page.blocks if block.type is BlockType.PICTURE)
    blank = msgspec.structs.replace(page, blocks=pictures, needs_ocr=NO_TEXT_LAYER, warnings=(), rotation=0)
    return apply_recognition(blank, decode_recognition(recognition))
