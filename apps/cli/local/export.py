"""Write an export of a document that this process parses, with pictures rendered by its reader."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import BinaryIO

from apps.cli.local.prints import LocalPrints
from apps.cli.options import chunk_options
from apps.cli.progress import write_line
from apps.pages.model.blocks import EmbeddedImage, Page, PageFailure
from apps.pages.model.conversions import has_slides
from apps.pages.model.document_facts import DocumentFacts
from apps.pages.model.errors import NoPictureOfPage
from apps.pages.model.geometry import Box
from apps.pages.model.media_types import PDF, is_structured
from apps.pages.model.page_images.vision_image import MAX_VISION_PIXELS
from apps.pages.model.text.languages import find_all, tag_of
from apps.pages.model.warnings import describe
from apps.pages.output.exports.pictures import PictureOf
from apps.pages.output.exports.registry import EXPORTS, PICTURE_DPI, ExportSource
from apps.pages.output.exports.text_layers import TextLayers
from apps.pages.sandbox.client import Limits, Reader
from apps.pages.sandbox.printed_pages import printed_pages

WriteExport = Callable[[Path, DocumentFacts, Callable[[], Iterable[Page | PageFailure]]], None]


def pictures_of(reader: Reader, document: Path, media_type: str, *, password: str | None, limits: Limits) -> PictureOf:
    """Return a function that renders a part of a page, or returns an image file of the document, as a JPEG."""

    def picture_of(page: Page, box: Box, embedded: EmbeddedImage | None = None) -> bytes:
        return reader.picture(
            document,
            page.number,
            dpi=PICTURE_DPI,
            region=box,
            embedded=embedded,
            max_pixels=MAX_VISION_PIXELS,
            password=password,
            media_type=media_type,
            limits=limits,
        )

    return picture_of


def local_export(
    options: argparse.Namespace, name: str, folder: Path, *, reader: Reader, prints: LocalPrints
) -> WriteExport:
    """Return a function that writes the export ``options.format`` of the document's pages into ``folder``."""
    title = Path(options.source).name if options.source != "-" else name
    languages = find_all([code for code in options.languages.split(",") if code][:1])
    export, limits = EXPORTS[options.format], prints.limits

    def open_output(name: str) -> BinaryIO | None:
        path = folder / name
        return path.open("rb") if path.exists() else None

    def write(document: Path, facts: DocumentFacts, pages: Callable[[], Iterable[Page | PageFailure]]) -> None:
        password, media_type = prints.password, facts.media_type
        if export.needs_pictures and is_structured(media_type):
            printed = prints.printed()
            if printed is None:
                raise NoPictureOfPage
            page_count = reader.inspect(printed, limits=limits).page_count
            slides = pages() if has_slides(media_type) and page_count == facts.page_count else None
            with (folder / "printed.jsonl").open("w+b") as spool:
                pages = printed_pages(reader, printed, spool, page_count=page_count, slides=slides, limits=limits)
                write_pages(printed, PDF, None, pages)
            return
        write_pages(document, media_type, password, pages)

    def write_pages(
        document: Path, media_type: str, password: str | None, pages: Callable[[], Iterable[Page | PageFailure]]
    ) -> None:
        def add_text(layers: TextLayers, out: BinaryIO) -> None:
            reader.searchable_copy(
                document,
                out,
                page_numbers=layers.pages,
                layers=layers.layers,
                layer_pages=layers.layer_pages,
                pages_to_check=layers.pages_to_check,
                password=password,
                limits=limits,
            )

        source = ExportSource(
            pages,
            chunk_options(options),
            title=title,
            language=tag_of(languages[0]) if languages else "",
            picture_of=pictures_of(reader, document, media_type, password=password, limits=limits),
            open_output=open_output,
            add_text=add_text if media_type == PDF else None,
            warn=lambda code: write_line(f"{code}: {describe(code)}"),
        )
        with (folder / export.file_name).open("w+b") as out:
            export.write(source, out)

    return write
