"""``manage.py parse``: parse one document and print its Markdown. It needs no Django, so it starts quickly.

Standard output has only the result. Progress and messages go to standard error.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from apps.cli.documents import local_document
from apps.cli.exit_codes import INTERRUPTED, OK, PARTIAL, REFUSED, UNEXPECTED, USAGE
from apps.cli.folders import parse_many
from apps.cli.options import OUTPUT_FILES, UsageError, add_arguments, check_options, is_many, read_password
from apps.cli.progress import PDF_COPIED, Progress, attachments_line, write_line
from apps.core.outbound.public_addresses import UrlNotAllowed
from apps.pages.model.conversions import Conversion
from apps.pages.model.errors import DocumentError, NoPictureOfPage, NoTables, ParseError
from apps.pages.model.warnings import describe
from apps.pages.output.exports.options import FILE_NAMES, PLACE_WORDS
from parse_project import env

if TYPE_CHECKING:
    from apps.pages.sandbox.client import Reader

SECTIONS = ("text", "markdown", "items", "metadata")
_EXIT_CODES = """\
exit codes:
  0    the whole document was parsed
  1    unexpected error in Leafmill
  2    invalid command: an option, a setting, an unreadable file, a mode that is not available
  3    the document was refused: damaged, encrypted, unsupported, too long, without the pages asked for, over a quota
  4    some pages failed, or some documents of a folder; the results of the others were written
  5    the server could not be reached, refused the key or failed
  130  interrupted

