"""Read a file into analysed pages. This is the only entry to native code, and only the sandboxed child calls it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec

from apps.pages.layout import page_layout, rotated_pages
from apps.pages.layout.document import margin_lines
from apps.pages.layout.quality import conservation, text_quality
from apps.pages.layout.regions import drawn_figures
from apps.pages.layout.text import right_to_left
from apps.pages.layout.text.word_boxes import with_words
from apps.pages.model.blocks import Block, EmbeddedImage, Page, PageFailure
from apps.pages.model.document_facts import DocumentFacts
from apps.pages.model.errors import NoPictureOfPage, PageError, ParseError
from apps.pages.model.geometry import Box, Margins
from apps.pages.model.media_types import PDF, is_structured
from apps.pages.model.office_options import AS_USUAL, OfficeOptions
from apps.pages.model.page_images.ocr_image import OcrImage, white_margins
from apps.pages.model.page_images.vision_image import MAX_VISION_PIXELS, encode_vision_image
from apps.pages.model.raw_page import NO_PRINT, PicturePrint, RawPage
from apps.pages.model.text import scripts
from apps.pages.model.text.safe_text import MAX_TEXT_CHARACTERS, clean
from apps.pages.office import office_file
from apps.pages.pdf import rasters
from apps.pages.pdf.hidden_text import HIDDEN_TEXT, KEEP, MAX_REPORTED_CHARACTERS, REMOVE, UNCHECKED, remove_hidden_text
from apps.pages.pdf.pdf_file import FONTS_MISSING, PdfFile
from apps.pages.reading import directions, embedded_images, images
from apps.pages.reading.contained_files import contained_files
from apps.pages.reading.inspection import inspect_document
from apps.pages.reading.searchable_copy import write_searchable_copy
from apps.pages.reading.svg import svg_file, svg_page

__all__ = [
    "DocumentFacts",
    "contained_files",
    "inspect_document",
    "read_pages",
    "render_for_ocr",
    "render_for_vision",
    "write_searchable_copy",
]

READ_WITHOUT_FORMS = "read_without_forms"
# A second reading must have this share of the characters of the first.
MIN_SECOND_SHARE = 0.5
_WARNINGS_OF_QUALITY = {"lost_characters": "lost_characters", "layout": "plain_layout"}


def read_pages(
    path: str,
    page_numbers: Sequence[int],
    *,
    password: str | None = None,
    media_type: str = PDF,
    careful: bool = False,
    suspect: bool = False,
    hidden_text: str = KEEP,
    preserve_very_small_text: bool = False,
    word_boxes: bool = False,
    margins: Margins | None = None,
    skip_diagonal: bool = False,
    office: OfficeOptions = AS_USUAL,
) -> Iterator[Page | PageFailure]:
    """Yield one result per page number, in the given order. A page that cannot be read does not affect the others.

    ``careful``: the document has crashed a reader or kept it too long; skip outline and forms. The pages warn of it.
    ``suspect``: a page took longer than pages do; count the forms that it draws before it is loaded.
    ``hidden_text``: "remove" leaves out text that people cannot see, and text below 2 points unless
    ``preserve_very_small_text``. ``Page.hidden`` lists it. ``word_boxes``: lines and cells have the boxes of
    their words. ``margins``: only what is inside of them is read. ``skip_diagonal``: diagonal text is left out.
    ``office``: how documents are read that have a structure of their own; the other options do not concern them.
    """
    if is_structured(media_type):
        files = embedded_images.image_files(path, media_type, password)
        for result in office_file.read_pages(
            path, page_numbers, media_type=media_type, password=password, options=office
        ):
            yield embedded_images.with_sizes(result, files) if isinstance(result, Page) else result
        return
    if media_type != PDF:
        for page_number in page_numbers:
            yield _read_picture(path, page_number, media_type, margins)
        return
    with PdfFile(path, password, careful=careful, suspect=suspect, margins=margins, skip_diagonal=skip_diagonal) as pdf:
        for raw in pdf.pages(page_numbers):
            if isinstance(raw, PageFailure):
                yield raw
            else:
                page = _analysed(
                    pdf,
                    raw,
                    remove_hidden=hidden_text == REMOVE,
                    keep_tiny=preserve_very_small_text,
                    word_boxes=word_boxes,
                )
                if careful and isinstance(page, Page):
                    page = msgspec.structs.replace(page, warnings=(*page.warnings, READ_WITHOUT_FORMS))
                yield page


def _read_picture(path: str, page_number: int, media_type: str, margins: Margins | None) -> Page | PageFailure:
    if media_type != svg_file.MEDIA_TYPE:
        return images.read_frame(path, page_number, media_type, margins)
    try:
        return svg_page.read_page(path, margins)
    except ParseError as error:
        return PageFailure(page_number, error.code, error.detail)


def render_for_ocr(
    path: str,
    page_number: int,
    *,
    password: str | None = None,
    media_type: str = PDF,
    dpi: float,
    max_dpi: float = math.inf,
    margins: Margins | None = None,
    embedded: Sequence[EmbeddedImage] = (),
) -> OcrImage:
    """Return the page as displayed, in grey, with white ``margins``. A page that is one scan keeps its resolution.

    ``embedded``: the image files of an office document that are put on a sheet, with their sizes there.
    """
    if is_structured(media_type):
        return embedded_images.sheet_for_ocr(embedded_images.image_files(path, media_type, password), embedded)
    if media_type != PDF:
        image = images.render_frame(path, page_number, media_type, max_dpi=max_dpi)
    else:
        with _opened(path, password) as document:
            image = rasters.render(document, page_number, dpi=dpi, max_dpi=max_dpi)
    return white_margins(image, margins) if margins else image


def render_for_vision(
    path: str,
    page_number: int,
    *,
    password: str | None = None,
    media_type: str = PDF,
    dpi: float,
    region: Box | None = None,
    max_pixels: int = MAX_VISION_PIXELS,
    margins: Margins | None = None,
    embedded: Sequence[EmbeddedImage] = (),
) -> bytes:
    """Return the page as displayed, or a ``region`` of it, as a colour JPEG of at most ``max_pixels``.

    ``margins`` are white. ``embedded``: the one image file of an office document to return instead.
    """
    size: dict[str, Any] = {"dpi": dpi, "region": region, "max_pixels": max_pixels, "margins": margins}
    if is_structured(media_type):
        if not embedded:
            raise NoPictureOfPage
        files = embedded_images.image_files(path, media_type, password)
        return embedded_images.jpeg_of(files, embedded[0].name, max_pixels=max_pixels)
    if media_type != PDF:
        image = images.picture_of_frame(path, page_number, media_type, **size)
        return encode_vision_image(image, max_pixels=max_pixels)
    with _opened(path, password) as document:
        image = rasters.picture(document, page_number, **size)
    return encode_vision_image(image, max_pixels=max_pixels)


@contextmanager
def _opened(path: str, password: str | None) -> Iterator[Any]:
    document = rasters.open_document(path, password)
    if document is None:
        raise PageError
    try:
        yield document
    finally:
        document.close()


def _best_reading(pdf: PdfFile, raw: RawPage) -> tuple[RawPage, PicturePrint, text_quality.Verdict]:
    """Return the page, or what the second reader reads if only that is text, the print in its pictures that its text
    does not have, and the verdict on its text.
    """
    found = _print_found(pdf, raw)
    # Cleaning removes the codes that show that the text layer is not the text of the page, so this comes first.
    verdict = text_quality.verdict(raw, found)
    if not verdict.has_wrong_letters or raw.reader:
        return raw, found, verdict
    again = pdf.read_again(raw.page_number)
    if isinstance(again, RawPage) and again.reader and len(again.text) >= MIN_SECOND_SHARE * len(raw.text):
        unread = _print_found(pdf, again) if found is NO_PRINT else found
        second = text_quality.verdict(again, unread)
        if not second.has_wrong_letters:
            return again, unread, second
    pdf.trust(raw.page_number)
    return raw, found, verdict


def _print_found(pdf: PdfFile, raw: RawPage) -> PicturePrint:
    if not text_quality.may_hide_print(raw):
        return NO_PRINT
    return pdf.print_in_pictures(raw, min_unread=text_quality.MIN_UNREAD_SQUARES)


def _analysed(
    pdf: PdfFile, raw: RawPage, *, remove_hidden: bool, keep_tiny: bool, word_boxes: bool
) -> Page | PageFailure:
    raw, found, verdict = _best_reading(pdf, raw)
    angle = rotated_pages.angle_of(raw.runs)
    width, height, visible = raw.width, raw.height, raw.text
    if angle:
        turned = pdf.upright(raw.page_number, angle)
        if isinstance(turned, PageFailure):
            return turned
        raw = turned
    if scripts.has_rtl("".join([run.text for run in raw.runs])):
        raw.runs = right_to_left.rebuild_runs(raw.runs, pdf.chars(raw.page_number, angle, width, height))
    aside = directions.other_view(pdf, raw, angle)
    views = [(raw, angle), *((aside,) if aside else ())]
    hidden: tuple[str, ...] = (clean(raw.hidden)[:MAX_REPORTED_CHARACTERS],) if raw.hidden else ()
    warnings: list[str] = [*raw.warnings, *((HIDDEN_TEXT,) if hidden else ())]
    removed = ""
    for view, turned_by in views if remove_hidden else ():
        before = list(view.runs)
        unseen = _without_hidden(pdf, view, turned_by, (width, height), keep_tiny=keep_tiny)
        if unseen is None:
            warnings.append(UNCHECKED)
        elif unseen:
            hidden += unseen
            removed += conservation.text_removed(before, view.runs)
            warnings.append(HIDDEN_TEXT)
    if removed:
        verdict = text_quality.verdict(raw, found)._replace(garbled=verdict.garbled)
    if verdict.is_unreliable:
        warnings.append("text_unreliable")
    for view, _turned_by in views:
        warnings += clean_runs(view)
    blocks, quality = _conserved(views, (width, height), visible, removed, word_boxes=word_boxes)
    warnings += [code for name, code in _WARNINGS_OF_QUALITY.items() if name in quality]
    rotation = directions.rotation_of(raw, angle)
    page = Page(
        number=raw.page_number,
        width=round(width, 2),
        height=round(height, 2),
        blocks=tuple(blocks),
        rotation=rotation,
        needs_ocr=verdict.needs_ocr,
        garbled=verdict.garbled,
        warnings=tuple(dict.fromkeys(warnings)),
        hidden=hidden,
        quality=quality,
        outline=pdf.outline() if raw.page_number == 1 else (),
        signatures=tuple(raw.signatures),
    )
    return margin_lines.with_separators(drawn_figures.with_figures(page, raw), raw) if rotation == angle else page


def _without_hidden(
    pdf: PdfFile, raw: RawPage, angle: int, size: tuple[float, float], *, keep_tiny: bool
) -> tuple[str, ...] | None:
    """Remove hidden text, in place, from a page of this size turned back by ``angle``. Return it, None if unchecked."""
    if FONTS_MISSING in raw.warnings:
        return None  # the picture of the page lacks the text

    def place(box: Box) -> Box:
        return rotated_pages.box_laid_back(box, angle, *size) if angle else box

    return remove_hidden_text(raw, pdf.drawn(raw.page_number), place=place, keep_tiny=keep_tiny)


def _conserved(
    views: Sequence[tuple[RawPage, int]], size: tuple[float, float], visible: str, removed: str, *, word_boxes: bool
) -> tuple[list[Block], dict[str, str | int]]:
    """Return the blocks of a page and what is known of their quality: its lines, if its usual layout loses characters.

    ``visible``: the characters of the page. ``removed``: those that were left out on request.
    """
    blocks = _laid_out(page_layout.analyse, views, size, word_boxes=word_boxes)
    raw = views[0][0]
    runs = [run for view, _turned_by in views for run in view.runs]
    lost = conservation.lost_characters(visible, blocks, removed, runs)
    facts: dict[str, str | int] = {
        "reader": raw.reader,
        "off_page_characters": raw.outside,
        "doubled_characters": raw.doubled,
        "layout": "",
        "lost_characters": lost,
    }
    if lost:
        lines = _laid_out(conservation.lines_in_order, views, size, word_boxes=word_boxes)
        still_lost = conservation.lost_characters(visible, lines, removed, runs)
        if still_lost < lost:
            blocks = lines
            facts |= {"layout": "lines", "lost_characters": still_lost}
    return blocks, {name: fact for name, fact in facts.items() if fact}


def _laid_out(
    analyse: Callable[[RawPage], list[Block]],
    views: Sequence[tuple[RawPage, int]],
    size: tuple[float, float],
    *,
    word_boxes: bool,
) -> list[Block]:
    """Return the blocks of a page of this size. ``views``: the page, and its text of another direction, each with the
    angle by which it is turned."""
    blocks: list[list[Block]] = []
    for view, turned_by in views:
        found = analyse(view)
        if word_boxes:
            found = with_words(found, view.runs)
        blocks.append([rotated_pages.laid_back(block, turned_by, *size) for block in found] if turned_by else found)
    return directions.merged(*blocks) if len(blocks) > 1 else blocks[0]


def clean_runs(raw: RawPage) -> list[str]:
    """Remove dangerous characters from the page's text and limit its length, in place. Return warning codes."""
    warnings: list[str] = ["text_truncated"] if raw.truncated else []
    total = 0
    emptied = False
    for index, run in enumerate(raw.runs):
        text = clean(run.text)
        if text != run.text:
            run.text = text
            run.words = None
            emptied = emptied or not text.strip()
            if "text_cleaned" not in warnings:
                warnings.append("text_cleaned")
        total += len(text)
        if total > MAX_TEXT_CHARACTERS:
            del raw.runs[index:]
            if not raw.truncated:
                warnings.append("text_truncated")
            break
    if emptied:  # the layout expects text in every run
        raw.runs = [run for run in raw.runs if run.text.strip()]
    return warnings
