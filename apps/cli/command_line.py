"""``manage.py parse``: one document in, its Markdown on stdout. Needs no Django, so it starts quickly.

Standard output carries the result and nothing else; everything for people goes to standard error.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO
from urllib.parse import urlsplit

from apps.cli.progress import Progress, say
from apps.pages.model.errors import DocumentError, PageOutOfRange, ParseError
from apps.pages.model.page_ranges import check_page_ranges
from apps.pages.model.warnings import describe
from parse_project import env

if TYPE_CHECKING:
    from apps.cli.local_ocr import LocalOcr
    from apps.pages.sandbox.client import Reader

OK, UNEXPECTED, USAGE, REFUSED, PARTIAL, NO_SERVER, INTERRUPTED = 0, 1, 2, 3, 4, 5, 130
MODES = ("fast", "balanced", "multimodal", "agentic")
# The options that only a service follows, and what each is when it was not given.
_ABOUT_MODELS = {
    **dict.fromkeys(("max-cost", "on-budget", "providers", "prompt")),
    **dict.fromkeys(("no-external", "no-cache", "estimate"), False),
}
SECTIONS = ("text", "markdown", "items", "metadata")
_FULL = {"markdown": "markdown.md", "text": "text.txt"}
_EXIT_CODES = """\
exit codes:
  0    the whole document was parsed
  1    something unexpected went wrong on our side
  2    the command is not right: an option, a setting, a file that cannot be read, a mode that cannot be had
  3    the document was refused: damaged, encrypted, not supported, too long, pages it does not have, over a quota
  4    some pages failed; the result of the others was printed
  5    the server could not be reached, refused the key or failed
  130  interrupted

A failure prints one line on standard error: the code, a colon and a sentence that says what to do.
"""


class UsageError(Exception):
    """The command cannot be carried out as it was written; ``code`` is public."""

    def __init__(self, code: str, detail: str) -> None:
        self.code = code
        self.detail = detail
        super().__init__(detail)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("source", metavar="FILE|URL|-", help="the document: a file, an http(s) address, - for stdin")
    parser.add_argument("--mode", choices=MODES, default="fast", help="how pages are parsed (default: fast)")
    parser.add_argument("--pages", default="", metavar="1,3-5", help="only these pages, counted from 1")
    parser.add_argument("-o", "--output", metavar="PATH", help="write the result there instead of standard output")
    parser.add_argument(
        "--format", choices=("markdown", "text", "json"), default="markdown", help="(default: markdown)"
    )
    parser.add_argument("--password-file", metavar="PATH", help="a file whose first line opens an encrypted document")
    parser.add_argument("--languages", default="", metavar="de,fr", help="of scanned text, the main one first")
    parser.add_argument("--no-ocr", action="store_true", help="take the text layer alone")
    parser.add_argument("--high-res-ocr", action="store_true", help="look at scans more finely; slower")
    parser.add_argument("--ignore-hidden-text", action="store_true", help="leave out text that people cannot see")
    parser.add_argument("--server", metavar="URL", help="let this running service parse the document")
    parser.add_argument("--api-key", metavar="KEY", help="its API key; better LEAFMILL_API_KEY in the environment")
    models = parser.add_argument_group("models, with --server alone")
    models.add_argument("--max-cost", type=_amount, metavar="USD", help="the most that the models may cost")
    models.add_argument(
        "--on-budget",
        choices=("stop", "degrade"),
        help="pages beyond it fail, or keep their fallback text (default: degrade)",
    )
    models.add_argument("--providers", metavar="NAME,NAME", help="the only providers that may be asked")
    models.add_argument("--no-external", action="store_true", help="send no page to an external provider")
    models.add_argument("--prompt", metavar="TEXT", help="what the model is to mind beside the page")
    models.add_argument("--no-cache", action="store_true", help="neither use answers that were kept nor keep these")
    models.add_argument("--estimate", action="store_true", help="print what each mode would come to, and parse nothing")
    parser.add_argument("-q", "--quiet", action="store_true", help="no progress on standard error")


def main(arguments: Sequence[str]) -> int:
    """Run the command; returns its exit code. ``arguments`` without the program's name."""
    parser = argparse.ArgumentParser(
        prog="manage.py parse",
        description="Parse one document and print its Markdown.",
        epilog=_EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_arguments(parser)
    return run(parser.parse_args(arguments))


def run(options: argparse.Namespace) -> int:
    """Parse as ``options`` say and turn every failure into one line and an exit code."""
    try:
        return _parse(options)
    except KeyboardInterrupt:
        return _complain("cancelled", "Interrupted.", INTERRUPTED)
    except UsageError as error:
        return _complain(error.code, error.detail, USAGE)
    except env.BadVariable as error:
        return _complain("invalid_option", str(error), USAGE)
    except ParseError as error:
        usual = REFUSED if isinstance(error, DocumentError) else UNEXPECTED
        return _complain(error.code, error.detail, getattr(error, "exit_code", usual))
    except BrokenPipeError:
        # Who read our output has had enough of it; Python would complain when it closes stdout.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK
    except OSError as error:
        what = f"{error.strerror}: {error.filename}" if error.filename else str(error)
        detail = f"{what}. Check the path and its permissions."
        return _complain("file_unreadable", detail, USAGE)


def _parse(options: argparse.Namespace) -> int:
    _check_pages(options.pages)
    _check_languages(options.languages)
    _check_server(options)
    password = _password(options.password_file)
    _check_about_models(options)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="leafmill-")))
        if options.estimate:
            from apps.cli.remote import estimate_on_server

            estimate = estimate_on_server(options, password, folder)
            _write(options.output, lambda out: out.write(estimate.encode()))
            return OK
        if options.server:
            from apps.cli.remote import parse_on_server

            failed = parse_on_server(options, password, folder, Progress(quiet=options.quiet))
        else:
            failed = _parse_here(options, password, folder, stack)
        _write(options.output, lambda out: write_result(options.format, folder, out))
    return PARTIAL if failed else OK