A failure prints one line on standard error: a code, a colon and a sentence that says what to do.
"""


def main(arguments: Sequence[str]) -> int:
    """Run the command with ``arguments`` (without the program's name) and return its exit code."""
    parser = argparse.ArgumentParser(
        prog="manage.py parse",
        description="Parse a document and print its Markdown, or the documents of a folder or archive into files.",
        epilog=_EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add_arguments(parser)
    return run(parser.parse_args(arguments))


def run(options: argparse.Namespace) -> int:
    """Parse, and turn every failure into one line on standard error and an exit code."""
    return run_reporting(lambda: parse(options))


def run_reporting(work: Callable[[], int]) -> int:
    """Return what ``work`` returns, and turn every failure into one line on standard error and an exit code."""
    try:
        return work()
    except KeyboardInterrupt:
        return _report_failure("cancelled", "Interrupted.", INTERRUPTED)
    except UsageError as error:
        return _report_failure(error.code, error.detail, USAGE)
    except env.BadVariable as error:
        return _report_failure("invalid_option", str(error), USAGE)
    except ParseError as error:
        default = REFUSED if isinstance(error, DocumentError | NoPictureOfPage | UrlNotAllowed) else UNEXPECTED
        return _report_failure(error.code, error.detail, getattr(error, "exit_code", default))
    except BrokenPipeError:
        # The reader of the output closed it, which is no failure. Without a new stdout, Python would complain at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK
    except OSError as error:
        fault = f"{error.strerror}: {error.filename}" if error.filename else str(error)
        return _report_failure("file_unreadable", f"{fault}. Check the path and its permissions.", USAGE)


def parse(options: argparse.Namespace) -> int:
    """Parse or estimate, write the output, and return OK or PARTIAL.

    Raise UsageError, BadVariable, ParseError or OSError.
    """
    check_options(options)
    password = read_password(options.password_file) if options.password_file else None
    if is_many(options.source):
        return parse_many(options, lambda each, reader: parse_one(each, password, reader))
    return parse_one(options, password)


def parse_one(options: argparse.Namespace, password: str | None, reader: Reader | None = None) -> int:
    """Parse or estimate one document as ``parse`` does. ``reader``: a running one, for many documents."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="leafmill-")))
        if options.estimate:
            from apps.cli.remote import estimate_on_server

            estimate = estimate_on_server(options, password, folder)
            write_output(options.output, lambda out: out.write(estimate.encode()))
            return OK
        if options.server:
            from apps.cli.remote import parse_on_server

            has_failed_pages = parse_on_server(options, password, folder, Progress(quiet=options.quiet))
        else:
            has_failed_pages = parse_here(options, password, folder, stack, reader)
        write_output(options.output, lambda out: write_result(options.format, folder, out))
    return PARTIAL if has_failed_pages else OK


def parse_here(
    options: argparse.Namespace, password: str | None, folder: Path, stack: ExitStack, reader: Reader | None = None
) -> bool:
    """Parse the document in this process and write the outputs into ``folder``. Return whether pages failed."""
    from apps.pages.sandbox.client import Reader
    from apps.pages.sandbox.process import reader_user

    try:
        reader_user()
    except ValueError as error:
        raise UsageError("invalid_option", f"{error}.") from error
    reader = reader or stack.enter_context(Reader())
    reader.start()  # the reader process imports the PDF libraries while this one imports the rest
    from apps.cli.document_options import office_options, reader_options, render_options
    from apps.cli.local.ocr import LocalOcr
    from apps.cli.local.prints import LocalPrints
    from apps.cli.local.reading import LocalReading, parse_document
    from apps.pages.sandbox.client import Limits

    document = local_document(options.source, folder)
    limits = Limits(memory_bytes=env.reader_memory_mb() << 20, max_pages=env.max_pages_per_document())
    chosen = dict(options.options)
    office = office_options(chosen, suffix=document.suffix)
    convert = partial(convert_here, password=password, stack=stack)
    prints = LocalPrints(reader, document, password, office, limits, convert)
    if options.format == "pdf":
        pdf = prints.pdf()
        shutil.copyfile(pdf, folder / OUTPUT_FILES["pdf"])
        if pdf == document and not options.quiet:
            write_line(PDF_COPIED)
        return False
    export = None
    if options.format in FILE_NAMES:
        from apps.cli.local.export import local_export

        export = local_export(options, document.name, folder, reader=reader, prints=prints)
    word_boxes = bool(options.boxes & {"word", "line"}) or options.format in (*PLACE_WORDS, "raw_words")
    recognizer = None
    if not options.no_ocr:
        # It starts its engines at the first page that needs OCR.
        recognizer = LocalOcr(
            reader,
            languages=tuple(filter(None, options.languages.split(","))),
            high_resolution=options.high_res_ocr,
            barcodes=options.barcodes,
            processes=env.ocr_processes(),
            dpi=float(env.ocr_dpi()),
            quiet=options.quiet,
            word_boxes=word_boxes,
            margins=options.crop_box,
        )
        stack.enter_context(recognizer)
    reading = LocalReading(
        password=password,
        hidden_text="remove" if options.ignore_hidden_text else "keep",
        word_boxes=word_boxes,
        margins=options.crop_box,
        office=office,
        limits=limits,
        **reader_options(chosen),
    )
    result = parse_document(
        document,
        folder,
        reader=reader,
        pages=options.pages,
        reading=reading,
        rendering=render_options(
            chosen,
            granular_boxes=options.boxes,
            spreadsheet=options.format == "xlsx",
            raw_words=options.format == "raw_words",
        ),
        processes=env.parse_processes(),
        convert=convert,
        progress=Progress(quiet=options.quiet),
        recognizer=recognizer,
        export=export,
    )
    for failure in result.failures:
        write_line(f"page {failure.number}: {failure.code}: {failure.detail}")
    if result.facts.attachments:
        names = [attachment.name for attachment in result.facts.attachments]
        write_line(attachments_line(names, result.facts.media_type))
    unread = ["needs_ocr"] if result.pages_needing_ocr else []
    for code in [*result.facts.warnings, *unread, *result.warnings]:
        write_line(f"{code}: {describe(code)}")
    return bool(result.failures)


def convert_here(document: Path, conversion: Conversion, *, password: str | None, stack: ExitStack) -> Path:
    """Return the path of the converted document, which ``stack`` removes. Raise DocumentError, ConverterCrashed."""
    from apps.pages.conversion.converter import ConverterLimits, converted, find_program, missing_here

    program = find_program(env.converter())
    if program is None:
        raise missing_here()
    limits = ConverterLimits(wall_seconds=env.converter_seconds(), memory_bytes=env.converter_memory_mb() << 20)
    return stack.enter_context(converted(document, conversion, program=program, password=password, limits=limits))


def write_result(output_format: str, folder: Path, out: BinaryIO) -> None:
    """Copy the output of this format in ``folder``; for ``json`` one object with all ``SECTIONS``.

    Granular boxes, if there are any, are one more section.
    """
    if output_format in OUTPUT_FILES:
        if output_format == "xlsx" and not (folder / OUTPUT_FILES["xlsx"]).exists():
            raise NoTables
        _copy(folder / OUTPUT_FILES[output_format], out)
        return
    for index, section in enumerate(SECTIONS):
        out.write(b'%s"%s":' % (b"," if index else b"{", section.encode()))
        _copy(folder / f"{section}.json", out)
    if (grounded := folder / "grounded_items.jsonl").exists():
        out.write(b',"grounded_items":{"pages":[')
        with grounded.open("rb") as lines:
            for index, line in enumerate(lines):
                out.write((b"," if index else b"") + line.rstrip(b"\n"))
        out.write(b"]}")
    out.write(b"}\n")


def _copy(path: Path, out: BinaryIO) -> None:
    with path.open("rb") as part:
        shutil.copyfileobj(part, out)


def write_output(path: str | None, write: Callable[[BinaryIO], object]) -> None:
    if path:
        with Path(path).open("wb") as out:
            write(out)
    else:
        write(sys.stdout.buffer)
        sys.stdout.buffer.flush()


def _report_failure(code: str, detail: str, exit_code: int) -> int:
    write_line(f"{code}: {detail}")
    return exit_code
