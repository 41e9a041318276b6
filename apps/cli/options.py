"""The options of ``manage.py parse``: their definition and the checks that need no document."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from urllib.parse import urlsplit

from apps.cli.document_options import NAMES, option, unknown_here
from apps.pages.model.errors import PageOutOfRange
from apps.pages.model.geometry import Margins
from apps.pages.model.page_numbers.ranges import check_page_ranges
from apps.pages.output.exports.options import DEFAULT_TOKENS, FILE_NAMES, MAX_TOKENS, MIN_TOKENS, SPLITS, ChunkOptions
from parse_project import env

FORMATS = ("markdown", "text", "json", "xlsx", "pdf", "raw_words", "docling")
OUTPUT_FILES = {
    "markdown": "markdown.md",
    "text": "text.txt",
    "xlsx": "tables.xlsx",
    "pdf": "document.pdf",
    "raw_words": "raw_words.jsonl",
    "docling": "docling.json",
    **FILE_NAMES,
}
"""The file of each format; ``json`` has several."""
FORMATS_BY_SUFFIX = {".txt": "text", ".json": "json", ".jsonl": "chunks", ".xlsx": "xlsx", ".pdf": "pdf"} | {
    ".html": "html",
    ".htm": "html",
    ".docx": "docx",
    ".hocr": "hocr",
    ".zip": "zip",
}
"""The format of an output whose name ends so, if the command names none."""
_HINTS_BY_SUFFIX = {
    ".csv": " The tables as CSV files in a ZIP archive: --format csv.",
    ".xml": " Words and their boxes as ALTO XML: --format alto.",
    **dict.fromkeys((".doc", ".odt", ".rtf"), " A Word document: --format docx and a name ending in .docx."),
    **dict.fromkeys((".xls", ".ods", ".tsv"), " A workbook of the tables: --format xlsx and a name ending in .xlsx."),
    **dict.fromkeys((".ppt", ".pptx", ".odp", ".epub", ".yaml", ".yml", ".tex", ".png", ".jpg", ".jpeg"), ""),
}
"""Names that end so promise a format which the name alone does not choose."""
MODES = ("fast", "balanced", "multimodal", "agentic")
# Options that need a service, with their defaults.
_SERVICE_OPTIONS = {
    **dict.fromkeys(("max-cost", "on-budget", "providers", "prompt")),
    **dict.fromkeys(("no-external", "no-cache", "no-check", "estimate"), False),
}


# Not for a terminal, which cannot show their bytes.
_BINARY = frozenset({"xlsx", "pdf", "docx", "searchable_pdf", "archive_pdf", "csv", "zip"})


class UsageError(Exception):
    """The command cannot run with these options. ``code`` is public."""

    def __init__(self, code: str, detail: str) -> None:
        self.code = code
        self.detail = detail
        super().__init__(detail)


class _RefusePassword(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_arguments: object) -> None:
        parser.error("Other users could see a password in the command. Write it into a file: --password-file PATH.")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "source",
        metavar="FILE|FOLDER|URL|-",
        help="a file, a folder or .zip archive of files, an http(s) URL, or - for stdin",
    )
    parser.add_argument("--mode", choices=MODES, default="fast", help="how pages are parsed (default: fast)")
    parser.add_argument("--pages", default="", metavar="1,3-5", help="only these pages, counted from 1")
    parser.add_argument(
        "--crop-box",
        type=crop_box,
        default=None,
        metavar="TOP,RIGHT,BOTTOM,LEFT",
        help="margins that are not read, as shares of the page: 0.1,0,0.1,0 leaves out a tenth at its top and foot",
    )
    parser.add_argument(
        "-o",
        "--output",
        metavar="PATH",
        help="write the result to this file instead of stdout; of many documents, into this folder",
    )
    parser.add_argument(
        "--format",
        choices=(*FORMATS, *FILE_NAMES),
        help="(default: what the name of the output file says, such as .txt, .json, .docx or .pdf, else markdown)",
    )
    parser.add_argument(
        "--boxes",
        type=box_levels,
        default=frozenset(),
        metavar="word,line,cell",
        help="with --format json: the boxes of words, lines or table cells, in the section grounded_items",
    )
    parser.add_argument("--password-file", metavar="PATH", help="a file with the document's password in its first line")
    parser.add_argument("--password", action=_RefusePassword, nargs="?", help=argparse.SUPPRESS)
    parser.add_argument("--languages", default="", metavar="de,fr", help="languages of scans, the main one first")
    parser.add_argument("--no-ocr", action="store_true", help="use text layers only")
    parser.add_argument("--high-res-ocr", action="store_true", help="run OCR at a higher resolution; slower")
    parser.add_argument("--barcodes", action="store_true", help="look for bar codes on all pages, not only on scans")
    parser.add_argument("--ignore-hidden-text", action="store_true", help="leave out text that people cannot see")
    parser.add_argument(
        "--option",
        dest="options",
        action="append",
        type=option,
        default=[],
        metavar="NAME[=VALUE]",
        help="an option of the API by its name, such as include_hidden_sheets; may be repeated: " + ", ".join(NAMES),
    )
    chunks = parser.add_argument_group("chunks, only with --format chunks")
    chunks.add_argument(
        "--max-tokens",
        type=int,
        default=DEFAULT_TOKENS,
        metavar="N",
        help=f"tokens of a chunk at most, {MIN_TOKENS} to {MAX_TOKENS} (default: {DEFAULT_TOKENS})",
    )
    chunks.add_argument(
        "--overlap-tokens", type=int, default=0, metavar="N", help="tokens of a full chunk that begin the next one"
    )
    chunks.add_argument(
        "--split-by", choices=SPLITS, default=SPLITS[0], help="a chunk for each heading, or as full as may be"
    )
    chunks.add_argument("--within-pages", action="store_true", help="no chunk has text of two pages")
    parser.add_argument("--server", metavar="URL", help="parse the document with this running service")
    parser.add_argument("--api-key", metavar="KEY", help="API key of the service; better use LEAFMILL_API_KEY")
    models = parser.add_argument_group("models, only with --server")
    models.add_argument("--max-cost", type=dollars, metavar="USD", help="maximum cost of the model calls")
    models.add_argument(
        "--on-budget",
        choices=("stop", "degrade"),
        help="pages beyond the maximum cost fail, or keep their fallback text (default: degrade)",
    )
    models.add_argument(
        "--urgency",
        choices=["now", "hours"],
        help="hours: slow answers at about half the price, where a provider offers them",
    )
    models.add_argument("--providers", metavar="NAME,NAME", help="use only these providers")
    models.add_argument("--no-external", action="store_true", help="send no page to an external provider")
    models.add_argument("--prompt", metavar="TEXT", help="additional instructions for the model")
    models.add_argument(
        "--no-check", action="store_true", help="keep answers that differ from the page, with a warning"
    )
    models.add_argument("--no-cache", action="store_true", help="neither use nor store cached responses")
    models.add_argument("--estimate", action="store_true", help="print what each mode would need, and parse nothing")
    parser.add_argument("-q", "--quiet", action="store_true", help="show no progress on stderr")


def is_many(source: str) -> bool:
    """Return whether the source is a folder or an archive: a file whose name ends in .zip."""
    path = Path(source)
    return path.is_dir() or (path.suffix.lower() == ".zip" and path.is_file())


def chunk_options(options: argparse.Namespace) -> ChunkOptions:
    """Return the options of chunks. Raise UsageError for options that no chunks can have."""
    chunks = ChunkOptions(options.max_tokens, options.overlap_tokens, options.split_by, options.within_pages)
    if chunks != ChunkOptions() and options.format != "chunks":
        raise UsageError("invalid_option", "The options of chunks need --format chunks.")
    if not MIN_TOKENS <= chunks.max_tokens <= MAX_TOKENS:
        raise UsageError("invalid_option", f"--max-tokens must be a number from {MIN_TOKENS} to {MAX_TOKENS}.")
    if not 0 <= chunks.overlap_tokens <= chunks.max_tokens // 2:
        raise UsageError("invalid_option", "--overlap-tokens must be a number from 0 to half of --max-tokens.")
    return chunks


def dollars(text: str) -> float:
    """Return an amount of money, 0 or more. Raise ArgumentTypeError."""
    try:
        amount = float(text)
    except ValueError:
        amount = -1.0
    if not 0 <= amount < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of dollars, 0 or more")
    return amount


def box_levels(text: str) -> frozenset[str]:
    """Return the levels of boxes inside items. Raise ArgumentTypeError."""
    levels = frozenset(part.strip() for part in text.split(","))
    if not levels <= {"word", "line", "cell"}:
        raise argparse.ArgumentTypeError(f"{text!r} is not a list of word, line and cell")
    return levels


def crop_box(text: str) -> Margins:
    """Return the margins that are not read. Raise ArgumentTypeError."""
    try:
        top, right, bottom, left = sides = [float(part) for part in text.split(",")]
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not four numbers, such as 0.1,0,0.1,0") from None
    if not all(0 <= side < 1 for side in sides) or top + bottom >= 1 or left + right >= 1:
        raise argparse.ArgumentTypeError(f"{text!r} leaves nothing of the page; send shares whose sums are below 1")
    return Margins(top, right, bottom, left)


def check_options(options: argparse.Namespace) -> None:
    """Raise UsageError for values that no document can have. Set ``format`` and ``api_key`` if they are missing."""
    from apps.pages.model.text import languages

    check_format(options)
    check_output(options)
    try:
        check_page_ranges(options.pages or "1")
    except PageOutOfRange as error:
        raise UsageError(error.code, error.detail) from error
    try:
        languages.find_all(list(filter(None, options.languages.split(","))))
    except languages.UnknownLanguage as error:
        raise UsageError("invalid_option", str(error)) from error

    if options.server is not None:
        check_server(options)
    if options.server:
        return
    if options.mode != "fast":
        raise UsageError(
            "mode_not_available",
            f"The mode {options.mode} uses models, and their quotas are shared by all processes. So only a running "
            "service can call them, not this command. Start one with `make run`, load a provider with "
            "`manage.py load_providers` and pass its address: --server http://127.0.0.1:8000 "
            '(with make: ARGS="--server http://127.0.0.1:8000"). Or use --mode fast.',
        )
    if unknown := unknown_here(dict(options.options)):
        if (name := unknown[0].rpartition(".")[2]) in NAMES:
            raise UsageError("invalid_option", f"{unknown[0]} is not an option. Write --option {name}.")
        raise UsageError(
            "invalid_option",
            f"{unknown[0]} needs a running service. Pass its address with --server URL. Options that do not: "
            f"{', '.join(NAMES)}.",
        )
    for name, default in _SERVICE_OPTIONS.items():
        if vars(options)[name.replace("-", "_")] is not default:
            raise UsageError("invalid_option", f"--{name} needs a running service. Pass its address with --server URL.")


def check_format(options: argparse.Namespace) -> None:
    """Set ``format`` if it is missing. Raise UsageError if it cannot be written, or not with these options."""
    if options.format is None:
        suffix = Path(options.output or "").suffix.lower()
        is_one = not is_many(options.source)
        if is_one and suffix in _HINTS_BY_SUFFIX and not options.estimate:
            detail = f"The ending {suffix} of -o chooses no format, so pass --format.{_HINTS_BY_SUFFIX[suffix]}"
            raise UsageError("invalid_option", detail)
        options.format = FORMATS_BY_SUFFIX.get(suffix, "markdown") if is_one else "markdown"
    if options.boxes and options.format != "json":
        raise UsageError("invalid_option", "--boxes needs --format json: Markdown and text have no boxes.")
    if options.format == "docling" and not options.server:
        detail = "--format docling needs a running service. Pass its address with --server URL."
        raise UsageError("invalid_option", detail)
    chunk_options(options)


def check_output(options: argparse.Namespace) -> None:
    """Raise UsageError if the result could not be written, before the document is parsed."""
    if is_many(options.source):
        return
    if options.output:
        if not (folder := Path(options.output).parent).is_dir():
            raise UsageError("invalid_option", f"The folder {folder} does not exist. Create it, or pass another one.")
        if Path(options.output).is_dir():
            raise UsageError("invalid_option", f"{options.output} is a folder. Pass a file: -o FILE.")
    elif options.format in _BINARY and not options.estimate and sys.stdout.isatty():
        raise UsageError("invalid_option", f"A terminal cannot show {options.format}. Pass a file: -o FILE.")


def check_server(options: argparse.Namespace) -> None:
    """Raise UsageError for a wrong address or key. Set ``api_key`` from the environment if it is missing."""
    try:
        address = urlsplit(options.server)
        is_address = address.scheme in ("http", "https") and address.hostname and address.port != 0
    except ValueError:  # the port is not a number
        is_address = False
    if not is_address:
        detail = f"{options.server!r} is not the address of a server. Pass one such as http://127.0.0.1:8000."
        raise UsageError("invalid_option", detail)
    options.api_key = key = options.api_key or env.text("LEAFMILL_API_KEY", "", "the API key for --server")
    if not (key.isascii() and key.isprintable()):
        detail = "The API key contains characters that keys never contain. Copy it again."
        raise UsageError("invalid_option", detail)


def read_password(path: str) -> str:
    """Return the first line of the password file. Raise UsageError or OSError."""
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise UsageError("invalid_option", "The password file is not text in UTF-8. Save it in UTF-8.") from error
    if not lines:
        raise UsageError("invalid_option", "The password file is empty. Write the password into its first line.")
    return lines[0]