def _parse_here(options: argparse.Namespace, password: str | None, folder: Path, stack: ExitStack) -> bool:
    """Whether some pages failed."""
    from apps.pages.sandbox.client import Reader

    _check_reader_user()
    reader = stack.enter_context(Reader())
    reader.start()  # it imports the PDF libraries while we import ours
    from apps.cli.local import parse_document
    from apps.pages.sandbox.client import Limits

    document = _local_document(options.source, folder)
    result = parse_document(
        document,
        folder,
        reader=reader,
        pages=options.pages,
        password=password,
        hidden_text="remove" if options.ignore_hidden_text else "keep",
        processes=env.parse_processes(),
        limits=Limits(memory_bytes=env.reader_memory_mb() << 20, max_pages=env.max_pages_per_document()),
        progress=Progress(quiet=options.quiet),
        recognize=None if options.no_ocr else stack.enter_context(_recognizer(options, reader)),
    )
    for failure in result.failures:
        say(f"page {failure.number}: {failure.code}: {failure.detail}")
    unread = ["needs_ocr"] if result.pages_needing_ocr else []
    for code in [*result.facts.warnings, *unread]:
        say(f"{code}: {describe(code)}")
    return bool(result.failures)


def _recognizer(options: argparse.Namespace, reader: Reader) -> LocalOcr:
    """What recognises pages that have no text layer; nothing of it is loaded until there is one."""
    from apps.cli.local_ocr import LocalOcr

    return LocalOcr(
        reader,
        languages=tuple(filter(None, options.languages.split(","))),
        high_resolution=options.high_res_ocr,
        processes=env.ocr_processes(),
        dpi=float(env.ocr_dpi()),
        quiet=options.quiet,
    )


def _check_about_models(options: argparse.Namespace) -> None:
    """What needs models needs a service: UsageError without one."""
    if options.server:
        return
    if options.mode != "fast":
        raise UsageError(
            "mode_not_available",
            f"{options.mode} mode asks models, and their quotas are shared by all processes, so a running service asks "
            "them and not this command. Start one with `make run`, load a provider with `manage.py load_providers` and "
            'name the service: --server http://127.0.0.1:8000 (with make: ARGS="--server http://127.0.0.1:8000"). '
            "Or use --mode fast.",
        )
    asked = vars(options)
    given = [name for name in _ABOUT_MODELS if asked[name.replace("-", "_")] is not _ABOUT_MODELS[name]]
    if given:
        raise UsageError("invalid_option", f"--{given[0]} is for a running service. Name it with --server URL.")


def _amount(text: str) -> float:
    try:
        amount = float(text)
    except ValueError:
        amount = -1.0
    if not 0 <= amount < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of dollars, 0 or more")
    return amount


def _check_languages(codes: str) -> None:
    from apps.pages.model import languages

    try:
        languages.find_all(list(filter(None, codes.split(","))))
    except languages.UnknownLanguage as error:
        raise UsageError("invalid_option", str(error)) from error


def _check_pages(pages: str) -> None:
    """What no document could have; pages that this one does not have are found out when it is open."""
    try:
        check_page_ranges(pages or "1")
    except PageOutOfRange as error:
        raise UsageError(error.code, error.detail) from error


def _check_server(options: argparse.Namespace) -> None:
    if options.server is None:
        return
    try:
        address = urlsplit(options.server)
        usable = address.scheme in ("http", "https") and address.hostname and address.port != 0
    except ValueError:  # a port that is none
        usable = False
    if not usable:
        raise UsageError(
            "invalid_option", f"{options.server!r} is not the address of a server, such as http://127.0.0.1:8000."
        )
    options.api_key = key = options.api_key or env.text("LEAFMILL_API_KEY", "", "the API key for --server")
    if not (key.isascii() and key.isprintable()):
        raise UsageError("invalid_option", "The API key has signs that no key has. Copy it once more.")


def _check_reader_user() -> None:
    from apps.pages.sandbox.process import reader_user

    try:
        reader_user()
    except ValueError as error:
        raise UsageError("invalid_option", f"{error}.") from error


def _local_document(source: str, folder: Path) -> Path:
    if source == "-":
        document = folder / "stdin"
        with document.open("wb") as copy:
            shutil.copyfileobj(sys.stdin.buffer, copy)
        return document
    if source.lower().startswith(("http://", "https://")):
        from apps.cli.fetch import fetch_document

        return fetch_document(source, folder / "fetched")
    return Path(source)


def _write(path: str | None, write: Callable[[BinaryIO], object]) -> None:
    if path:
        with Path(path).open("wb") as out:
            write(out)
    else:
        write(sys.stdout.buffer)
        sys.stdout.buffer.flush()


def write_result(wanted: str, folder: Path, out: BinaryIO) -> None:
    """Copy the outputs in ``folder`` as ``markdown``, ``text`` or ``json`` (one object with all ``SECTIONS``)."""
    if wanted in _FULL:
        _copy(folder / _FULL[wanted], out)
        return
    for index, section in enumerate(SECTIONS):
        out.write(b'%s"%s":' % (b"," if index else b"{", section.encode()))
        _copy(folder / f"{section}.json", out)
    out.write(b"}\n")


def _copy(path: Path, out: BinaryIO) -> None:
    with path.open("rb") as part:
        shutil.copyfileobj(part, out)


def _password(path: str | None) -> str | None:
    if not path:
        return None
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise UsageError("invalid_option", "The password file is not text in UTF-8. Write it as such.") from error
    if not lines:
        raise UsageError("invalid_option", "The password file is empty. Write the password into its first line.")
    return lines[0]


def _complain(code: str, detail: str, exit_code: int) -> int:
    say(f"{code}: {detail}")
    return exit_code
